"""One open page's view of what happens: its list, its conversation and the answers in it, as server-sent events.

The feed is told *that* something moved and looks *what* when its page is ready to take it, so a slow page never holds
anything up: what piles up is merged. Closing it ends no answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from bots.talk.wording import Say
from bots.text.html import Renderer
from bots.web.view import Exchange, LiveView, conversation_view, exchange_view, exchanges, marks
from core.chat.chat import Chat
from core.chat.reply import Reply
from core.errors import NotFound, NotYours

REST = 4
"""A page rests so many times as long as its look at growing answers took: long ones are drawn less often."""
LONG = 4_000
"""Characters still growing from which a look has a thread of its own, as parsing them takes more than a moment."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks at what. ``count`` and ``mark`` name the exchanges that the page still has from before."""

    user: str
    prefix: str
    conversation: str | None
    language: str
    count: int = 0
    mark: str = ""


class Feed:
    """``events`` is the stream's text. ``pace`` is the least time between two looks, ``heartbeat`` the longest silence,
    both in seconds."""

    def __init__(
        self, chat: Chat, renderer: Renderer, say: Say, viewer: Viewer, *, pace: float, heartbeat: float
    ) -> None:
        self._chat, self._renderer, self._say, self._viewer = chat, renderer, say, viewer
        self._pace, self._heartbeat = pace, heartbeat
        self._moved = asyncio.Event()
        self.closed = asyncio.Event()
        self._farewell = ""
        self._list_moved = self._path_moved = True
        self._list = ""
        self._marks: list[str] | None = None
        self._live: dict[int, LiveView] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._spent = 0.0

    def close(self, event: str) -> None:
        """End the stream soon, with ``event`` as its last word to the page."""
        self._farewell = event
        self.closed.set()
        self._moved.set()

    async def events(self) -> AsyncGenerator[str, None]:
        """What to send, from everything that the page lacks to the word at the end."""
        watching = asyncio.create_task(self._watch())
        self._moved.set()
        try:
            yield _event("hello", {"heartbeat": self._heartbeat})
            while not self.closed.is_set():
                if await _within(self._moved.wait(), self._heartbeat):
                    self._moved.clear()
                    for event in await self._look():
                        yield event
                    await _within(self.closed.wait(), max(self._pace, REST * self._spent))
                else:
                    yield ": still here\n\n"
            yield _event(self._farewell, {})
        finally:
            tasks = [watching, *self._tasks.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _watch(self) -> None:
        async for key in self._chat.changes(self._viewer.user):
            self._list_moved = True
            self._path_moved = self._path_moved or key == self._key
            self._moved.set()

    @property
    def _key(self) -> str | None:
        chosen = self._viewer.conversation
        return None if chosen is None else self._viewer.prefix + chosen

    async def _look(self) -> list[str]:
        """What has changed since the last look."""
        found = []
        if self._list_moved:
            self._list_moved = False
            found += await self._look_at_list()
        if self._path_moved and self._key is not None:
            self._path_moved = False
            found.append(await self._look_at_path(self._key))
        began = perf_counter()
        for view in self._live.values():
            long = view.growing > LONG
            change = await asyncio.to_thread(view.change, self._say) if long else view.change(self._say)
            if change is not None:
                found.append(_event("answer", change))
        self._spent = perf_counter() - began
        return found

    async def _look_at_list(self) -> list[str]:
        kept = await self._chat.conversations(self._viewer.user)
        event = _event("list", [conversation_view(one, self._viewer.prefix) for one in kept])
        if event == self._list:
            return []
        self._list = event
        return [event]

    async def _look_at_path(self, key: str) -> str:
        try:
            shown = exchanges(await self._chat.history(key, self._viewer.user))
        except (NotFound, NotYours):
            shown = []
        now = marks(shown, self._viewer.language)
        keep = self._kept(now)
        self._marks = now
        self._follow({exchange.last.id: exchange for exchange in shown if exchange.live})
        views = [await exchange_view(exchange, self._renderer, self._say) for exchange in shown[keep:]]
        return _event("path", {"keep": keep, "exchanges": views, "mark": now[-1] if now else ""})

    def _kept(self, now: list[str]) -> int:
        """How many exchanges at the start the page has as they are."""
        if self._marks is None:
            count = self._viewer.count
            return count if 0 < count <= len(now) and now[count - 1] == self._viewer.mark else 0
        return next(
            (i for i, (a, b) in enumerate(zip(now, self._marks, strict=False)) if a != b),
            min(len(now), len(self._marks)),
        )

    def _follow(self, live: dict[int, Exchange]) -> None:
        """Follow the answers that wait or run, and no others."""
        for turn in [turn for turn in self._live if turn not in live]:
            del self._live[turn]
            self._tasks.pop(turn).cancel()
        for turn, exchange in live.items():
            reply = self._chat.live(turn)
            if turn in self._live:
                continue
            if reply is None:  # it has just ended, so the path moves again
                continue
            self._live[turn] = LiveView(exchange, reply, self._renderer)
            self._tasks[turn] = asyncio.create_task(self._hear(reply))

    async def _hear(self, reply: Reply) -> None:
        async for _ in reply:
            self._moved.set()


async def _within(wait: Coroutine[Any, Any, Any], seconds: float) -> bool:
    """Did it come within the time?"""
    try:
        async with asyncio.timeout(seconds):
            await wait
    except TimeoutError:
        return False
    return True


def _event(name: str, data: object) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n"
