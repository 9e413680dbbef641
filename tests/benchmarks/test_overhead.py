"""A small run of the overhead benchmark: what it writes, not how fast anything is."""

from __future__ import annotations

import asyncio
import json
import math
from pathlib import Path
from time import perf_counter

import pytest

from benchmarks.machine import quantile, table
from benchmarks.overhead import Plan, main, measure, printed
from benchmarks.stopwatch import LoopLag, Passage, commit_times

FIGURES = {
    "added_ms_p50",
    "added_ms_p99",
    "loop_stall_ms_p99",
    "bytes_per_idle_conversation",
    "messages_per_s",
    "commit_ms_p99",
}


def test_a_run_gives_every_figure_and_a_row_for_each_number_of_conversations(tmp_path: Path) -> None:
    plan = Plan(conversations=(1, 3), rate=30.0, seconds=0.3, alone=2, idle=4, commits=3, delay=0.0, warm_up=1)
    report = asyncio.run(measure(plan, tmp_path))
    assert set(report["figures"]) == FIGURES
    assert [row["open"] for row in report["rows"]] == [1, 3]
    assert all(row["messages"] > 0 for row in report["rows"])
    assert all(math.isfinite(value) for row in report["rows"] for value in row.values())
    assert {"date", "machine", "versions", "plan"} <= set(report)
    assert json.loads(json.dumps(report)) == report
    assert "added_ms_p99" in printed(report)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_names_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_what_is_added_leaves_out_the_engines_own_time() -> None:
    passage = Passage(due=1.0, asked_engine=1.5, first_token=3.5, first_drawn=3.75, last_token=8.0, last_drawn=8.25)
    assert passage.before == 0.75
    assert passage.after == 0.25


def test_a_quantile_is_one_of_the_values() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [quantile(values, q) for q in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert quantile([7.0], 0.99) == 7.0
    assert math.isnan(quantile([], 0.5))


def test_columns_of_a_table_are_aligned() -> None:
    assert table([{"name": "a", "count": 1}, {"name": "bcd", "count": 1000}]) == "name  count\na         1\nbcd   1,000"


def test_plain_commits_leave_nothing_behind(tmp_path: Path) -> None:
    times = commit_times(tmp_path, 5)
    assert len(times) == 5
    assert min(times) > 0
    assert list(tmp_path.iterdir()) == []


async def test_a_held_loop_counts_for_every_moment_that_it_slept_through() -> None:
    async with LoopLag(period=0.005) as loop:
        await asyncio.sleep(0)
        held = perf_counter() + 0.04
        while perf_counter() < held:
            pass
        await asyncio.sleep(0.02)
    assert len([lag for lag in loop.lags if lag > 0.005]) >= 5
