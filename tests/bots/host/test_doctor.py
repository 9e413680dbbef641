"""The doctor: every check by itself, its sentences in every language, and what it makes of a whole machine."""

from __future__ import annotations

import io
import os
import re
import socket
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bots.host import doctor, machine
from bots.host.doctor import Finding, report
from bots.host.machine import Gpu
from bots.host.plan import Wish, examined
from bots.talk.wording import Wording
from config.settings import load
from core.local.options import OPENCHAT_MODEL, SMOLLM2_MODEL
from core.local.plan import OPENCHAT, Free, decoder, plan
from core.store.store import Store
from tests.support.store_samples import ask

ROOT = Path(__file__).parents[3]
LOCALES = ROOT / "config" / "locales"
CARD = Gpu("RTX 3060", total=12.9, free=12.0, driver="580.1")


@pytest.fixture(scope="module")
def wording() -> Wording:
    return Wording(LOCALES)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def marks(findings: Iterator[Finding] | Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.mark, finding.key) for finding in findings]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_finding_is_a_line_with_a_mark_and_its_remedy_below(wording: Wording) -> None:
    lines: list[str] = []
    findings = [
        Finding("good", "doctor-python", {"version": "3.12.1"}),
        Finding("bad", "doctor-packages-missing", {"names": "nh3"}, "doctor-packages-remedy"),
        Finding("warning", "doctor-folder-open", {"folder": "/data"}),
    ]
    assert report(findings, wording.bind("en"), lines.append) == 1
    assert lines == [
        "✔ Python 3.12.1",
        "✘ Packages missing: nh3",
        "  → Run: make run (in a container: build the image again)",
        "! Data folder: /data can be read by other users of this machine.",
        "  → Run: chmod 700 /data",
        "1 thing keeps Conch from running as set up.",
    ]


def test_a_terminal_without_the_marks_gets_plain_ones(wording: Wording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "euc-kr"))
    lines: list[str] = []
    report([Finding("good", "doctor-port-off"), Finding("bad", "doctor-gpu-wanted")], wording.bind("ko"), lines.append)
    assert [line[:4].rstrip() for line in lines[1:3]] == ["x en", "  ->"]
    assert lines[0].startswith("+ ")


def test_warnings_alone_are_no_failure(wording: Wording) -> None:
    lines: list[str] = []
    assert report([Finding("warning", "doctor-gpu-none")], wording.bind("ko"), lines.append) == 0
    assert lines[-1] == "Conch를 실행하는 데 걸림돌이 없습니다."


@pytest.mark.parametrize("language", ["en", "ko", "zh"])
def test_every_finding_that_is_not_good_has_a_remedy_in_every_language(wording: Wording, language: str) -> None:
    source = Path(doctor.__file__).read_text("utf-8") + (ROOT / "bots" / "__main__.py").read_text("utf-8")
    keys = set(re.findall(r'"(doctor-[a-z-]+)"', source))
    assert len(keys) > 30
    texts = "".join(file.read_text("utf-8") for file in (LOCALES / "en").glob("*.ftl"))
    values = dict.fromkeys(re.findall(r"\$(\w+)", texts), "x") | {"count": 2}
    for key in keys:
        assert wording(language, key, **values)
    for key in re.findall(r'Finding\(\s*"(?:bad|warning)", "(doctor-[a-z-]+)", \{[^}]*\}\)', source):
        assert wording(language, f"{key}-remedy", **values)


def test_this_python_and_its_sqlite_are_good() -> None:
    assert marks(doctor.installation()) == [("good", "doctor-python"), ("good", "doctor-sqlite")]


def test_packages_are_compared_with_what_conch_asks_for() -> None:
    wanted = [Requirement("starlette>=1"), Requirement("nh3>=0.2.18")]
    good = doctor.packages(wanted, {"starlette": "1.10.0", "nh3": "0.3.8"}.get)
    assert (good.mark, good.values) == ("good", {"count": 2, "some": "starlette 1.10.0"})
    missing = doctor.packages(wanted, {"starlette": "1.10.0"}.get)
    assert (missing.key, missing.values) == ("doctor-packages-missing", {"names": "nh3"})
    wrong = doctor.packages(wanted, {"starlette": "0.1", "nh3": "0.3.8"}.get)
    assert (wrong.key, wrong.values) == ("doctor-packages-wrong", {"names": "starlette 0.1 (>=1)"})


