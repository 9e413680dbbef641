"""One call to Discord: bounded in time, its waits obeyed, its faults told in the words of ``bots.talk.channel``.

A call is never cut off while discord.py waits out a limit on everything: before that wait it closes a door that only
the same call opens again, and a call that was cut off there would leave it closed for all that come after.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

import aiohttp
import discord

from bots.talk.channel import ChannelError, Gone, RetryAfter, Unreachable

log = logging.getLogger(__name__)
T = TypeVar("T")

CALL_SECONDS = 15.0
BANNED_SECONDS = 60.0
"""How long everything rests where Discord does not say for how long it turns us away."""
OLD_EDIT_SECONDS = 30.0
"""Between two edits of a message older than an hour, once Discord minds."""


class Blocked(Gone):
    """Discord does not take this text: a server's own filter, say. The message itself is there."""


class Revoked(Unreachable):
    """The bot's token is not valid any more."""


@dataclass(eq=False, slots=True)
class _Wait:
    """What Discord says to one call while it runs: come again in ``seconds``."""

    told: asyncio.Event = field(default_factory=asyncio.Event)
    seconds: float = 0.0
    everywhere: bool = False


_current: ContextVar[_Wait | None] = ContextVar("discord_call", default=None)


def trace() -> aiohttp.TraceConfig:
    """For the client's ``http_trace``: hears every 429, which discord.py else waits out inside the call."""
    config = aiohttp.TraceConfig()
    config.on_request_end.append(_heard)
    return config


async def _heard(
    session: aiohttp.ClientSession, context: SimpleNamespace, ended: aiohttp.TraceRequestEndParams
) -> None:
    wait = _current.get()
    if wait is None or ended.response.status != 429:
        return
    headers = ended.response.headers
    wait.everywhere = "X-RateLimit-Global" in headers
    wait.seconds = _seconds(headers.get("Retry-After"))
    wait.told.set()


class Calls:
    """Makes the calls of one client after the other (a lost one is replaced). ``revoked`` is set by a dead token."""

    def __init__(self, seconds: float = CALL_SECONDS) -> None:
        self.http: discord.http.HTTPClient | None = None
        self.revoked = asyncio.Event()
        self._seconds = seconds
        self._running: set[asyncio.Task[Any]] = set()

    async def __call__(self, work: Coroutine[Any, Any, T]) -> T:
        """The call's result. Raises Gone, Blocked, RetryAfter, Unreachable; one that was cut off may have arrived."""
        wait = _Wait()
        token = _current.set(wait)
        task = asyncio.create_task(work)
        _current.reset(token)
        self._running.add(task)
        task.add_done_callback(self._ended)
        await self._until_done(task, wait)
        if not task.done():
            task.cancel()
            if wait.seconds:
                raise RetryAfter(wait.seconds)
            raise Unreachable(f"no answer in {self._seconds:g} s")
        try:
            return task.result()
        except asyncio.CancelledError:
            raise Unreachable("the connection was closed") from None
        except ChannelError:
            raise
        except Exception as error:
            fault = self._fault(error, wait)
            if fault is None:
                raise
            raise fault from error

    async def _until_done(self, task: asyncio.Task[T], wait: _Wait) -> None:
        """Returns when it is done, when it has to come again later, or when it took too long."""
        told = asyncio.create_task(wait.told.wait())
        try:
            while not task.done():
                waited = {task} if wait.everywhere else {task, told}
                done, _ = await asyncio.wait(waited, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
                if told in done and not wait.everywhere:
                    return
                if done:
                    continue
                door = self._door()
                if door is None or door.is_set():
                    return
                opened = asyncio.create_task(door.wait())
                await asyncio.wait({task, opened}, return_when=asyncio.FIRST_COMPLETED)
                opened.cancel()
        finally:
            told.cancel()

    def _door(self) -> asyncio.Event | None:
        """What discord.py keeps closed while it waits out a limit on everything."""
        return self.http._global_over if self.http is not None else None

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has heard it, or has gone

    def _fault(self, error: Exception, wait: _Wait) -> ChannelError | None:
        """The error in the words of ``bots.talk.channel``; None where it is a mistake of ours."""
        match error:
            case discord.RateLimited():
                return RetryAfter(error.retry_after, everywhere=wait.everywhere)
            case discord.HTTPException(status=429):
                return RetryAfter(wait.seconds or BANNED_SECONDS, everywhere=True)
            case discord.HTTPException(code=30046):  # edits of messages older than an hour
                return RetryAfter(OLD_EDIT_SECONDS)
            case discord.HTTPException(code=50027):  # an interaction's token
                return Gone("the interaction's time is over")
            case discord.HTTPException(status=401):
                self.revoked.set()
                return Revoked("the token is not valid any more")
            case discord.Forbidden() | discord.NotFound():
                return Gone(f"{error.status}, {error.code}")
            case discord.DiscordServerError():
                return Unreachable(str(error.status))
            case discord.HTTPException():
                log.warning("Discord does not take what it was sent", extra={"code": error.code})
                return Blocked(f"{error.status}, {error.code}")
            case OSError() | aiohttp.ClientError() | TimeoutError() | discord.ConnectionClosed():
                return Unreachable(type(error).__name__)
            case RuntimeError() if "closed" in str(error):  # aiohttp's word for a session that is no more
                return Unreachable("the client is closed")
        return None


def _seconds(header: str | None) -> float:
    try:
        return max(float(header or ""), 0.05)
    except ValueError:
        return BANNED_SECONDS
