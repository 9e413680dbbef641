"""What measures: an engine and a screen that note when each answer passes them, and two clocks for loop and disk."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from bots.talk.show import Button, Pace, Part
from core.engine import Sampling, ScriptedEngine
from core.events import Delta, Finished, Started
from core.messages import Message


@dataclass(slots=True)
class Passage:
    """When one message passed each point, in seconds of ``perf_counter``; 0 = it has not come there.

    ``due`` is when it was to arrive, whether or not the loop was free to take it: what it waits for the loop counts.
    """

    due: float
    accepted: float = 0.0
    asked_engine: float = 0.0
    first_token: float = 0.0
    last_token: float = 0.0
    first_drawn: float = 0.0
    last_drawn: float = 0.0

    @property
    def before(self) -> float:
        """Arrival until the first word is drawn, less the engine's own time to it."""
        return self.first_drawn - self.due - (self.first_token - self.asked_engine)

    @property
    def after(self) -> float:
        """The engine's last token until the edit that carries it."""
        return self.last_drawn - self.last_token


class TimedEngine(ScriptedEngine):
    """The scripted engine, which notes when it was asked and when its tokens came. Questions must be unique."""

    def __init__(self, *, slots: int, delay: float) -> None:
        super().__init__(slots=slots, delay=delay)
        self.passages: dict[str, Passage] = {}

    async def generate(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[Started | Delta | Finished, None]:
        passage = self.passages[messages[-1].content]
        passage.asked_engine = perf_counter()
        async with aclosing(super().generate(messages, sampling)) as stream:
            async for event in stream:
                if isinstance(event, Delta):
                    passage.last_token = perf_counter()
                    passage.first_token = passage.first_token or passage.last_token
                yield event


class Screen:
    """A Channel that takes every call at once and notes when the answer's words came."""

    def __init__(self, passage: Passage, pace: Pace) -> None:
        self.pace = pace
        self.text = ""
        self._passage = passage
        self._numbers = itertools.count(1)

    def split(self, text: str) -> list[Part]:
        return [Part(text)]

    async def send(self, part: Part, buttons: Sequence[Button]) -> str:
        self._draw(part)
        return str(next(self._numbers))

    async def edit(self, ref: str, part: Part, buttons: Sequence[Button]) -> None:
        self._draw(part)

    async def delete(self, ref: str) -> None:
        raise AssertionError("an answer of one part has nothing to delete")

    async def send_file(self, name: str, data: bytes, caption: str) -> str:
        raise AssertionError("an answer of one part is no file")

    async def typing(self) -> None:
        pass

    def _draw(self, part: Part) -> None:
        if self._passage.first_token:
            self._passage.last_drawn = perf_counter()
            self._passage.first_drawn = self._passage.first_drawn or self._passage.last_drawn
        self.text = part.text


class LoopLag:
    """How late the event loop does what is due: one sample for each ``period``, also for those it slept through."""

    def __init__(self, period: float = 0.005) -> None:
        self.lags: list[float] = []
        self._period = period

    async def __aenter__(self) -> LoopLag:
        self._task = asyncio.create_task(self._tick())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})

    async def _tick(self) -> None:
        due = perf_counter() + self._period
        while True:
            await asyncio.sleep(max(due - perf_counter(), 0.0))
            now = perf_counter()
            while due <= now:
                self.lags.append(now - due)
                due += self._period


def commit_times(folder: Path, commits: int) -> list[float]:
    """Seconds that each of ``commits`` plain durable commits of one row takes on the disk under ``folder``."""
    file = folder / "commits.db"
    times = []
    database = sqlite3.connect(file, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS row (id INTEGER PRIMARY KEY, text TEXT)")
    for _ in range(commits):
        began = perf_counter()
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO row (text) VALUES (?)", ("x" * 200,))
        database.execute("COMMIT")
        times.append(perf_counter() - began)
    database.close()
    for leftover in folder.glob("commits.db*"):
        leftover.unlink()
    return times