def test_tokens_are_told_of_but_never_shown() -> None:
    token = "1234567:" + "a" * 35
    findings = list(doctor.tokens(load(environ={"TELEGRAM_BOT_TOKEN": token}), {"DISCORD_API_TOKEN": "x"}))
    assert marks(findings) == [("good", "doctor-token"), ("warning", "doctor-token-named")]
    assert findings[0].values["origin"] == "TELEGRAM_BOT_TOKEN"
    assert findings[1].values["right"] == "DISCORD_BOT_TOKEN"
    assert token not in repr(findings)
    assert marks(doctor.tokens(load(environ={}), {})) == [("good", "doctor-token-off")] * 2


def test_a_running_conch_tells_how_its_fronts_are() -> None:
    states = {"web": "up", "telegram": "unreachable", "discord": "ended: token revoked"}
    findings = list(doctor.fronts(states))
    assert marks(findings) == [
        ("good", "doctor-front-up"),
        ("warning", "doctor-front-unreachable"),
        ("bad", "doctor-front-ended"),
    ]
    assert findings[2].values == {"name": "Discord", "why": "token revoked"}


def test_a_data_folder_that_is_not_there_yet_is_good_where_it_can_be_made(tmp_path: Path) -> None:
    assert marks(doctor.folder(tmp_path / "a" / "b", None)) == [("good", "doctor-folder-new")]
    assert not (tmp_path / "a").exists()


