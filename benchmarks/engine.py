"""Conch's engine beside what else runs at home, in one run: ``python -m benchmarks.engine [--quick] [--json FILE]``.

Peers in processes of their own take turns at the same prompts in the same number format; ratios are medians of
interleaved pairs. ``--quick`` makes one pair of each, leaves out the measurements of memory, and takes the best setting
of transformers' batching alone. ``--plot FILE`` draws the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import workloads
from benchmarks.machine import description, quantile, table
from benchmarks.peers import SETTINGS
from core.messages import Message, window

LIBRARIES = ("torch", "transformers", "tokenizers")
USERS = 16
TOKENS = 64
PAIRS = 5
LONG_TOKENS = 32
HISTORY_WORDS = 780
"""About 1,000 tokens with the template round them."""
CONTEXT = 2048
GROWTH_REQUESTS = 2000
BEST_SETTING = "small_batches"
AIMS: dict[str, tuple[float, float]] = {
    "throughput_16_vs_lock": (9.5, float("inf")),
    "throughput_16_vs_static": (0.95, float("inf")),
    "ttft_p95_16_vs_lock": (90, float("inf")),
    "long_16_vs_batching": (5.5, float("inf")),
    "long_16_vs_lock": (1.8, float("inf")),
    "turn8_ttft_vs_lock": (12.5, float("inf")),
    "persona_ttft_vs_lock": (4, float("inf")),
    "full_turn_ttft_vs_lock": (4, float("inf")),
    "single_vs_lock": (1, float("inf")),
    "copy_vs_lock": (2, float("inf")),
    "poisson_ttft_p95_vs_lock": (200, float("inf")),
    "greedy_parity": (1.0, 1.0),
    "cancel_steps": (0, 1),
    "memory_vs_plan": (0.8, 1.05),
    "memory_growth": (0, 1.01),
}
"""What each figure has to reach: at least, at most."""


@dataclass
class Result:
    """What a peer did with a workload; times in seconds."""

    wall: float
    answers: list[dict[str, Any]]

    @property
    def rate(self) -> float:
        """Tokens a second over all."""
        return sum(len(answer["ids"]) for answer in self.answers) / self.wall

    def first(self, q: float = 0.5) -> float:
        """A quantile of the times to the first token."""
        return quantile([answer["first"] for answer in self.answers], q)


class Process:
    """A peer in its process."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process

    async def ask(self, do: str, **arguments: Any) -> Any:
        """One command and its result."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended by itself; what it said stands above")
        return json.loads(line)

    async def run(self, asks: Sequence[dict[str, Any]]) -> Result:
        """A workload."""
        result = await self.ask("run", asks=list(asks))
        return Result(result["wall"], result["answers"])


@asynccontextmanager
async def started(name: str, cache: Path, *options: str) -> AsyncIterator[Process]:
    """A peer, loaded."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.peers",
        name,
        "--cache",
        str(cache),
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**26,
    )
    peer = Process(" ".join((name, *options)), process)
    try:
        assert process.stdout is not None
        if not await process.stdout.readline():
            raise RuntimeError(f"{peer.name} did not start; what it said stands above")
        yield peer
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()


@dataclass
class Bench:
    """The peers and what was measured: ``ratios`` hold one value for each pair."""

    conch: Process
    lock: Process
    static: Process
    batching: list[Process]
    servers: list[Process]
    pairs: int
    number: int = 0
    random: Random = field(default_factory=lambda: Random(7))
    ratios: dict[str, list[float]] = field(default_factory=dict)
    runs: list[dict[str, Any]] = field(default_factory=list)

    def note(self, name: str, value: float) -> None:
        """One more value of a ratio."""
        self.ratios.setdefault(name, []).append(value)
        print(f"  {name:<26} {value:8.2f}", flush=True)

    async def asks(self, conversations: Sequence[Any], tokens: int | Sequence[int], at: Any = None) -> list[Any]:
        """Requests of these conversations, with their ids as Conch's prompt has them."""
        lengths = [tokens] * len(conversations) if isinstance(tokens, int) else list(tokens)
        times = at or [0.0] * len(conversations)
        found = []
        for messages, length, when in zip(conversations, lengths, times, strict=True):
            ids = (await self.conch.ask("ids", messages=messages))["value"]
            found.append({"messages": messages, "ids": ids, "max_tokens": length, "at": when})
        return found

    async def measured(self, workload: str, peer: Process, asks: Sequence[Any]) -> Result:
        """One run, written down."""
        result = await peer.run(asks)
        figures = {"tokens_per_s": result.rate, "ttft_p50_s": result.first(), "ttft_p95_s": result.first(0.95)}
        run = {"workload": workload, "peer": peer.name, "pair": self.number, "wall_s": result.wall}
        self.runs.append(run | figures)
        return result

    async def pair(self, workload: str, peers: Sequence[Process], make: Callable[[], Any]) -> list[Result]:
        """The same kind of requests for each peer, in an order of chance; fresh ones for each that remembers."""
        results = {}
        for peer in self.random.sample(list(peers), len(peers)):
            results[peer.name] = await self.measured(workload, peer, await make())
        return [results[peer.name] for peer in peers]


