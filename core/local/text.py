"""From token ids to text as they come: never half a character, never a stop string, each id with its text."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

Decode = Callable[[Sequence[int]], str]
HALF = "\ufffd"
"""What a tokenizer decodes an unfinished character to."""
LONGEST_HALF = 8
"""Tokens that are kept back for a character to become whole; what is still broken then is broken for good."""


class Text:
    """The text of one answer, given out as soon as it is sure.

    Written by hand, since ``tokenizers.decoders.DecodeStream`` raises on bytes that are no UTF-8. Text and ids of what
    was given out belong together: a token is given out with the last of its characters. The first white space of an
    answer is not shown, unless the answer continues what was ``said`` before.
    """

    def __init__(self, decode: Decode, said: Sequence[int] = (), stop: Sequence[str] = ()) -> None:
        """``said`` are the ids of the text that is continued; ``stop`` the strings at which the answer ends."""
        self._decode = decode
        self._ids = _tail(decode, said)
        self._read = len(self._ids)
        while self._read and self._decode(self._ids[: self._read]).endswith(HALF):
            self._read -= 1
        self._before = self._decode(self._ids[: self._read]) if self._read else ""
        self._from = 0
        self._blank = not said
        self._stop = tuple(filter(None, stop))
        self._unsure = ""
        self._waiting: deque[tuple[int, int]] = deque()
        self._length = self._given = 0
        self.stopped = False

    def push(self, id_: int) -> tuple[str, tuple[int, ...]]:
        """One more token; returns the text that is sure now and its ids. Sets ``stopped`` at a stop string."""
        self._ids.append(id_)
        text = self._decode(self._ids[self._from :])
        whole = not text.endswith(HALF) or len(self._ids) - self._read > LONGEST_HALF
        new = text[len(self._before) :] if whole else ""
        self._unsure += new
        self._length += len(new)
        self._waiting.append((id_, self._length if whole else -1))
        if whole:
            # Decoding goes on from the last whole token, so that its cost does not grow with the answer.
            self._from, self._read = self._read, len(self._ids)
            self._before = self._decode(self._ids[self._from : self._read])
        return self._give(len(self._unsure) - self._could_be_stop())

    def finish(self) -> tuple[str, tuple[int, ...]]:
        """What was kept back, when no more tokens come. Half a character is not shown, but its ids are given."""
        new = self._decode(self._ids[self._from :])[len(self._before) :]
        if new.endswith(HALF):
            new = new.rstrip(HALF).rstrip()  # the space of that token comes with the whole character, if continued
        self._unsure += new
        self._length += len(new)
        text, ids = self._give(len(self._unsure))
        if not self.stopped:
            ids += tuple(id_ for id_, _ in self._waiting)
            self._waiting.clear()
        return text, ids

    def _give(self, length: int) -> tuple[str, tuple[int, ...]]:
        """Give out ``length`` characters of what was unsure, or as many as come before a stop string."""
        found = [at for at in map(self._unsure.find, self._stop) if at >= 0]
        if found:
            self.stopped, length = True, min(found)
        text, self._unsure = self._unsure[:length], self._unsure[length:]
        self._given += length
        ids = []
        while self._waiting and 0 <= self._waiting[0][1] <= self._given:
            ids.append(self._waiting.popleft()[0])
        if self._blank:
            text = text.lstrip()
            self._blank = not text
        return text, tuple(ids)

    def _could_be_stop(self) -> int:
        """Characters at the end that may be the beginning of a stop string."""
        return max(
            (
                length
                for stop in self._stop
                for length in range(1, min(len(stop), len(self._unsure) + 1))
                if self._unsure.endswith(stop[:length])
            ),
            default=0,
        )


def _tail(decode: Decode, said: Sequence[int]) -> list[int]:
    """The last few ids, from a token that begins with a whole character."""
    start = max(0, len(said) - LONGEST_HALF)
    while start and HALF in decode(said[start : start + 1]):
        start -= 1
    return list(said[start:])
