"""A model's files are found in a folder, on the hub, or in what came with Conch; else a sentence says what to do."""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.errors import EngineError
from core.local import smollm2
from core.local.options import SMOLLM2_MODEL, LocalOptions
from core.local.weights import locate
from tests.support import tokenizers
from tests.support.model_hub import COMMIT, Hub, serve
from tests.support.tiny_models import tiny

pytestmark = pytest.mark.torch

ROOT = Path(__file__).resolve().parents[3]
FILES = {"config.json": b"{}", "model.safetensors": b"x" * 100_000, "code.py": b"", "pytorch_model.bin": b"pickle"}
PROGRAM = """
import json, sys
from pathlib import Path
from core.errors import EngineError
from core.local.options import LocalOptions
from core.local.weights import locate
told = []
options = LocalOptions(Path(sys.argv[1]), model=sys.argv[2], revision=sys.argv[3])
try:
    found = str(locate(options, cuda=sys.argv[4] == "cuda", progress=lambda *news: told.append(news)))
except EngineError as error:
    found = "error: " + str(error)
print(json.dumps([found, told]))
"""


def find(folder: Path, address: str, model: str = "some/model", revision: str = "", device: str = "cpu") -> list[Any]:
    """What a fresh process finds, and the progress it told. The address of the hub is read when it starts."""
    environment = os.environ | {
        "HF_ENDPOINT": address,
        "HF_HOME": str(folder / "home"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder / "models"), model, revision, device],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    answer: list[Any] = json.loads(done.stdout)
    return answer


def test_a_model_is_downloaded_once_without_code_and_stays_at_its_commit(tmp_path: Path) -> None:
    with serve(Hub(FILES)) as hub:
        found, told = find(tmp_path, hub.address)
        assert sorted(file.name for file in Path(found).iterdir()) == ["config.json", "model.safetensors"]
        assert told[0] == ["download 0.1 MB", None]
        assert told[-1] == ["download 0.1 MB", 1.0]
        hub.commit = "d" * 40
        hub.asked.clear()
        assert find(tmp_path, hub.address) == [found, []]
        assert [path for path in hub.asked if "model" in path] == []
    assert json.loads((tmp_path / "models" / "revisions.json").read_text()) == {"some/model": COMMIT}
    assert find(tmp_path, hub.address) == [found, []], "and without the hub"


@pytest.mark.parametrize(
    ("model", "revision", "said"),
    [
        ("nobody/nothing", "", "There is no model nobody/nothing on the hub"),
        ("some/model", "no-such-tag", "some/model has no revision 'no-such-tag'"),
        ("what is this?", "", "neither a folder nor a model's name"),
    ],
)
def test_a_wrong_name_is_said_with_the_setting_to_correct(tmp_path: Path, model: str, revision: str, said: str) -> None:
    with serve(Hub(FILES)) as hub:
        found, _ = find(tmp_path, hub.address, model, revision)
    assert said in found
    assert "correct engine." in found


def test_a_model_with_pickled_weights_only_is_refused(tmp_path: Path) -> None:
    with serve(Hub({name: body for name, body in FILES.items() if "safetensors" not in name})) as hub:
        found, _ = find(tmp_path, hub.address)
    assert "safetensors" in found


def test_a_model_too_large_for_the_disk_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with serve(Hub(FILES, told={"model.safetensors": 10**18, "code.py": 10**19})) as hub:
        found, told = find(tmp_path, hub.address)
        assert re.match(
            r"error: some/model takes 1000000000\.0 GB in .*, where [\d.]+ [GM]B are free: make room", found
        )
        assert told == []
        assert [path for path in hub.asked if "/resolve/" in path] == []
    assert not (tmp_path / "models").exists()