# Workloads


async def burst(bench: Bench, number: int) -> None:
    """16 users at once."""
    start = number * USERS

    async def make() -> Any:
        talks = [[["user", f"{workloads.story(user)[0][1]} (Version {start + user}.)"]] for user in range(USERS)]
        return await bench.asks(talks, TOKENS)

    others = [] if number else [*bench.batching, *bench.servers]  # no ratio is made of them
    conch, lock, static, *_ = await bench.pair("16 users", [bench.conch, bench.lock, bench.static, *others], make)
    bench.note("throughput_16_vs_lock", conch.rate / lock.rate)
    bench.note("throughput_16_vs_static", conch.rate / static.rate)
    bench.note("ttft_p95_16_vs_lock", lock.first(0.95) / conch.first(0.95))


async def long_histories(bench: Bench, number: int) -> None:
    """16 users with histories of about 1,024 tokens, each its own."""

    async def make() -> Any:
        talks = [workloads.history(1000 * number + user, HISTORY_WORDS) for user in range(USERS)]
        return await bench.asks(talks, LONG_TOKENS)

    conch, lock, *batching = await bench.pair("16 long", [bench.conch, bench.lock, *bench.batching], make)
    best = min(range(len(batching)), key=lambda number: batching[number].wall)
    bench.note("long_16_vs_batching", batching[best].wall / conch.wall)
    bench.note("long_16_vs_lock", lock.wall / conch.wall)
    bench.batching = [bench.batching[best]]  # the others have been beaten; they would only take time


async def eighth_turn(bench: Bench, number: int) -> None:
    """The eighth turn of a conversation, at about 1,000 tokens."""
    random = Random(number)
    talk: list[list[Any]] = []
    for _ in range(7):
        talk.append(["user", workloads.filler(random, 60)])
        said = (await bench.conch.ask("say", messages=talk, max_tokens=60))["value"]
        talk.append(["assistant", *said])
    talk.append(["user", "And what happened to the old keeper in the end?"])
    await _first_token(bench, "turn 8", "turn8_ttft_vs_lock", [talk])


async def persona(bench: Bench, number: int) -> None:
    """A second user's first turn on a persona that another has used."""
    system = f"{workloads.PERSONA} (House {number}.)"
    await bench.conch.ask("say", messages=[["system", system], ["user", "Good morning!"]], max_tokens=8)
    await _first_token(
        bench, "persona", "persona_ttft_vs_lock", [[["system", system], ["user", "What can I see in the third room?"]]]
    )


async def full_conversation(bench: Bench, number: int) -> None:
    """20 further turns of a conversation that has filled its window, which Chat's rule cuts now and then."""
    random = Random(100 + number)
    exchanges: list[list[list[Any]]] = []
    lengths: list[int] = []
    ratios = []

    async def length(exchange: Sequence[Any]) -> int:
        return len((await bench.conch.ask("ids", messages=exchange))["value"])

    room = CONTEXT - 2 * TOKENS
    turn = 0
    while turn < 20:
        question = ["user", workloads.filler(random, 70)]
        grown = [
            [Message(m[0], m[1], tuple(m[2]) if len(m) > 2 else None) for m in e] for e in [*exchanges, [question]]
        ]
        seen = window("", grown, [*lengths, await length([question])], room)
        messages = [[m.role, m.content, list(m.ids or ())] for m in seen.messages]
        if sum(lengths) > room:
            (ask,) = await bench.asks([messages], 1)
            lock = await bench.measured("full", bench.lock, [ask])
            conch = await bench.measured("full", bench.conch, [ask])
            ratios.append((lock.first(), conch.first()))
            turn += 1
        said = (await bench.conch.ask("say", messages=messages, max_tokens=TOKENS))["value"]
        exchanges.append([question, ["assistant", *said]])
        lengths.append(await length(exchanges[-1]))
    bench.note(
        "full_turn_ttft_vs_lock",
        statistics.median(lock for lock, _ in ratios) / statistics.median(conch for _, conch in ratios),
    )


