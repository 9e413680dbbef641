"""One answer while it grows, for any number of viewers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from core.events import Delta, Finished, Queued
from core.messages import Turn
from core.store.store import Store


class Reply:
    """A turn's answer: iterate for its events, as often and as late as you like; nobody's slowness delays it.

    What piles up between two looks is merged into one ``Delta``; a late viewer gets the place in line or the text so
    far first. The iteration ends with one ``Finished``, or without one when Conch shuts down: then the turn is
    unanswered still, and the next start takes it up.
    """

    def __init__(self, turn: Turn, store: Store, cancel: Callable[[Reply, str], Awaitable[None]]) -> None:
        self.turn = turn
        self.resumed = turn.started is not None
        """Somebody else had begun it: a process that is gone. What its messages show is a part of this answer."""
        self.successor: Reply | None = None
        self._store = store
        self._cancel = cancel
        self._deltas: list[Delta] = []
        self._text = ""
        self._queued: Queued | None = None
        self._finished: Finished | None = None
        self._closed = False
        self._moved = asyncio.Event()
        if turn.finish_reason is not None:
            self.end(turn)

    @property
    def text(self) -> str:
        """The answer so far."""
        return self._text

    @property
    def ids(self) -> tuple[int, ...]:
        """The exact tokens of the answer so far."""
        return tuple(token for delta in self._deltas for token in delta.ids)

    @property
    def finished(self) -> Finished | None:
        """How it ended; None while it waits or runs."""
        return self._finished

    @property
    def queued(self) -> Queued | None:
        """The place in line, while it waits for its first word."""
        return None if self._deltas or self._finished else self._queued

    async def __aiter__(self) -> AsyncIterator[Queued | Delta | Finished]:
        seen = 0
        queued: Queued | None = None
        while True:
            moved = self._moved
            if self._deltas[seen:]:
                pending, seen = self._deltas[seen:], len(self._deltas)
                if len(pending) == 1:
                    yield pending[0]
                else:
                    ids = tuple(token for delta in pending for token in delta.ids)
                    yield Delta("".join(delta.text for delta in pending), ids)
            elif self._finished is not None:
                yield self._finished
                return
            elif self._closed:
                return
            elif not seen and self._queued is not None and self._queued != queued:
                queued = self._queued
                yield queued
            else:
                await moved.wait()

    async def cancel(self) -> None:
        """Stop it, as its asker asked. Returns when the end is committed; does nothing if it has ended."""
        await self._cancel(self, "stopped")

    async def placed(self, part: int, ref: str) -> None:
        """Commit that part number ``part`` of the answer is the platform's message ``ref``; "" = it is no more."""
        if self.successor is None:
            self.turn = await self._store.placed(self.turn.id, part, ref)
        if self.successor is not None:  # perhaps since just now
            await self.successor.placed(part, ref)

    async def shown(self) -> None:
        """Commit that the platform has confirmed the last edit."""
        await self._store.shown(self.turn.id)
        self.turn = replace(self.turn, shown=True)

    # Chat's side: what happens to the answer.

    def emit(self, event: Queued | Delta) -> None:
        """Add what happened, and wake the viewers."""
        if isinstance(event, Delta):
            self._deltas.append(event)
            self._text += event.text
        else:
            self._queued = event
        self._wake()

    def end(self, turn: Turn) -> None:
        """The end is committed as ``turn``; again when that is deleted or forgotten afterwards."""
        self.turn = turn
        if turn.deleted or turn.reply != self._text:
            self._deltas = [Delta(turn.reply, turn.ids or ())] if turn.reply else []
            self._text = turn.reply
        self._finished = (
            Finished("abort", "deleted") if turn.deleted else Finished(turn.finish_reason or "error", turn.cause)
        )
        self._wake()

    def close(self) -> None:
        """Conch shuts down: viewers end, the turn stays unanswered."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