def test_what_an_earlier_download_left_needs_no_room_again(tmp_path: Path) -> None:
    blobs = tmp_path / "models" / "hub" / "models--some--model" / "blobs"
    blobs.mkdir(parents=True)
    with (blobs / "begun.incomplete").open("wb") as begun:
        begun.truncate(2**42)
    with serve(Hub(FILES, told={"model.safetensors": 2**42})) as hub:
        _, told = find(tmp_path, hub.address)
    assert told[0] == ["download 4398.0 GB", None]


@pytest.mark.parametrize("name", ["~nosuchuser/model", "~nosuchuser"])
def test_a_home_of_nobody_is_said(tmp_path: Path, name: str) -> None:
    found, _ = find(tmp_path, "http://127.0.0.1:9", name)
    assert found.startswith(f"error: {name!r} is neither a folder nor a model's name") or "engine.model" in found


def test_without_a_hub_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    found, _ = find(tmp_path, "http://127.0.0.1:9")
    assert found.startswith("error: some/model is not on this machine and the model hub cannot be reached")
    assert "engine.model" in found


def test_a_gpu_without_a_hub_has_the_small_model(tmp_path: Path) -> None:
    """On a GPU "auto" is OpenChat. The converted copy is put where the process looks, to save the time."""
    (tmp_path / "models").mkdir()
    copy = smollm2.converted(tokenizers.models(), lambda done: None)
    (tmp_path / "models" / copy.name).symlink_to(copy)
    found, _ = find(tmp_path, "http://127.0.0.1:9", "auto", device="cuda")
    assert Path(found).name == copy.name


def test_a_folder_is_taken_if_it_holds_a_model(tmp_path: Path) -> None:
    options = LocalOptions(tmp_path / "models", model=str(tmp_path))
    with pytest.raises(EngineError, match=r"no config\.json"):
        locate(options, cuda=False, progress=lambda *news: None)
    (tmp_path / "config.json").touch()
    with pytest.raises(EngineError, match="safetensors"):
        locate(options, cuda=False, progress=lambda *news: None)
    (tmp_path / "model.safetensors").touch()
    assert locate(options, cuda=False, progress=lambda *news: None) == tmp_path


def test_the_small_model_is_converted_once() -> None:
    folder = tokenizers.models()
    copy = smollm2.converted(folder, lambda done: None)
    assert json.loads((copy / "generation_config.json").read_text())["temperature"] == 0.2, "as its makers have it"
    before = {file.name: file.stat().st_mtime_ns for file in copy.iterdir()}
    told: list[object] = []
    options = LocalOptions(folder, model=SMOLLM2_MODEL)
    assert locate(options, cuda=False, progress=lambda *news: told.append(news)) == copy
    assert told == []
    assert {file.name: file.stat().st_mtime_ns for file in copy.iterdir()} == before


def test_a_conversion_given_up_leaves_nothing_behind(tmp_path: Path) -> None:
    class GivenUp(Exception):
        pass

    def give_up(done: float) -> None:
        if done > 0.01:
            raise GivenUp

    with pytest.raises(GivenUp):
        smollm2.converted(tmp_path, give_up)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_files_is_said(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(EngineError, match=r"cannot be unpacked into .*data_dir"):
        smollm2.converted(tmp_path / "models", lambda done: None)


def test_a_disk_that_fills_while_the_weights_are_written_is_said_and_nothing_is_left(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000_000, hard))  # the 269 MB of weights do not fit
    try:
        with pytest.raises(EngineError, match=r"cannot be unpacked into .*File too large.*Make room"):
            smollm2.converted(tmp_path, lambda done: None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_model_that_lost_half_a_file_is_said(tmp_path: Path, name: str) -> None:
    from core.local.loading import load

    folder = shutil.copytree(tiny(), tmp_path / "model")
    with (folder / name).open("r+b") as file:
        file.truncate((folder / name).stat().st_size // 2)
    with pytest.raises(EngineError, match=r"cannot be loaded .*delete the folder"):
        load(LocalOptions(tmp_path, model=str(folder)), lambda stage, done: None)
