"""The benchmarks of the engine at their smallest: what they write, not how fast anything is."""

from __future__ import annotations

import json
import subprocess
import sys
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
    assert gpu.main(["--seconds", "0.5", "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    assert found["tiny"]
    assert {"date", "machine", "versions", "torch", "card"} <= set(found)
    assert set(found["versions"]) == {"python", "sqlite", *gpu.LIBRARIES}
    sections = {row["section"] for row in found["rows"]}
    assert sections == {"memory", "earlier", "users", "first", "offload", "healing", "flat"}
    assert all(row["value"] > 0 for row in found["rows"])


def test_the_script_for_a_gpu_needs_the_models_libraries_alone() -> None:
    program = (
        "import sys\n"
        "for name in ('sqlalchemy', 'pydantic', 'pydantic_settings', 'starlette', 'asyncio_throttle',\n"
        "             'fluent', 'markdown_it', 'mistral_common', 'discord', 'telegram', 'typer'):\n"
        "    sys.modules[name] = None\n"
        "import benchmarks.gpu, benchmarks.openchat, core.local.loading, core.local.stepping\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)


async def test_what_was_measured_is_written_after_each_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import gpu

    run = gpu.Run(tmp_path, True, 0.0, tmp_path / "gpu.json")
    written: list[list[str]] = []

    async def good(run: gpu.Run) -> None:
        run.note("good", "figure", 1.0)

    async def bad(run: gpu.Run) -> None:
        written.append([row["figure"] for row in json.loads((tmp_path / "gpu.json").read_text())["rows"]])
        raise RuntimeError("CUDA error")

    monkeypatch.setattr(gpu, "SECTIONS", (good, bad))
    await gpu.measure(run, [])
    assert written == [["figure"]]
    rows = json.loads((tmp_path / "gpu.json").read_text())["rows"]
    assert [row["figure"] for row in rows] == ["figure", "FAILED: RuntimeError: CUDA error"]


def test_weights_in_four_bit_weigh_what_their_scales_do_too() -> None:
    from types import SimpleNamespace

    import torch

    from benchmarks.gpu import _bytes

    weight = torch.zeros(64, dtype=torch.uint8)
    assert _bytes(weight) == 64
    inner = SimpleNamespace(absmax=torch.zeros(1), code=torch.zeros(4), state2=None, blocksize=256)
    weight.quant_state = SimpleNamespace(absmax=torch.zeros(2, dtype=torch.uint8), state2=inner, blocksize=64)
    assert _bytes(weight) == 64 + 2 + 4 + 16


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
