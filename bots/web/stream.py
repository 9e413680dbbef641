"""Feeds on the wire: each as one HTTP answer that does not end, a bounded number per person."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from starlette.types import Receive, Scope, Send

from bots.web.feed import Feed

MOST_STREAMS = 5
"""Open pages per person. A browser opens six connections to a host at most, and needs one for asking."""
FAREWELL_SECONDS = 0.5
"""How long a closed stream may take for its last word before it is cut off."""
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would keep events back
]


class Streams:
    """The streams that are open."""

    def __init__(self) -> None:
        self._open: dict[str, list[Feed]] = {}
        self._closing = False

    def add(self, user: str, feed: Feed) -> None:
        """One more; where they are too many, the one opened first is told to go."""
        mine = self._open.setdefault(user, [])
        mine.append(feed)
        if self._closing:
            feed.close("bye")
        for crowded in mine[:-MOST_STREAMS]:
            crowded.close("crowded")

    def remove(self, user: str, feed: Feed) -> None:
        """One has ended."""
        self._open[user].remove(feed)
        if not self._open[user]:
            del self._open[user]

    def close(self) -> None:
        """Conch goes: tell every page."""
        self._closing = True
        for feeds in self._open.values():
            for feed in feeds:
                feed.close("bye")


class Stream:
    """The answer to one request for a feed."""

    def __init__(self, streams: Streams, user: str, feed: Feed) -> None:
        self._streams, self._user, self._feed = streams, user, feed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._streams.add(self._user, self._feed)
        pump = asyncio.create_task(self._pump(send))
        others = [asyncio.create_task(_gone(receive)), asyncio.create_task(self._feed.closed.wait())]
        try:
            await asyncio.wait({pump, *others}, return_when=asyncio.FIRST_COMPLETED)
            if self._feed.closed.is_set():
                await asyncio.wait({pump}, timeout=FAREWELL_SECONDS)
        finally:
            self._streams.remove(self._user, self._feed)
            for task in (pump, *others):
                task.cancel()
            failure, *_ = await asyncio.gather(pump, *others, return_exceptions=True)
        if isinstance(failure, Exception) and not isinstance(failure, OSError):  # the page has gone
            raise failure

    async def _pump(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        events: AsyncIterator[str]
        async with aclosing(self._feed.events()) as events:
            async for event in events:
                await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
