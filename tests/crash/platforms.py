"""The seam between a crash run and the platform that its clients are on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from tests.crash.program import Program
from tests.crash.records import Book, Seen, Sent


class Client(Protocol):
    """One person at one device, with the manners of the platform's own program: it resends, reconnects, reloads."""

    @property
    def conversations(self) -> Sequence[str]:
        """Those that they have open, by the platform's own names."""

    async def send(self, sent: Sent) -> None:
        """Send until somebody answers, always as the same event; enters into the book what the answer was."""

    async def look(self) -> list[Seen]:
        """What a person who opens everything anew sees, each conversation in the order in which it is shown."""


class Platform(Protocol):
    """What it takes to run Conch on one platform and to be its users."""

    @property
    def module(self) -> Sequence[str]:
        """What ``python -m`` starts."""

    @property
    def settings(self) -> Mapping[str, str]:
        """Environment of the program, beyond the engine and the port."""

    @property
    def moments(self) -> Sequence[str]:
        """What the platform's server can name on the wire: half of the kills come at these moments, in turn."""

    @property
    def early(self) -> Sequence[str]:
        """Those of the moments that come only while the program starts."""

    def words(self) -> int:
        """How many words the answer to the next question shall have."""

    def serving(self) -> AbstractAsyncContextManager[None]:
        """The platform itself, where it is ours: there before the program, and through all its lives."""

    def at(self, moment: str) -> AbstractAsyncContextManager[None]:
        """The block begins when one of ``moments`` has come; the wire stands still until it ends."""

    def clients(self, program: Program, book: Book, count: int) -> AbstractAsyncContextManager[Sequence[Client]]:
        """So many people, who follow their conversations through every restart and enter what they see."""


class Wire:
    """Where a server of ours stands still while the program is killed; it waits for ``moment``, "" = for nothing."""

    def __init__(self) -> None:
        self.moment = ""
        self._come, self._over = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def at(self, moment: str) -> AsyncIterator[None]:
        """The block begins when the moment has come; the wire stands still until it ends."""
        self._come, self._over, self.moment = asyncio.Event(), asyncio.Event(), moment
        try:
            await self._come.wait()
            yield
        finally:
            self.moment = ""
            self._over.set()

    def come(self) -> None:
        """The moment is here, and nothing has to stand still for it."""
        self._come.set()

    async def hold(self) -> None:
        """The moment is here: returns when the kill is over."""
        self.moment, over = "", self._over
        self._come.set()
        await over.wait()
