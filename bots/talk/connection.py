"""A front on a platform: connected again and again where that fails, ended alone where it has no use.

A *session* is one connection's life: it reports "up" once it is connected, and ends by raising ``Down`` or ``Ended``.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from core.errors import ConchError

log = logging.getLogger(__name__)

UP, UNREACHABLE = "up", "unreachable"
CONTACT_SECONDS = 5.0
"""How long a start waits to hear whether a front is let in; it goes on connecting beside the others then."""
FIRST_BACK_OFF, LONGEST_BACK_OFF = 1.0, 60.0
"""Seconds before a platform is tried again: doubled each time, up to the second."""

Report = Callable[[str], None]
"""Told how a front is: ``UP``, ``UNREACHABLE``, or "ended: " and why."""


class Down(ConchError):
    """The platform cannot be reached; it is tried again. The text says what happened."""


class Ended(ConchError):
    """It makes no sense to go on: a wrong token, say. The text is a sentence that says what to do."""

    def __init__(self, cause: str, sentence: str) -> None:
        super().__init__(sentence)
        self.cause = cause
        """In a word or two, for those who ask how Conch is."""


@asynccontextmanager
async def kept_up(
    name: str,
    session: Callable[[Report], Awaitable[None]],
    report: Report,
    *,
    contact: float = CONTACT_SECONDS,
    first_back_off: float = FIRST_BACK_OFF,
) -> AsyncIterator[None]:
    """Keeps a front connected until the block ends. Raises Ended where the first contact of this start ends it."""
    met: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    keeping = asyncio.create_task(_keep(name, session, report, met, first_back_off), name=f"front {name}")
    try:
        await asyncio.wait({met}, timeout=contact)
        if met.done():
            met.result()
        else:
            report(UNREACHABLE)
            met.set_result(None)
        yield
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def _keep(
    name: str,
    session: Callable[[Report], Awaitable[None]],
    report: Report,
    met: asyncio.Future[None],
    first_back_off: float,
) -> None:
    wait = first_back_off

    def reported(state: str) -> None:
        nonlocal wait
        if state == UP:
            wait = first_back_off
            if not met.done():
                met.set_result(None)
        report(state)

    while True:
        try:
            await session(reported)
        except Ended as end:
            report(f"ended: {end.cause}")
            if met.done():
                log.error("%s has ended, the other fronts go on: %s", name, end)
            else:
                met.set_exception(end)
            return
        except Down as failure:
            log.warning("%s cannot be reached, tried again in %g s: %s", name, wait, failure)
        except Exception:
            log.exception("%s failed, tried again in %g s", name, wait)
        report(UNREACHABLE)
        if not met.done():
            met.set_result(None)
        await asyncio.sleep(wait)
        wait = min(wait * 2, LONGEST_BACK_OFF)
