"""Getting what was deleted out of the database's files: when, how often, and what stands in the way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from sqlalchemy import Connection

from core.errors import ConchError
from core.store import schema, sqlite

log = logging.getLogger(__name__)

BUSY_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Seconds between two tries while another program reads; the last goes on."""
FAILED_PAUSE = 30.0
"""The same after the disk did not let us."""
REST = 10.0
"""The writer stands still while the database is rebuilt, and is left alone ten times as long before the next time.
So nobody stops everybody by having themselves forgotten again and again."""

Clean = Callable[[Connection], bool]


class Erasing:
    """Tries until it is done. ``submit`` runs work in the writer's thread, outside of any transaction."""

    def __init__(self, submit: Callable[[Clean], Awaitable[bool]], clock: Callable[[], float] = monotonic) -> None:
        self._submit, self._clock = submit, clock
        self._task: asyncio.Task[None] | None = None
        self._owed = self._asked_again = False
        self._rest_until = float("-inf")

    @property
    def owed(self) -> bool:
        """May files still hold what was deleted?"""
        return self._owed

    async def now(self, patience: float) -> bool:
        """True when nothing deleted is left; False where that could not be had in ``patience`` seconds.

        In that case it is tried on beside everything else until it is done.
        """
        loop = asyncio.get_running_loop()
        tries, end = 0, loop.time() + patience
        while True:
            try:
                if await self._submit(self._clean):
                    return True
            except ConchError as error:
                log.error("what was deleted may still be in the database's files: %s", error)
                break
            if loop.time() >= end:
                log.warning("what was deleted may still be in the database's files, until others let go of it")
                break
            await asyncio.sleep(_pause(tries))
            tries += 1
        self.later()
        return False

    def later(self) -> None:
        """Begin to try, and go on until nothing deleted is left."""
        self._owed = self._asked_again = True
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._until_done(), name="store erasing")

    async def done(self) -> None:
        """Wait until nothing deleted is left."""
        if self._task is not None:
            await asyncio.wait({self._task})

    def cancel(self) -> None:
        """Leave it to the next start."""
        if self._task is not None:
            self._task.cancel()

    async def _until_done(self) -> None:
        tries = 0
        while self._owed:
            pause = _pause(tries)
            tries += 1
            self._asked_again = False  # what is deleted while this try runs sets it
            try:
                self._owed = not await self._submit(self._clean) or self._asked_again
            except ConchError as error:
                log.error("what was deleted may still be in the database's files: %s", error)
                pause = FAILED_PAUSE
            if self._owed:
                await asyncio.sleep(pause)

    def _clean(self, connection: Connection) -> bool:
        """In the writer's thread: whatever is deleted by now leaves the files, if it can."""
        if not sqlite.checkpoint(connection):  # also gives back the log's room, which rebuilding needs
            return False
        with connection.begin():
            unclean = schema.get_meta(connection, "unclean")
        if not unclean:
            return True
        began = self._clock()
        if began < self._rest_until:
            return False
        sqlite.rebuild(connection)
        with connection.begin():
            schema.set_meta(connection, "unclean", "")
        ended = self._clock()
        self._rest_until = ended + (ended - began) * REST
        return sqlite.checkpoint(connection)


def _pause(tries: int) -> float:
    return BUSY_PAUSES[min(tries, len(BUSY_PAUSES) - 1)]
