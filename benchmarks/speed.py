"""The page of what was measured: ``python -m benchmarks.speed`` writes docs/speed.md from benchmarks/results."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.engine import AIMS

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "speed.md"

WORDS = {
    "throughput_16_vs_lock": "16 people at once: tokens a second, against one `generate()` at a time under a lock",
    "throughput_16_vs_static": "the same against one batch that has to have all 16 before it begins",
    "ttft_p95_16_vs_lock": "16 people at once: how much sooner 95 of 100 see the first word, against the lock",
    "long_16_vs_batching": "16 conversations of 1,024 tokens: time for all, transformers' continuous batching / Conch",
    "long_16_vs_lock": "the same, the lock / Conch (16 prompts that have nothing in common must all be computed)",
    "turn8_ttft_vs_lock": "the eighth turn of a conversation, at 1,000 tokens: how much sooner the first word comes",
    "persona_ttft_vs_lock": "a persona of 400 tokens that another has used: how much sooner the first word comes",
    "full_turn_ttft_vs_lock": "20 turns of a conversation that has filled its window: the same, median",
    "single_vs_lock": "one person alone: tokens a second",
    "copy_vs_lock": "one person, an answer that stands in the question: tokens a second",
    "poisson_ttft_p95_vs_lock": "24 questions at three a second: how much sooner 95 of 100 see the first word",
    "greedy_parity": "tokens that are those of `generate()`, in float32, in any company",
    "cancel_steps": "steps until the row of one who cancels is free",
    "memory_vs_plan": "peak memory over what the plan said",
    "memory_growth": "memory after 2,000 further requests over memory before them",
}

TEXT = """\
# How fast it is

Written by `python -m benchmarks.speed` from the files in [`benchmarks/results`](../benchmarks/results), which the
commands below wrote. These are ratios from one run with the peers side by side, since times of one machine say little
about another. Nothing here was measured on a GPU unless it says so: for a card, `python -m benchmarks.gpu` and
`conch bench` tell.

## The engine

{engine_machine}
SmolLM2-135M in bfloat16; {pairs} pairs, each peer in a process of its own, by
`python -m benchmarks.engine --json benchmarks/results/engine.json`.

| what | median | least to most | aim | |
|---|---:|---:|---:|---|
{engine_rows}

{batching}

## What Conch itself adds to a message

{overhead_machine}
A scripted engine in the model's place, the real store on the disk, no pacing; answers of {deltas} pieces;
by `python -m benchmarks.overhead --json benchmarks/results/overhead.json`.

| open conversations | messages a second | added, median | added, 99 of 100 | longest stall, 99 of 100 |
|---:|---:|---:|---:|---:|
{overhead_rows}

A commit of the disk alone takes {commit} ms (99 of 100). An idle conversation that is open takes {idle} kB.
"""


def page(engine: Mapping[str, Any], overhead: Mapping[str, Any]) -> str:
    """The page for these two results."""
    pairs = max(run.get("pair", 0) for run in engine["runs"]) + 1
    return TEXT.format(
        engine_machine=_machine(engine),
        pairs=pairs,
        engine_rows="\n".join(_row(name, value, engine["spread"][name]) for name, value in engine["ratios"].items()),
        batching=_batching(engine),
        overhead_machine=_machine(overhead),
        deltas=overhead["plan"]["deltas"],
        overhead_rows="\n".join(_case(row) for row in overhead["rows"]),
        commit=f"{overhead['figures']['commit_ms_p99']:.1f}",
        idle=f"{overhead['figures']['bytes_per_idle_conversation'] / 1000:.1f}",
    )


def summary(engine: Mapping[str, Any]) -> str:
    """What the README says of it."""
    ratios = {name: _short(value) for name, value in engine["ratios"].items()}
    return (
        f"On {engine['machine']['cores']} processor cores with the small model, 16 people at once get "
        f"**{ratios['throughput_16_vs_lock']} times** as many words a second as with one `generate()` at a time under "
        f"a lock, and 95 of 100 see their first word **{ratios['ttft_p95_16_vs_lock']} times** sooner; the eighth turn "
        f"of a conversation begins {ratios['turn8_ttft_vs_lock']} times sooner, since only what is new is computed."
    )


def results() -> list[Mapping[str, Any]]:
    """What was measured last: the engine, and what Conch adds."""
    return [json.loads((RESULTS / f"{name}.json").read_text("utf-8")) for name in ("engine", "overhead")]


def _machine(result: Mapping[str, Any]) -> str:
    machine, versions = result["machine"], result["versions"]
    said = ", ".join(f"{name} {versions[name]}" for name in ("python", "torch", "transformers") if name in versions)
    memory = machine["memory_bytes"] / 1e9
    return f"{result['date'][:10]}, {machine['cpu']}, {machine['cores']} cores, {memory:.0f} GB, no GPU, {said}."


def _row(name: str, value: float, spread: tuple[float, float]) -> str:
    least, most = AIMS[name]
    aim = f"≥ {least:g}" if most == float("inf") else f"{least:g} to {most:g}" if least else f"≤ {most:g}"
    low, high = spread
    reached = "" if least <= value <= most else "not reached"
    return f"| {WORDS[name]} | **{_short(value)}** | {_short(low)} to {_short(high)} | {aim} | {reached} |"


def _batching(engine: Mapping[str, Any]) -> str:
    """transformers' batching in each of its settings, beside Conch, for the long conversations."""
    walls: dict[str, list[float]] = {}
    for run in engine["runs"]:
        if run["workload"] == "16 long":
            walls.setdefault(run["peer"], []).append(run["wall_s"])
    own = _median(walls.pop("conch"))
    others = {peer.removeprefix("batching --setting "): _median(took) / own for peer, took in walls.items()}
    others.pop("lock", None)
    said = ", ".join(f"`{peer}` {ratio:.1f}" for peer, ratio in sorted(others.items(), key=lambda pair: pair[1]))
    (alone,) = (run for run in engine["runs"] if run["workload"] == "lock, one user")
    return (
        f"One person under the lock gets {alone['with_lock'] / alone['plain_generate']:.2f} of what plain `generate()` "
        "gives.\nOf transformers' batching the best of its settings counts (benchmarks/peers.py names them).\n"
        f"The 16 long conversations take so many times as long with it as with Conch: {said}."
    )


def _case(row: Mapping[str, Any]) -> str:
    cells = (
        f"{row['open']:,}",
        f"{row['messages_per_s']:.0f}",
        f"{row['added_ms_p50']:.0f} ms",
        f"{row['added_ms_p99']:.0f} ms",
        f"{row['loop_stall_ms_p99']:.0f} ms",
    )
    return f"| {' | '.join(cells)} |"


def _short(value: float) -> str:
    digits = 0 if value >= 20 else 1 if value >= 3 else 2 if value >= 1.1 else 3
    return f"{value:.{digits}f}"


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def main() -> int:
    """Writes the page."""
    PAGE.write_text(page(*results()), encoding="utf-8")
    print(f"wrote {PAGE.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
