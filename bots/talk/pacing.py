"""How often a platform may be called: by time, for each chat and over all chats, fair among them.

A Throttler per chat, and one for everything with a line of our own in front of it: finals and placeholders first, then
whoever has waited longest. A Throttler alone has no order among those who wait, and starves some of them.
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Literal
from weakref import WeakValueDictionary

from asyncio_throttle.throttler import Throttler

Kind = Literal["final", "placeholder", "preview", "line", "typing"]
"""What a call is for. The first two are urgent; ``line`` is a move in the line, drawn before there is any text."""

MINUTE = 60.0
SLACK = 0.001
"""Seconds more than the interval between two calls, so that the chat's Throttler never has to poll."""
IDLE_SECONDS = 120.0
"""A chat that nobody uses is remembered this long: past every interval and the minute's windows."""
_RANK = {"final": 0, "placeholder": 0, "preview": 1, "line": 1, "typing": 2}


@dataclass(frozen=True, slots=True)
class Rate:
    """How often one chat may be called, in seconds between two calls and in calls a minute; 0 = no limit.

    ``preview`` and ``line`` are intervals of their own for growing text and for moves in the line. ``typing``: how long
    the platform shows it; infinite = show it once per answer, 0 = never. ``opening``: it is shown right before an
    answer's first message, for which the platform must let two calls in a row pass, if the whole bot has room for it.
    """

    interval: float = 1.0
    preview: float = 0.0
    line: float = 0.0
    typing: float = 5.0
    opening: bool = False
    calls_per_minute: int = 0
    previews_per_minute: int = 0


class Pacing:
    """The budget of one bot: at most ``rate`` calls (0 = any number) in any ``period`` seconds, over all chats."""

    def __init__(self, rate: float, period: float = 1.0, clock: Callable[[], float] = monotonic) -> None:
        self.clock = clock
        self._budget = Throttler(max(int(rate), 1), period) if rate else None
        self._period, self._spent = period, deque[float](maxlen=max(int(rate), 1))
        self._chats: WeakValueDictionary[str, Pace] = WeakValueDictionary()
        self._recent: dict[str, Pace] = {}
        self._waiting: dict[Pace, None] = {}
        self._moved = asyncio.Event()
        self._server: asyncio.Task[None] | None = None
        self._resumes = -math.inf

    def chat(self, key: str, rate: Rate | float = 1.0) -> Pace:
        """The pace of a chat, the same object for the same key: all answers there share it. A number = an interval."""
        pace = self._chats.get(key)
        if pace is None:
            self._forget_idle()
            pace = self._chats[key] = Pace(self, rate if isinstance(rate, Rate) else Rate(rate))
        self._recent[key] = pace
        return pace

    def pause(self, seconds: float) -> None:
        """No calls at all for so long: the platform has said so for the whole bot."""
        self._resumes = max(self._resumes, self.clock() + seconds)

    async def spare(self) -> bool:
        """See ``Pace.spare``."""
        if self._budget is None:
            return True
        full = len(self._spent) == self._spent.maxlen and self._spent[0] > self.clock() - self._period
        if full or any(pace.waiting for pace in self._waiting):
            return False
        await self._spend()
        return True

    async def _spend(self) -> None:
        """Take one call out of the budget of all chats."""
        if self._budget is not None:
            await self._budget.acquire()  # type: ignore[no-untyped-call]  # the library's signature has no types
            self._spent.append(self.clock())

    def want(self, pace: Pace) -> None:
        """Somebody waits in this chat, or waits for something else now."""
        self._waiting[pace] = None
        self._moved.set()
        if self._server is None or self._server.done():
            self._server = asyncio.create_task(self._serve(), name="pacing")

    def moved(self) -> None:
        """A call has ended."""
        self._moved.set()

    async def _serve(self) -> None:
        """Let one after the other go, while any wait. Only this task waits for the budget."""
        paid = False
        while self._waiting:
            self._moved.clear()
            ready, wake = self._ready()
            for slot in ready:
                if not paid:
                    await self._spend()
                    paid = self._budget is not None
                if self._moved.is_set():
                    break  # somebody more urgent may have come meanwhile
                slot.grant()
                paid = False
            if not ready:
                paid = False
                await self._sleep(wake - self.clock())

    def _ready(self) -> tuple[list[Slot], float]:
        """Who may go now: the most urgent first, among equals who could have gone first. And when the next may."""
        ready: list[tuple[int, float, int, Slot]] = []
        now, wake = self.clock(), math.inf
        for pace in list(self._waiting):
            if not pace.waiting:
                del self._waiting[pace]
            elif not pace.busy:
                best: tuple[int, float, int, Slot] | None = None
                for slot in pace.waiting:
                    due = max(pace.due(slot.kind), self._resumes)
                    if due > now:
                        wake = min(wake, due)
                        continue
                    order = (_RANK[slot.kind], max(slot.since, due), slot.number, slot)
                    if best is None or order[:3] < best[:3]:
                        best = order
                if best is not None:
                    ready.append(best)
        ready.sort(key=lambda order: order[:3])
        return [order[3] for order in ready], wake

    async def _sleep(self, seconds: float) -> None:
        if seconds == math.inf:
            await self._moved.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._moved.wait()

    def _forget_idle(self) -> None:
        past = self.clock() - IDLE_SECONDS
        self._recent = {key: pace for key, pace in self._recent.items() if pace.last_used > past}


