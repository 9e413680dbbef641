"""The benchmarks of the engine at their smallest: what they write, not how fast anything is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import workloads

pytestmark = pytest.mark.torch


def test_the_script_for_a_gpu_runs_at_a_tiny_size_without_one(tmp_path: Path) -> None:
    import torch

    from benchmarks import gpu

    if torch.cuda.is_available():
        pytest.skip("there is a GPU: the script would measure it for minutes")
    file = tmp_path / "gpu.json"
    sections = ("users", "offload", "coming_and_going")
    arguments = [word for section in sections for word in ("--only", section)]
    assert gpu.main([*arguments, "--seconds", "0.5", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert found["tiny"]
    assert {"date", "machine", "versions", "torch", "card"} <= set(found)
    assert {row["section"] for row in found["rows"]} == {"users", "offload", "flat"}
    assert all(row["value"] > 0 for row in found["rows"])


def test_every_workload_is_the_same_each_time_and_no_two_users_are_alike() -> None:
    assert workloads.poisson(24, 3.0, (12, 24), seed=1) == workloads.poisson(24, 3.0, (12, 24), seed=1)
    assert workloads.history(1, 780) == workloads.history(1, 780) != workloads.history(2, 780)
    assert len({workloads.story(user)[0][1] for user in range(16)}) == 16
    assert 650 < sum(len(text.split()) for _, text in workloads.history(3, 780)) < 900


def test_the_page_on_cards_is_what_the_plan_says_today() -> None:
    from benchmarks import cards

    assert cards.PAGE.read_text("utf-8") == cards.page(), "write it anew: python -m benchmarks.cards"


def test_the_page_on_speed_and_the_readme_say_what_was_measured() -> None:
    from benchmarks import speed

    engine, overhead = speed.results()
    assert speed.PAGE.read_text("utf-8") == speed.page(engine, overhead), "write it anew: python -m benchmarks.speed"
    readme = (speed.ROOT / "README.md").read_text("utf-8")
    assert speed.summary(engine) in " ".join(readme.split())
