"""What Conch itself adds to a message, its memory per open conversation, and how long it holds the event loop.

``python -m benchmarks.overhead [--json FILE]``. The scripted engine stands for the model, a Channel without pacing for
the platform; between them is the real program: Chat, Gate, the Store on disk, Reply and show(). Messages arrive by
their own clock (Poisson), whether or not the ones before are done, so a stall is felt by all that come during it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from itertools import count, cycle
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import config
from benchmarks.machine import description, quantile, resident_bytes, table
from benchmarks.stopwatch import LoopLag, Passage, Screen, TimedEngine, commit_times
from bots.talk.show import Pacing, show
from bots.talk.wording import Wording
from core.chat.chat import Chat, Options
from core.engine import Sampling
from core.gate.gate import Gate
from core.limits import Limits
from core.messages import Persona, Question
from core.store.store import Store

DELTAS = 20
SLOTS = 256
"""More than ever run at once at the rates measured: waiting for the model is not what Conch adds."""
OPENED_TOGETHER = 20


@dataclass(frozen=True)
class Plan:
    """How much is measured. ``alone`` messages are sent one after the other in the case of one conversation.

    ``delay``: seconds from one token of the scripted engine to the next, about what a small model takes. ``warm_up``
    messages go first, unmeasured.
    """

    conversations: tuple[int, ...] = (1, 100, 1000)
    rate: float = 100.0
    seconds: float = 20.0
    alone: int = 100
    idle: int = 1000
    commits: int = 300
    delay: float = 0.01
    warm_up: int = 20
    seed: int = 1


@dataclass
class Case:
    """What was measured with so many open conversations."""

    conversations: int
    took: float
    passages: list[Passage]
    lags: list[float]
    commits: list[float]

    def row(self) -> dict[str, object]:
        """The case's figures by name; times in milliseconds."""
        added = [p.before + p.after for p in self.passages]
        return {
            "open": self.conversations,
            "messages": len(self.passages),
            "messages_per_s": len(self.passages) / self.took,
            "accept_ms_p50": _ms([p.accepted - p.due for p in self.passages], 0.5),
            "accept_ms_p99": _ms([p.accepted - p.due for p in self.passages], 0.99),
            "before_ms_p50": _ms([p.before for p in self.passages], 0.5),
            "before_ms_p99": _ms([p.before for p in self.passages], 0.99),
            "after_ms_p50": _ms([p.after for p in self.passages], 0.5),
            "after_ms_p99": _ms([p.after for p in self.passages], 0.99),
            "added_ms_p50": _ms(added, 0.5),
            "added_ms_p99": _ms(added, 0.99),
            "loop_stall_ms_p99": _ms(self.lags, 0.99),
            "loop_stall_ms_max": _ms(self.lags, 1.0),
            "commit_ms_p50": _ms(self.commits, 0.5),
            "commit_ms_p99": _ms(self.commits, 0.99),
        }


class Bench:
    """The program under measurement: one Chat, and the conversations that people have open in it."""

    def __init__(self, chat: Chat, engine: TimedEngine) -> None:
        self._chat, self._engine = chat, engine
        self._pacing = Pacing(0)
        self._say = Wording(Path(config.__file__).with_name("locales")).bind("en")
        self._numbers = count(1)
        self._watchers: list[asyncio.Task[None]] = []

    async def open(self, conversations: int) -> None:
        """Open more, until there are so many: each asks once, is answered, and its person goes on watching."""
        together = asyncio.Semaphore(OPENED_TOGETHER)

        async def one(person: int) -> None:
            async with together:
                await self.message(person, perf_counter())

        people = range(len(self._watchers), conversations)
        async with asyncio.TaskGroup() as group:
            for person in people:
                group.create_task(one(person))
        self._watchers += [asyncio.create_task(self._watch(f"web:{person}")) for person in people]
        await asyncio.sleep(0)

    async def message(self, person: int, due: float) -> Passage:
        """One message from its arrival to the last edit of its answer."""
        number = next(self._numbers)
        text = f"words={DELTAS} {number}"
        passage = self._engine.passages[text] = Passage(due)
        user, key = f"web:{person}", f"web:{person}:1"
        reply = await self._chat.send(Question(key, user, f"web:{number}", text, place="screen"))
        passage.accepted = perf_counter()
        screen = Screen(passage, self._pacing.chat(key, 0.0))
        await show(reply, screen, self._say)
        del self._engine.passages[text]
        if len(screen.text.split()) != DELTAS or not reply.turn.shown:
            raise AssertionError(f"message {number} was not answered in full: {screen.text!r}")
        return passage

    async def one_by_one(self, messages: int) -> list[Passage]:
        """One person asks, reads, and asks again."""
        return [await self.message(0, perf_counter()) for _ in range(messages)]

    async def stream(self, rate: float, seconds: float, random: Random) -> list[Passage]:
        """Everybody asks in turn, ``rate`` messages a second in all, at moments that no answer shifts."""
        people, due, end = cycle(range(len(self._watchers))), perf_counter(), perf_counter() + seconds
        running = []
        while (due := due + random.expovariate(rate)) < end:
            await asyncio.sleep(max(due - perf_counter(), 0.0))
            running.append(asyncio.create_task(self.message(next(people), due)))
        return await asyncio.gather(*running)

    async def close(self) -> None:
        """Everybody leaves."""
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)

    async def _watch(self, user: str) -> None:
        async for _ in self._chat.changes(user):
            pass


