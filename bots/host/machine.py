"""What the machine tells of itself: its GPU, memory and disks. Only asks; nothing is loaded or changed."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
"""A container's own limits (cgroup v2)."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A card as nvidia-smi tells it. Memory in GB (10^9 bytes)."""

    name: str
    total: float
    free: float
    driver: str


def ask_gpu() -> Gpu | None:
    """The first card, or None where there is none."""
    query = ["nvidia-smi", "--query-gpu=name,memory.total,memory.free,driver_version", "--format=csv,noheader,nounits"]
    try:
        told = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout
        name, total, free, driver = (part.strip() for part in told.splitlines()[0].split(","))
        return Gpu(name, int(total) * 2**20 / 1e9, int(free) * 2**20 / 1e9, driver)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None


def ask_torch() -> tuple[str, bool]:
    """torch's version, and whether it can use the GPU; asked in a process of its own, as importing takes seconds."""
    program = "import torch; print(torch.__version__, torch.cuda.is_available())"
    try:
        told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
        version, usable = told.stdout.split()
        return version, usable == "True"
    except (OSError, subprocess.SubprocessError, ValueError):
        return "?", False


def ask_memory(proc: Path = Path("/proc/meminfo"), cgroup: Path = CGROUP) -> tuple[float, float] | None:
    """(free, total) memory in GB, within a container's limit; free counts what the system would give back."""
    try:
        lines = dict(line.split(":", 1) for line in proc.read_text().splitlines())
        free, total = (int(lines[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal"))
    except (OSError, ValueError, KeyError):
        return None
    try:
        limit = int((cgroup / "memory.max").read_text())
        free, total = min(free, limit - int((cgroup / "memory.current").read_text())), min(total, limit)
    except (OSError, ValueError):  # no container, or "max": no limit
        pass
    return free / 1e9, total / 1e9


def user_name() -> str:
    """Who runs this: the system user's name, or the number of one that has no name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def is_there(path: Path) -> bool:
    """Is there something at ``path``, as far as may be seen from here?"""
    try:
        return path.exists()
    except OSError:  # above it is a folder that may not be searched, or the name is too long for any file
        return False


def existing(path: Path) -> Path:
    """``path``, or the nearest folder above it that is there."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if is_there(folder))


def listed(folder: Path) -> list[Path]:
    """What is in ``folder``, by name; nothing where it cannot be read."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def at_home(path: str) -> Path:
    """``path`` with its ``~`` put into words; as it is where nobody has such a home."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
