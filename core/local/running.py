"""One request while it waits for a row and runs in it: what is computed of it, what it has said, how it goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from core.events import Delta, Finished
from core.local.lookup import Lookup
from core.local.request import Request
from core.local.sampling import Sampler
from core.local.text import Text

SAID = 64
"""Tokens of an answer that is continued, from which its decoding goes on."""


class Running:
    """``ids`` are the prompt and the answer so far; the row holds keys and values of the first ``done`` of them."""

    def __init__(
        self, request: Request, decode: Callable[[Sequence[int]], str], vocabulary: int, device: torch.device
    ) -> None:
        self.request = request
        self.ids = list(request.ids)
        self.done = 0
        self.started = False
        self.sampler = Sampler(request.sampling, request.ids, vocabulary, device)
        self.lookup = Lookup()
        self.draft: list[int] = []
        self._text = Text(decode, request.ids[-SAID:] if request.continues else (), request.stop)

    @property
    def said(self) -> int:
        """How many tokens the answer has."""
        return len(self.ids) - len(self.request.ids)

    @property
    def unread(self) -> int:
        """How many tokens of ``ids`` are to be computed; one, when it answers."""
        return len(self.ids) - self.done

    @property
    def reading(self) -> bool:
        """Is there more to compute than the newest token?"""
        return self.unread > 1

    def foresee(self, most: int) -> None:
        """Guess what comes next, up to ``most`` tokens."""
        most = min(most, self.request.sampling.max_tokens - self.said - 1)
        self.draft = self.lookup.draft(self.ids, most) if most > 0 and self.sampler.said is None else []

    def hear(self, chosen: Sequence[int | None], ends: frozenset[int]) -> tuple[list[Delta], Finished | None]:
        """Takes in what was chosen behind its newest token and behind each token of its draft, as far as that was
        right. Returns what is to be told; Finished when it is over. ArithmeticError: the scores are not numbers."""
        text, right = "", 0
        ids: tuple[int, ...] = ()
        end: Finished | None = None
        for place, token in enumerate(chosen):
            if token is None:
                raise ArithmeticError("the model's scores are not numbers")
            right = place
            given, end = self._take(token, ends)
            text, ids = text + given[0], (*ids, *given[1])
            if end is not None or self.draft[place : place + 1] != [token]:
                break
        self.done += right
        if self.draft:
            self.lookup.judge(len(self.draft), right)
            self.draft = []
        return [Delta(text, ids)] if text or ids else [], end

    def _take(self, token: int, ends: frozenset[int]) -> tuple[tuple[str, tuple[int, ...]], Finished | None]:
        """One more token of the answer."""
        if token in ends:
            return self._text.finish(), Finished("stop")
        self.ids.append(token)
        self.sampler.say(token)
        text, ids = self._text.push(token)
        if self._text.stopped:
            return (text, ids), Finished("stop")
        if self.said == self.request.sampling.max_tokens:
            rest, more = self._text.finish()
            return (text + rest, ids + more), Finished("stop" if self._text.stopped else "length")
        return (text, ids), None