@asynccontextmanager
async def bench(folder: Path, plan: Plan) -> AsyncIterator[Bench]:
    """A whole core on a new store, warmed up."""
    with TemporaryDirectory(dir=folder, prefix="conch-bench-") as data:
        async with Store.open(Path(data)) as store:
            engine = TimedEngine(slots=SLOTS, delay=plan.delay)
            await engine.ready()
            gate = Gate(SLOTS, waiting=10_000, waiting_per_person=10_000)
            chat = Chat(
                engine,
                gate,
                store,
                personas={
                    "assistant": Persona("assistant", {"en": "Assistant"}, {"en": "You are a helpful assistant."})
                },
                limits=Limits(messages_per_minute=100_000, tokens_per_day=10**9, characters=8000),
                sampling=Sampling(max_tokens=256),
                options=Options(persona="assistant"),
            )
            running = Bench(chat, engine)
            await running.open(1)
            await running.one_by_one(plan.warm_up)
            yield running
            await running.close()
            await chat.drain(1.0)


async def memory(plan: Plan, folder: Path) -> float:
    """Bytes of physical memory for each open conversation in which nothing happens.

    The growth of the process's resident memory while ``plan.idle`` people open a conversation, ask once, are answered
    and stay: whatever the program, its libraries, SQLite's caches and the allocator keep for them, nothing left out.
    The sockets of a platform are not in it.
    """
    async with bench(folder, plan) as running:
        gc.collect()
        before = resident_bytes()
        await running.open(1 + plan.idle)
        gc.collect()
        return (resident_bytes() - before) / plan.idle


async def case(conversations: int, plan: Plan, folder: Path) -> Case:
    """Messages among so many open conversations: one after the other in a single one, else a stream of them."""
    async with bench(folder, plan) as running:
        await running.open(conversations)
        gc.collect()
        async with LoopLag() as loop:
            began = perf_counter()
            if conversations == 1:
                passages = await running.one_by_one(plan.alone)
            else:
                passages = await running.stream(plan.rate, plan.seconds, Random(plan.seed))
            took = perf_counter() - began
    return Case(conversations, took, passages, loop.lags, commit_times(folder, plan.commits))


async def measure(plan: Plan, folder: Path) -> dict[str, Any]:
    """Run the whole plan on stores under ``folder``. Returns what ``--json`` writes; the figures are the last case."""
    where = description()
    bytes_each = await memory(plan, folder)
    rows = [(await case(conversations, plan, folder)).row() for conversations in plan.conversations]
    names = ("added_ms_p50", "added_ms_p99", "loop_stall_ms_p99", "messages_per_s", "commit_ms_p99")
    return {
        "figures": {name: rows[-1][name] for name in names} | {"bytes_per_idle_conversation": round(bytes_each)},
        **where,
        "plan": asdict(plan) | {"conversations": list(plan.conversations), "deltas": DELTAS, "slots": SLOTS},
        "rows": rows,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code."""
    plan = Plan()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures there")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="where the stores lie: the disk measured")
    parser.add_argument("--seconds", type=float, default=plan.seconds, help="how long messages stream in each case")
    parser.add_argument("--rate", type=float, default=plan.rate, help="messages a second, of all people together")
    chosen = parser.parse_args(arguments)
    report = asyncio.run(measure(replace(plan, seconds=chosen.seconds, rate=chosen.rate), chosen.folder))
    print(printed(report))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def printed(report: dict[str, Any]) -> str:
    """The report for a reader."""
    figures, plan, machine = report["figures"], report["plan"], report["machine"]
    return "\n".join(
        (
            f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_average']}",
            f"{plan['rate']:.0f} messages/s where more than one conversation is open; {DELTAS} deltas; times in ms",
            "",
            table(report["rows"]),
            "",
            *(f"{name:28}{value:12,.2f}" for name, value in figures.items()),
        )
    )


def _ms(seconds: Sequence[float], q: float) -> float:
    return round(quantile(seconds, q) * 1000, 3)


if __name__ == "__main__":
    sys.exit(main())
