"""How often the bot may begin a session: more than 1,000 IDENTIFYs in a day would make Discord reset its token.

They are counted over restarts. The first ``FREE`` of any day cost nothing; from then on they come so far apart that a
crash loop, however long, stays at half of what Discord allows.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from bots.discord.catching_up import Marks

DAY = 86_400.0
FREE, MOST = 100, 500
SPACING_SECONDS = DAY / (MOST - FREE)


class Identifies:
    """The IDENTIFYs of the last day, by their times (Unix seconds)."""

    def __init__(self, marks: Marks, key: str, clock: Callable[[], float]) -> None:
        self._marks, self._key, self._clock = marks, key, clock
        self._times: list[float] | None = None

    async def wait(self) -> float:
        """Seconds until one more may be sent."""
        times = await self._recent()
        return max(0.0, times[-1] + SPACING_SECONDS - self._clock()) if len(times) >= FREE else 0.0

    async def count(self) -> None:
        """One is about to be sent: kept before it is."""
        times = await self._recent()
        times.append(self._clock())
        await self._marks.put(self._key, json.dumps([round(time, 1) for time in times]))

    async def _recent(self) -> list[float]:
        if self._times is None:
            self._times = json.loads(await self._marks.get(self._key) or "[]")
        now = self._clock()
        self._times = [min(time, now) for time in self._times if time > now - DAY]
        return self._times
