"""What the clients of a crash run did and saw. No line here knows how Conch works, only what a person could tell."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

State = Literal["answered", "apology", "failed", "open"]


@dataclass(eq=False, slots=True)
class Sent:
    """One message that a client sends until somebody takes it: ``event`` stays the same however often that is.

    ``accepted``: the client was told yes. ``refused``: it was told no, for this reason. ``begun``: it has seen words
    of the answer, ``ended``: the end of it. ``hits``: kills between the first try and that end.
    """

    event: str
    conversation: str
    prompt: str
    accepted: bool = False
    refused: str | None = None
    begun: bool = False
    ended: bool = False
    hits: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """One answer as the platform shows it in the end, under the question ``prompt``; ``open`` = it has no end yet."""

    conversation: str
    prompt: str
    text: str
    state: State


@dataclass(slots=True)
class Book:
    """All that was sent, in the order of sending, and the kills. Whoever waits for something is woken by each entry."""

    sent: list[Sent] = field(default_factory=list)
    kills: int = 0
    kills_in_answers: int = 0
    undone: list[str] = field(default_factory=list)
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def sends(self, sent: Sent) -> Sent:
        """A client begins to send."""
        self.sent.append(sent)
        self._wake()
        return sent

    def accepted(self, sent: Sent) -> None:
        """The client was told yes."""
        sent.accepted = True
        self._wake()

    def refused(self, sent: Sent, reason: str) -> None:
        """The client was told no."""
        sent.refused = reason
        self._wake()

    def begun(self, sent: Sent) -> None:
        """The client has seen words of the answer."""
        sent.begun = True
        self._wake()

    def ended(self, sent: Sent) -> None:
        """The client has seen the end of the answer."""
        sent.ended = True
        self._wake()

    def open_again(self, sent: Sent) -> None:
        """An answer whose end was seen is being made anew: what was said is not what is kept."""
        self.undone.append(sent.event)

    def killed(self) -> None:
        """The process is gone, at this moment."""
        self.kills += 1
        self.kills_in_answers += bool(self.unanswered())
        for sent in self.sent:
            sent.hits += not sent.ended and sent.refused is None

    @property
    def ends(self) -> int:
        """How many ends were seen."""
        return sum(sent.ended for sent in self.sent)

    def unanswered(self) -> list[Sent]:
        """Accepted, and the end not seen."""
        return [sent for sent in self.sent if sent.accepted and not sent.ended]

    async def until(self, true: Callable[[], bool]) -> None:
        """Returns when ``true()`` holds after an entry."""
        while not true():
            await self.moved()

    async def moved(self) -> None:
        """Returns with the next entry."""
        await self._moved.wait()

    def nudge(self) -> None:
        """Something outside the book has changed: whoever waits looks again."""
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


def mark(prompt: str) -> str:
    """What every word of the scripted engine's answer to ``prompt`` ends with: the CRC-32 of the question, in hex."""
    return f"{zlib.crc32(prompt.encode()) & 0xFFFFFFFF:08x}"


def whole(text: str, prompt: str) -> bool:
    """Is this the whole answer: the words 1 to n that the question asks for (``words=n``), each there, in order?"""
    wanted = re.search(r"words=(\d+)", prompt)
    if wanted is None:
        raise ValueError(f"a prompt that says how long its answer is, not {prompt!r}")
    return text.split() == [f"{number}-{mark(prompt)}" for number in range(1, int(wanted[1]) + 1)]
