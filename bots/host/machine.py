"""What the machine tells of itself: its GPU, memory, disks and addresses. Only asks; nothing is loaded or changed."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
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


def is_loopback(host: str) -> bool:
    """Is ``host`` this machine for itself alone?"""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: no name that could be looked up
        return False
    return ip_address(str(found[0][4][0]).partition("%")[0]).is_loopback


def outgoing_address(host: str) -> str:
    """``host``, or where that stands for every address of the machine, the one by which it goes out."""
    try:
        if not ip_address(host).is_unspecified:
            return host
    except ValueError:
        return host
    family, far = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((far, 9))  # sends nothing; addresses that RFC 3849 and RFC 5737 keep for documentation
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if ":" in host else "127.0.0.1"


def page_address(host: str, port: int, hosts: Sequence[str], *, proxied: bool) -> str:
    """The page's address as a browser elsewhere would need it; behind one's own proxy that is the proxy's name.

    ``hosts`` are the names that the page was given beside ``host``, each with or without a port.
    """
    name = hosts[0] if hosts else outgoing_address(host)
    if hosts and (proxied or ":" in name):
        return f"{'https' if proxied else 'http'}://{name}/"
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"