class Pace:
    """The calls to one chat: one at a time, apart by its rate."""

    def __init__(self, pacing: Pacing, rate: Rate) -> None:
        self.rate = rate
        self.waiting: list[Slot] = []
        self.busy = False
        self.last_used = pacing.clock()
        self.numbers = 0
        self._pacing = pacing
        self._throttler = Throttler(1, rate.interval, max(rate.interval / 50, SLACK)) if rate.interval > 0 else None
        self._calls: deque[float] = deque(maxlen=max(rate.calls_per_minute, 1))
        self._previews: deque[float] = deque(maxlen=max(rate.previews_per_minute, 1))
        self._last_line = -math.inf
        self._resumes = -math.inf

    def slot(self, kind: Kind) -> Slot:
        """The right to make one call: ``async with pace.slot("preview"):``."""
        self.numbers += 1
        return Slot(self, kind, self.numbers)

    def pause(self, seconds: float) -> None:
        """The platform has said to leave this chat alone for so long."""
        self._resumes = max(self._resumes, self._pacing.clock() + seconds)
        self.last_used = max(self.last_used, self._resumes)

    async def spare(self) -> bool:
        """One call more, besides that of the slot, if nobody else of all chats would have to wait for it."""
        return await self._pacing.spare()

    def pause_all(self, seconds: float) -> None:
        """The platform has said to leave it alone altogether for so long."""
        self._pacing.pause(seconds)

    def due(self, kind: Kind) -> float:
        """From when on a call of this kind may be made, as far as this chat goes."""
        rate, due = self.rate, self._resumes
        if self._calls:
            due = max(due, self._calls[-1] + (rate.interval + SLACK if rate.interval else 0.0))
        if rate.calls_per_minute and len(self._calls) == rate.calls_per_minute:
            due = max(due, self._calls[0] + MINUTE)
        if _RANK[kind] and self._previews:
            due = max(due, self._previews[-1] + rate.preview)
            if rate.previews_per_minute and len(self._previews) == rate.previews_per_minute:
                due = max(due, self._previews[0] + MINUTE)
        return max(due, self._last_line + rate.line) if kind == "line" else due

    def join(self, slot: Slot) -> None:
        """Wait for a turn."""
        slot.since = self._pacing.clock()
        self.waiting.append(slot)
        self._pacing.want(self)

    def changed(self) -> None:
        """Somebody waits for something else now."""
        self._pacing.want(self)

    def take(self, slot: Slot) -> None:
        """It is this slot's turn."""
        self.waiting.remove(slot)
        self.busy = True

    async def begin(self, kind: Kind) -> None:
        """The call begins now."""
        if self._throttler is not None:
            await self._throttler.acquire()  # type: ignore[no-untyped-call]  # likewise
        self.last_used = now = self._pacing.clock()
        self._calls.append(now)
        if _RANK[kind]:
            self._previews.append(now)
        if kind == "line":
            self._last_line = now

    def end(self) -> None:
        """The call has ended, however."""
        self.busy = False
        self._pacing.moved()


class Slot:
    """The right to make one call in a chat, to be waited for and given back: an async context manager."""

    def __init__(self, pace: Pace, kind: Kind, number: int) -> None:
        self.kind: Kind = kind
        self.number = number
        self.since = 0.0
        self._pace = pace
        self._granted: asyncio.Future[None] | None = None

    def become(self, kind: Kind) -> None:
        """While it waits: the call is for something else now, and may be more urgent."""
        if kind != self.kind:
            self.kind = kind
            if self in self._pace.waiting:
                self._pace.changed()

    def grant(self) -> None:
        """Pacing's side: go."""
        if self._granted is not None and not self._granted.done():
            self._pace.take(self)
            self._granted.set_result(None)

    async def __aenter__(self) -> Slot:
        self._granted = asyncio.get_running_loop().create_future()
        self._pace.join(self)
        try:
            await self._granted
            await self._pace.begin(self.kind)
        except BaseException:
            if self in self._pace.waiting:
                self._pace.waiting.remove(self)
            else:
                self._pace.end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pace.end()