async def single(bench: Bench, number: int) -> None:
    """One user: plain answers, and tasks whose answer stands in the question."""

    async def stories() -> Any:
        return await bench.asks([[["user", f"{workloads.story(number)[0][1]} (Alone, {number}.)"]]], 2 * TOKENS)

    conch, lock = await bench.pair("1 user", [bench.conch, bench.lock], stories)
    bench.note("single_vs_lock", conch.rate / lock.rate)
    rates = []
    for task in range(len(workloads.COPIES)):
        asks = await bench.asks([workloads.copying(task)], 2 * TOKENS)
        pair = [await bench.measured("copy", peer, asks) for peer in (bench.conch, bench.lock)]
        rates.append(pair)
    wall = [sum(pair[i].wall for pair in rates) for i in range(2)]
    tokens = [sum(len(pair[i].answers[0]["ids"]) for pair in rates) for i in range(2)]
    bench.note("copy_vs_lock", tokens[0] / wall[0] / (tokens[1] / wall[1]))


async def poisson(bench: Bench, number: int) -> None:
    """24 requests that come when they come."""
    arrivals = workloads.poisson(24, 3.0, (12, 24, 48, 96, 128), seed=number)

    async def make() -> Any:
        talks = [[["user", f"{workloads.story(user)[0][1]} (Come {number}, {user}.)"]] for user in range(24)]
        return await bench.asks(talks, [length for _, length in arrivals], [when for when, _ in arrivals])

    conch, lock = await bench.pair("poisson", [bench.conch, bench.lock], make)
    bench.note("poisson_ttft_p95_vs_lock", lock.first(0.95) / conch.first(0.95))


async def _first_token(bench: Bench, workload: str, ratio: str, talks: Sequence[Any]) -> None:
    asks = await bench.asks(talks, 1)
    lock = await bench.measured(workload, bench.lock, asks)
    conch = await bench.measured(workload, bench.conch, asks)
    bench.note(ratio, lock.first() / conch.first())


async def parity(bench: Bench, cache: Path) -> None:
    """Greedy tokens in float32 beside ``generate()``, whoever else is answered at the same time."""
    async with (
        started("conch", cache, "--dtype", "float32") as conch,
        started("lock", cache, "--dtype", "float32") as lock,
    ):
        talks = [workloads.story(user) for user in range(USERS)]
        random = Random(3)
        asks = await bench.asks(talks, 2 * TOKENS, [random.uniform(0, 2) for _ in talks])
        expected = (await lock.run([ask | {"at": 0.0} for ask in asks])).answers
        found = (await conch.run(asks)).answers
    pairs = [(a["ids"], b["ids"]) for a, b in zip(expected, found, strict=True)]
    same = sum(sum(x == y for x, y in zip(a, b, strict=False)) for a, b in pairs)
    bench.note("greedy_parity", same / sum(max(len(a), len(b)) for a, b in pairs))


WORKLOADS = (burst, long_histories, eighth_turn, persona, full_conversation, single, poisson)


async def warm_up(bench: Bench) -> None:
    """Every peer has computed prompts, answers and crowds of about the sizes that are measured: libraries make the code
    for a size when they first meet it."""
    crowd = [[["user", f"{workloads.story(user)[0][1]} (Before, {user}.)"]] for user in range(USERS)]
    for peer in (bench.conch, bench.lock, bench.static, *bench.batching, *bench.servers):
        await peer.run(await bench.asks([workloads.story(40), workloads.history(40, 200)], 16))
        if peer is not bench.lock:  # which has no crowds
            await peer.run(await bench.asks(crowd, range(2, 2 + USERS)))
            await peer.run(await bench.asks([workloads.history(50 + user, HISTORY_WORDS) for user in range(2)], 4))
    asks = await bench.asks([[["user", "Write a long story about a warm kitchen."]]], 2 * TOKENS)
    rates = [((await bench.lock.ask("plain", asks=asks))["value"], (await bench.lock.run(asks)).rate) for _ in range(4)]
    plain, locked = (max(found) for found in zip(*rates, strict=True))  # what disturbs only slows
    bench.runs.append({"workload": "lock, one user", "plain_generate": plain, "with_lock": locked})
    print(f"one user under the lock: {locked:.1f} tokens/s, {locked / plain:.3f} of plain generate()", flush=True)