def test_a_data_folder_that_others_can_read_is_warned_of(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert marks(doctor.folder(tmp_path, None)) == [("good", "doctor-folder"), ("warning", "doctor-folder-open")]
    tmp_path.chmod(0o700)
    assert marks(doctor.folder(tmp_path, 12)) == [("good", "doctor-folder-running")]
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_cannot_be_written_is_bad(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (finding,) = doctor.folder(tmp_path / "file", None)
    assert (finding.mark, finding.key) == ("bad", "doctor-folder-bad")


def test_files_that_somebody_else_left_in_the_data_folder_are_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("conch.db", "notes.txt"):
        (tmp_path / name).touch()
    monkeypatch.setattr(os, "access", lambda file, mode: Path(file).name not in ("conch.db", "notes.txt"))
    (finding,) = doctor.folder(tmp_path, None)
    assert (finding.mark, finding.key) == ("bad", "doctor-folder-bad")
    assert finding.values["why"] == "Permission denied (conch.db)", "what is none of Conch's files does not count"


async def test_the_database_is_looked_at_without_leaving_a_trace(tmp_path: Path) -> None:
    file = tmp_path / "conch.db"
    assert doctor.database(file) is None
    async with Store.open(tmp_path) as store:
        await ask(store, "1", prompt="x" * 40_000)
    before = contents(tmp_path)
    found = doctor.database(file)
    assert found is not None
    assert (found.mark, found.key) == ("good", "doctor-database")
    assert contents(tmp_path) == before
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'version'")
    connection.close()
    found = doctor.database(file)
    assert found is not None
    assert (found.mark, found.key) == ("bad", "doctor-database-newer")


@pytest.mark.parametrize("damage", ["no database", "half of one", "a hole in it", "not Conch's"])
async def test_a_damaged_database_is_bad(tmp_path: Path, damage: str) -> None:
    file = tmp_path / "conch.db"
    async with Store.open(tmp_path) as store:
        await ask(store, "1", prompt="x" * 40_000)
    whole = file.read_bytes()
    match damage:
        case "no database":
            file.write_bytes(b"nothing of the kind" * 1000)
        case "half of one":
            file.write_bytes(whole[: len(whole) // 2])
        case "a hole in it":
            file.write_bytes(whole[:8192] + bytes(len(whole) - 8192))
        case _:
            file.unlink()
            with closing(sqlite3.connect(file)) as connection:
                connection.execute("CREATE TABLE songs (title)")
    found = doctor.database(file)
    assert found is not None
    assert (found.mark, found.key) == ("bad", "doctor-database-bad")
    assert "\n" not in str(found.values["why"])


def test_a_full_disk_is_bad(tmp_path: Path) -> None:
    assert doctor.disk(tmp_path / "new", 0.0).mark == "good"
    assert doctor.disk(tmp_path, 1e9).key == "doctor-disk-low"


def test_a_port_is_free_taken_or_taken_by_conch_itself() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        assert doctor.port("127.0.0.1", number, None).key == "doctor-port-taken"
        assert doctor.port("127.0.0.1", number, 12).key == "doctor-port-running"
    assert doctor.port("127.0.0.1", number, None).key == "doctor-port"
    assert doctor.port("192.0.2.1", number, None).key == "doctor-port-bad"
    assert doctor.port("no-such-name.invalid", number, None).key == "doctor-port-bad"


def test_a_gpu_is_judged_by_its_room_and_by_whether_torch_can_use_it() -> None:
    assert marks(doctor.gpu(CARD, wanted=False, torch=lambda: ("2.13.0", True))) == [("good", "doctor-gpu")]
    small = Gpu("MX", total=2.1, free=1.9, driver="580.1")
    assert marks(doctor.gpu(small, wanted=True, torch=lambda: ("2.13.0+cpu", False))) == [
        ("warning", "doctor-gpu-full"),
        ("bad", "doctor-gpu-unused"),
    ]
    assert marks(doctor.gpu(None, wanted=False, torch=None)) == [("warning", "doctor-gpu-none")]
    assert marks(doctor.gpu(None, wanted=True, torch=None)) == [("bad", "doctor-gpu-wanted")]


def planned(card: Gpu, quantization: str = "auto") -> dict[str, object]:
    """What the doctor says of OpenChat on a card, in a machine with 30 GB free."""
    told = examined(Wish(quantization, "auto", 0, 0, Path()), OPENCHAT_MODEL, None, card, 30.0)
    assert told is not None
    return told[1]


def test_a_card_is_planned_with_as_the_engine_will_find_it() -> None:
    gigabyte, rest = 10**9, Free(0, 30 * 10**9, 10**12)
    shape = decoder(OPENCHAT, bytes_each=2, quantized=True)
    for free in (5.0, 7.0, 12.0):
        found = plan(shape, replace(rest, gpu=int(free * gigabyte)))
        told = planned(replace(CARD, free=free + 0.5))
        assert (told["place"], told["rows"], told["length"]) == ("gpu", found.rows, found.length)
    small = Gpu("MX", total=1.1, free=1.0, driver="580.1")
    assert (planned(small)["place"], planned(small)["bits"]) == ("cpu", planned(small, "none")["bits"])
    assert (planned(small, "4bit")["place"], planned(small, "4bit")["bits"]) == ("cpu", "nf4")


def test_a_model_is_a_folder_a_name_in_a_cache_or_still_to_be_fetched(tmp_path: Path) -> None:
    ours, hub, folder = tmp_path / "models", tmp_path / "hub", tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    lacking = doctor.model(str(folder), ours, hub, gpu=False)
    assert (lacking.key, lacking.values["missing"]) == ("doctor-model-no-folder", "*.safetensors")
    (folder / "model.safetensors").write_bytes(b"x")
    assert doctor.model(str(folder), ours, hub, gpu=False).key == "doctor-model"
    assert doctor.model("./nowhere", ours, hub, gpu=False).key == "doctor-model-no-folder"
    assert doctor.model("auto", ours, hub, gpu=True).key == "doctor-model-fetched"
    snapshot = hub / f"models--{OPENCHAT_MODEL.replace('/', '--')}" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    assert doctor.model("auto", ours, hub, gpu=True).key == "doctor-model-fetched", "an unfinished download is none"
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).write_bytes(b"{}")
    assert doctor.model("auto", ours, hub, gpu=True).key == "doctor-model"


@pytest.mark.torch  # the package with the weights comes along with torch
def test_the_small_model_comes_with_its_package(tmp_path: Path) -> None:
    found = doctor.model("auto", tmp_path, tmp_path, gpu=False)
    assert (found.key, found.values["name"]) == ("doctor-model", SMOLLM2_MODEL)


def test_memory_is_the_containers_where_there_is_one(tmp_path: Path) -> None:
    proc = tmp_path / "meminfo"
    proc.write_text("MemTotal: 16000000 kB\nMemFree: 1 kB\nMemAvailable: 8000000 kB\n")
    assert machine.ask_memory(proc, tmp_path) == (8_192_000_000 / 1e9, 16_384_000_000 / 1e9)
    (tmp_path / "memory.max").write_text("max\n")
    assert machine.ask_memory(proc, tmp_path) == (8.192, 16.384)
    (tmp_path / "memory.max").write_text("2000000000\n")
    (tmp_path / "memory.current").write_text("1500000000\n")
    assert machine.ask_memory(proc, tmp_path) == (0.5, 2.0)
    assert machine.ask_memory(tmp_path / "none", tmp_path) is None
    assert doctor.memory(0.5, 2.0).mark == "warning"


def test_the_scripted_engine_needs_neither_gpu_nor_model() -> None:
    findings = list(doctor.examine(load(environ={"CONCH_ENGINE__KIND": "scripted", "CONCH_WEB__PORT": "0"}), {}, None))
    keys = [finding.key for finding in findings]
    assert "doctor-model-scripted" in keys
    assert not any(key.startswith("doctor-gpu") for key in keys)
    assert "bad" not in {finding.mark for finding in findings if not finding.key.startswith("doctor-packages")}
