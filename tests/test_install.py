"""What `make` runs to fill the environment: says the size first, stops before a disk is full, explains pip."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

import install
from install import Problem, Wheel

ROOT = Path(__file__).resolve().parents[1]
CPU = [
    Wheel("torch", "2.13.0+cpu", "file:///wheels/torch.whl", 190_000_000),
    Wheel("starlette", "1.10.0", "https://index.invalid/starlette.whl", 80_000),
]
CUDA = [
    Wheel("torch", "2.13.0", "https://index.invalid/torch.whl", 526_000_000),
    Wheel("nvidia-cudnn-cu13", "9.20", "https://index.invalid/cudnn.whl", 1_500_000_000),
    Wheel("nh3", "0.3.8", "https://index.invalid/nh3.whl", None),
]


def test_the_size_is_said_first_and_files_that_are_here_already_do_not_count() -> None:
    assert install.announcement(CPU) == "Fetching 1 package: 1 MB. They take up to 760 MB on the disk."


def test_the_size_of_the_cuda_build_is_told_apart_and_what_is_unknown_is_said() -> None:
    said = install.announcement(CUDA)
    assert "Fetching 3 packages: 2.0 GB at least (1 of them did not tell their size)" in said
    assert "1.5 GB of it for NVIDIA GPUs" in said
    assert ("no such GPU is here" in said) == (shutil.which("nvidia-smi") is None)
    assert "GPU" not in install.announcement(CPU)
    assert "up to 5.1 GB on the disk" in said


def test_a_disk_without_room_is_named_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")(0, 0, 1_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    install.check_room(CPU, tmp_path / ".venv")
    with pytest.raises(Problem, match=r"has 1\.0 GB free, and this needs up to .* GB"):
        install.check_room(CUDA, tmp_path / ".venv")


def test_where_pip_keeps_what_it_fetches_can_be_moved_to_a_disk_with_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[Path] = []
    monkeypatch.setattr(install, "check_free", lambda place, needed: looked.append(place) if needed else None)
    monkeypatch.setattr(install, "existing", lambda place: place)
    monkeypatch.setattr(Path, "stat", lambda place: SimpleNamespace(st_dev=str(place)))
    for name in ("XDG_CACHE_HOME", "PIP_NO_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CACHE_DIR", "/large")
    install.check_room(CUDA, tmp_path / ".venv")
    assert Path("/large") in looked
    looked.clear()
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    install.check_room(CUDA, tmp_path / ".venv")
    assert Path("/large") not in looked


@pytest.mark.parametrize(
    ("complaint", "words"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        (
            "WARNING: Retrying ... NameResolutionError\nERROR: No matching distribution found for nh3",
            "cannot be reached",
        ),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "certificate"),
        (
            "ERROR: Could not find a version\nERROR: No matching distribution found for torch==2.13.0",
            "has no torch==2.13.0",
        ),
        ("ERROR: [Errno 13] Permission denied: '/x'", "cannot be written"),
        ("something else\n\n", "something else"),
        ("", "did not say why"),
    ],
)
def test_pips_complaint_becomes_one_sentence(complaint: str, words: str) -> None:
    said = install.explain(complaint)
    assert words in said
    assert "\n" not in said


def test_what_is_asked_for_is_what_the_project_says() -> None:
    wanted = install.requirements(["local"])
    assert any(line.startswith("torch>=") for line in wanted)
    assert any(line.startswith("setuptools") for line in wanted)
    assert not any(line.startswith("pytest") for line in wanted)
    assert not any(line.startswith("torch") for line in install.requirements(["dev"]))


def test_an_environment_that_is_up_to_date_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to("/bin/false")
    (tmp_path / "conch.json").write_text(json.dumps({"of": install.fingerprint(), "extras": ["core", "dev", "local"]}))
    install.install(tmp_path, ["local"], conch=True)
    install.install(tmp_path, [], conch=True)
    assert capsys.readouterr() == ("", "")
    assert (tmp_path / "bin" / "python").readlink() == Path("/bin/false")


def test_a_stamp_of_other_files_or_without_a_python_is_not_believed(tmp_path: Path) -> None:
    stamp = tmp_path / "conch.json"
    stamp.write_text(json.dumps({"of": "else", "extras": ["core", "local"]}))
    assert install._stamped(stamp, install.fingerprint()) == []
    stamp.write_text("half")
    assert install._stamped(stamp, install.fingerprint()) == []


def test_another_python_is_refused_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4, "final", 0))
    with pytest.raises(Problem, match=r"Conch needs Python 3\.11, 3\.12 or 3\.13, and .* is 3\.10\.4\."):
        install.make_environment(tmp_path / "venv", tmp_path / "venv" / "bin" / "python")


def test_a_python_without_a_working_venv_module_is_told_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(Problem, match=r"sudo apt install python3\.1\d-venv"):
        install.make_environment(tmp_path / "venv", tmp_path / "venv" / "bin" / "python")


def test_the_installer_speaks_one_sentence_and_fails(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("")
    ran = subprocess.run(
        [sys.executable, ROOT / "install.py", place / ".venv"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1


def test_a_folder_of_somebody_elses_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda place, mode: place != tmp_path)
    with pytest.raises(Problem, match="give that folder to yourself"):
        install.make_environment(tmp_path / "venv", tmp_path / "venv" / "bin" / "python")
    assert list(tmp_path.iterdir()) == []


def test_a_second_installation_waits_for_the_first() -> None:
    code = "import install\nwith install.alone(): print('mine')"
    first = install.alone()
    first.__enter__()
    try:
        second = subprocess.Popen([sys.executable, "-u", "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert second.stdout is not None
        waiting = second.stdout.readline()
    finally:
        first.__exit__(None, None, None)
    assert waiting == "Another installation is at work in this folder; waiting for it.\n"
    assert second.communicate(timeout=30) == ("mine\n", None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_at_once_with_one_sentence_also_while_pip_is_asked(
    tmp_path: Path, number: signal.Signals
) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\ncase "$*" in *dry-run*) exec sleep 60;; esac\n')  # an index that never answers
    python.chmod(0o755)
    with subprocess.Popen(
        [sys.executable, ROOT / "install.py", tmp_path / "venv", "local"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        assert program.stdout.readline() == "Asking the package index what is missing.\n"
        program.send_signal(number)
        assert program.stderr.readline() == "Stopped; the same command goes on from here.\n"
        assert program.wait(30) == 130
        with suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)  # the two that slept
        assert program.stderr.read() == ""


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_make_alone_lists_what_it_can_do() -> None:
    told = make().stdout
    assert {line.split()[1] for line in told.splitlines()} >= {"run", "test", "test-core", "test-search", "help"}


def test_make_without_a_fitting_python_says_so_in_one_sentence() -> None:
    ran = make("run", "PYTHON=no-such-python")
    assert ran.returncode
    assert ran.stderr.splitlines()[0].startswith("Conch needs Python 3.11, 3.12 or 3.13, and no-such-python is none")
    assert "***" in ran.stderr.splitlines()[1]