async def measure(options: argparse.Namespace, cache: Path) -> Bench:
    """Everything, in order."""
    settings = [BEST_SETTING] if options.quick else list(SETTINGS)
    async with AsyncExitStack() as stack:
        peers = [
            await stack.enter_async_context(started(name, cache, *more))
            for name, more in (("conch", ()), ("lock", ()), ("static", ()))
        ]
        batching = [
            await stack.enter_async_context(started("batching", cache, "--setting", setting)) for setting in settings
        ]
        servers = [await stack.enter_async_context(started("server", cache, "--url", url)) for url in options.server]
        bench = Bench(*peers, batching, servers, 1 if options.quick else PAIRS)
        await warm_up(bench)
        for number in range(bench.pairs):
            print(f"pair {number + 1} of {bench.pairs}", flush=True)
            bench.number = number
            for workload in WORKLOADS:
                if not options.only or workload.__name__ in options.only:
                    await workload(bench, number)
        if not options.only or "parity" in options.only:
            await parity(bench, cache)
        if not options.only or "cancel" in options.only:
            bench.note("cancel_steps", (await bench.conch.ask("cancel_steps"))["value"])
    if not options.quick and (not options.only or "memory" in options.only):
        await memory(bench, cache)
    return bench


async def memory(bench: Bench, cache: Path) -> None:
    """How well the plan knows what will be used, and whether anything leaks."""
    async with started("conch", cache) as conch:
        found = (await conch.ask("memory", requests=GROWTH_REQUESTS))["value"]
    bench.runs.append({"workload": "memory", "peer": "conch", **found})
    bench.note("memory_vs_plan", found["vs_plan"])
    bench.note("memory_growth", found["growth"])


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; 0 once everything is measured, whether or not the aims were reached: the table says that."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one pair, no memory, under 12 minutes on 2 cores")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    parser.add_argument("--server", action="append", default=[], metavar="URL", help="llama.cpp's server, vLLM's, …")
    parser.add_argument("--only", action="append", default=[], metavar="WORKLOAD")
    options = parser.parse_args(arguments)
    if options.plot and importlib.util.find_spec("matplotlib") is None:
        parser.error("--plot needs matplotlib: pip install matplotlib")
    began = time.monotonic()
    with TemporaryDirectory(prefix="conch-bench-") as folder:
        bench = asyncio.run(measure(options, Path(folder)))
    rows = [
        {
            "name": name,
            "median": statistics.median(v),
            "min": min(v),
            "max": max(v),
            "aim": _aim(name),
            "ok": _ok(name, v),
        }
        for name, v in bench.ratios.items()
    ]
    print(table(rows))
    print(f"{time.monotonic() - began:.0f} s")
    if options.json:
        ratios = {name: statistics.median(values) for name, values in bench.ratios.items()}
        spread = {name: [min(values), max(values)] for name, values in bench.ratios.items()}
        written = {"ratios": ratios, "spread": spread, "runs": bench.runs, **description(LIBRARIES)}
        options.json.write_text(json.dumps(written, indent=1) + "\n")
    if options.plot:
        plot(bench.ratios, options.plot)
    return 0


def plot(ratios: Mapping[str, Sequence[float]], file: Path) -> None:
    """Each ratio as a bar over what it has to reach, with its least and greatest."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = [name for name in ratios if AIMS[name][1] == float("inf")][::-1]
    middles = [statistics.median(ratios[name]) / AIMS[name][0] for name in names]
    lows = [middle - min(ratios[name]) / AIMS[name][0] for middle, name in zip(middles, names, strict=True)]
    highs = [max(ratios[name]) / AIMS[name][0] - middle for middle, name in zip(middles, names, strict=True)]
    figure, axes = pyplot.subplots(figsize=(9, 0.5 * len(names) + 1.2))
    axes.barh(names, middles, xerr=[lows, highs], color="#2a7f86", ecolor="#555555", capsize=3)
    axes.axvline(1.0, color="#c0392b", linewidth=1)
    for place, name in enumerate(names):
        axes.text(0.02, place, f"{statistics.median(ratios[name]):.2f}×", va="center", color="white", fontsize=9)
    axes.set_xlabel("measured / aim")
    figure.tight_layout()
    figure.savefig(file, dpi=140)


def _aim(name: str) -> str:
    least, most = AIMS[name]
    return f">= {least:g}" if most == float("inf") else f"{least:g} to {most:g}"


def _ok(name: str, values: Sequence[float]) -> str:
    least, most = AIMS[name]
    return "yes" if least <= statistics.median(values) <= most else "no"


if __name__ == "__main__":
    sys.exit(main())
