"""What can be wrong before Conch starts: each check looks at one thing and gives findings, each with a remedy.

Nothing is changed, fetched or loaded, and no secret is shown. Torch is asked in a process of its own, Discord about
the bot whose token is set.
"""

from __future__ import annotations

import asyncio
import errno
import importlib.metadata
import os
import shutil
import socket
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from packaging.requirements import Requirement

from bots.host.machine import Gpu, ask_gpu, ask_memory, ask_torch, at_home, existing, is_there, listed, user_name
from bots.host.plan import Wish, examined
from bots.talk.connection import UNREACHABLE, UP
from bots.talk.wording import Say
from bots.terminal.keyboard import shows
from config.platforms import PLATFORMS
from config.settings import Settings
from core.errors import StoreError
from core.local.options import OPENCHAT_MODEL, SMOLLM2_MODEL
from core.local.smollm2 import packaged
from core.store import restoring
from core.store.sqlite import NAME

DISTRIBUTION = "conch-chat"
TESTED = ((3, 11), (3, 13))
SQLITE = (3, 35, 0)
"""RETURNING, which the store's statements use (sqlite.org/lang_returning.html)."""
OPENCHAT_GPU_GB = 5.5
"""Weights in 4 bit 3.9 GB, one conversation of 8,192 tokens 1.1 GB, CUDA's own 0.5 GB."""
OPENCHAT_BYTES = 14_500_000_000
"""OpenChat 3.5 as it is fetched: 7.24 billion weights in 16 bit."""
SMALL_MEMORY_GB = 1.0
"""SmolLM2-135M in 16 bit with torch around it."""
DISK_GB = 1.0
"""Room for conversations and the small model's converted weights."""
SHOWN = ("torch", "transformers", "bitsandbytes", "starlette", "discord.py", "python-telegram-bot")
MARKS = {"good": "✔", "warning": "!", "bad": "✘"}
PLAIN = {"good": "+", "warning": "!", "bad": "x"}
"""For terminals without the others."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. ``key`` is a sentence of wording; what is not good has a remedy: ``remedy``, else ``<key>-remedy``.

    A value that is a function gets the wording: it is words itself.
    """

    mark: Literal["good", "warning", "bad"]
    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    remedy: str | None = None


def report(findings: Iterable[Finding], say: Say, write: Callable[[str], object] = print) -> int:
    """Writes a line per finding, its remedy below it, and a summary. Returns the exit code: 1 if something is bad."""
    bad = 0
    marks, arrow = (MARKS, "→") if shows("✔✘→") else (PLAIN, "->")
    for finding in findings:
        bad += finding.mark == "bad"
        values = {name: value(say) if callable(value) else value for name, value in finding.values.items()}
        write(f"{marks[finding.mark]} {say(finding.key, **values)}")
        if finding.mark != "good":
            write(f"  {arrow} {say(finding.remedy or f'{finding.key}-remedy', **values)}")
    write(say("doctor-bad", count=bad) if bad else say("doctor-good"))
    return int(bad > 0)


def installation() -> Iterator[Finding]:
    """What is the same whatever the settings are: Python and SQLite."""
    version = ".".join(map(str, sys.version_info[:3]))
    tested = TESTED[0] <= sys.version_info[:2] <= TESTED[1]
    yield Finding(
        "good" if tested else "warning", "doctor-python" if tested else "doctor-python-bad", {"version": version}
    )
    recent = sqlite3.sqlite_version_info >= SQLITE
    values = {"version": sqlite3.sqlite_version, "wanted": ".".join(map(str, SQLITE))}
    yield Finding("good" if recent else "bad", "doctor-sqlite" if recent else "doctor-sqlite-bad", values)


def examine(
    settings: Settings, environ: Mapping[str, str], pid: int | None, states: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Finding]:
    """Everything that depends on the settings. ``pid`` is the Conch that runs on this data folder, if one does, and
    ``states`` is how its fronts are."""
    yield packages(wanted_packages(local=settings.engine.kind == "local"), installed)
    yield from tokens(settings, environ)
    yield from fronts(states)
    yield from discord(settings)
    yield from folder(settings.data_dir, pid)
    if not pid and (found := database(settings.data_dir / NAME)):
        yield found
    if settings.web.enabled:
        yield port(settings.web.host, settings.web.port, pid)
    else:
        yield Finding("good", "doctor-port-off")
    yield from engine(settings, environ)


def engine(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """The GPU, the model, the memory and the disk that they need."""
    if settings.engine.kind == "scripted":
        yield Finding("good", "doctor-model-scripted")
        yield disk(settings.data_dir, 0.2)
        return
    card = None if settings.engine.device == "cpu" else ask_gpu()
    if settings.engine.device != "cpu":
        yield from gpu(card, wanted=settings.engine.device == "cuda", torch=ask_torch if card else None)
    hub = at_home(environ.get("HF_HOME") or "~/.cache/huggingface") / "hub"
    found = model(settings.engine.model, settings.data_dir / "models", hub, gpu=card is not None)
    yield found
    there = ask_memory()
    if there:
        yield memory(*there)
    if there and found.mark != "bad":
        yield from planned(settings, found, card, there[0])
    fetched = OPENCHAT_BYTES / 1e9 if found.values.get("name") == OPENCHAT_MODEL and found.mark != "good" else 0.0
    yield disk(settings.data_dir, DISK_GB + fetched)


def planned(settings: Settings, found: Finding, card: Gpu | None, free: float) -> Iterator[Finding]:
    """How the model would run. ``free`` memory in GB."""
    chosen = settings.engine
    offload = Path(chosen.offload_folder) if chosen.offload_folder else settings.data_dir
    wish = Wish(chosen.quantization, chosen.dtype, chosen.slots, chosen.context_window, offload)
    files = found.values.get("folder")
    told = examined(wish, str(found.values["name"]), Path(str(files)) if files else None, card, free)
    if told is None:
        return
    key, values = told
    if key == "console-plan":
        yield Finding("good", key, values)
    else:
        yield Finding("bad" if key == "doctor-plan-none" else "warning", key, values, "doctor-plan-remedy")


def wanted_packages(*, local: bool) -> list[Requirement]:
    """What Conch's own metadata asks for, here and now; with ``local`` also what the model needs."""
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return [Requirement(DISTRIBUTION)]
    extras = ("", "local") if local else ("",)
    wanted = map(Requirement, lines)
    return [w for w in wanted if w.marker is None or any(w.marker.evaluate({"extra": extra}) for extra in extras)]


def installed(name: str) -> str | None:
    """The version that is installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def packages(wanted: Sequence[Requirement], version: Callable[[str], str | None]) -> Finding:
    """Are all packages there, at versions that fit?"""
    found = {requirement.name: version(requirement.name) for requirement in wanted}
    missing = [name for name, there in found.items() if there is None]
    if missing:
        return Finding("bad", "doctor-packages-missing", {"names": ", ".join(missing)}, "doctor-packages-remedy")
    wrong = [
        f"{w.name} {v} ({w.specifier})" for w in wanted if (v := found[w.name]) and not w.specifier.contains(v, True)
    ]
    if wrong:
        return Finding("bad", "doctor-packages-wrong", {"names": ", ".join(wrong)}, "doctor-packages-remedy")
    some = ", ".join(f"{name} {found[name]}" for name in SHOWN if name in found)
    return Finding("good", "doctor-packages", {"count": len(found), "some": some})


def tokens(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Which bots have a token, and where from; never the token."""
    for platform in PLATFORMS.values():
        name, token = platform.name, platform.token
        if token is None:
            continue
        if settings.token(platform) is not None:
            yield Finding("good", "doctor-token", {"name": name, "origin": settings.origin[platform.token_key]})
        elif variable := next((variable for variable in token.mistaken if environ.get(variable)), None):
            values = {"name": name, "variable": variable, "right": token.variables[0]}
            yield Finding("warning", "doctor-token-named", values)
        else:
            yield Finding("good", "doctor-token-off", {"name": name})


def fronts(states: Mapping[str, str]) -> Iterator[Finding]:
    """How the bots of the Conch that runs are, by what they report of themselves."""
    for name, state in states.items():
        known = PLATFORMS.get(name)  # a newer Conch may run
        values = {"name": known.name if known else name.capitalize(), "why": state.partition(": ")[2]}
        if state == UP:
            yield Finding("good", "doctor-front-up", values)
        elif state == UNREACHABLE:
            yield Finding("warning", "doctor-front-unreachable", values)
        else:
            yield Finding("bad", "doctor-front-ended", values)


def discord(settings: Settings) -> Iterator[Finding]:
    """What Discord says of the bot: by which address it is invited, and what it lacks where."""
    chosen = settings.discord
    if chosen.token is None:
        return
    from bots.discord import permissions  # its library is not for those without a bot

    if chosen.channels and not chosen.message_content:
        yield Finding("warning", "doctor-discord-channels")
    try:
        seen = asyncio.run(permissions.look(chosen.token.get_secret_value()))
    except permissions.WrongToken:
        yield Finding("bad", "doctor-discord-token")
        return
    except OSError as error:
        yield Finding("warning", "doctor-discord-unreached", {"why": str(error)})
        return
    yield Finding("good", "doctor-discord-invite", {"address": seen.invite, "count": seen.guilds})
    if chosen.message_content and not seen.content:
        yield Finding("bad", "doctor-discord-intent")
    elif not chosen.message_content:
        yield Finding("good", "doctor-discord-mentions")
    for lack in seen.lacks:
        yield Finding("warning", "doctor-discord-lacking", permissions.told(lack))


def folder(path: Path, pid: int | None) -> Iterator[Finding]:
    """Can the data folder and what is in it be written, and by nobody else be read?"""
    there = existing(path)
    values = {"folder": str(path.absolute()), "user": user_name(), "pid": str(pid)}
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
        written = [file for file in listed(path) if file.name in ("models", "offload") or file.match("conch.*")]
        locked = [file for file in written if not os.access(file, os.W_OK)]  # somebody once ran it with sudo
        if locked:
            raise PermissionError(errno.EACCES, f"{os.strerror(errno.EACCES)} ({locked[0].name})")
    except OSError as error:
        yield Finding("bad", "doctor-folder-bad", {**values, "why": error.strerror or str(error)})
        return
    if there != path.absolute():
        yield Finding("good", "doctor-folder-new", values)
        return
    yield Finding("good", "doctor-folder-running" if pid else "doctor-folder", values)
    if path.stat().st_mode & 0o077:
        yield Finding("warning", "doctor-folder-open", values)


def database(file: Path) -> Finding | None:
    """Is the database whole, and none of a newer Conch? None where there is none yet. For while nobody writes to it."""
    if not is_there(file) or not os.access(file, os.R_OK | os.W_OK):
        return None
    try:
        restoring.examine(file)
    except restoring.Damaged as error:
        return Finding("bad", "doctor-database-bad", {"file": str(file), "why": error.why})
    except StoreError:
        return Finding("bad", "doctor-database-newer", {"file": str(file)})
    return Finding("good", "doctor-database", {"size": f"{file.stat().st_size / 1e6:.1f} MB"})


def disk(path: Path, wanted: float) -> Finding:
    """Is there room where the data folder is? ``wanted`` in GB."""
    free = shutil.disk_usage(existing(path)).free / 1e9
    enough = free >= wanted
    values = {"free": f"{free:.1f}", "wanted": f"{wanted:.1f}"}
    return Finding("good" if enough else "bad", "doctor-disk" if enough else "doctor-disk-low", values)


def port(host: str, number: int, pid: int | None) -> Finding:
    """Can the page's address be listened on?"""
    values: dict[str, object] = {"address": f"http://{f'[{host}]' if ':' in host else host}:{number}"}
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listening:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return (
                Finding("good", "doctor-port-running", values) if pid else Finding("bad", "doctor-port-taken", values)
            )
        return Finding("bad", "doctor-port-bad", {**values, "why": error.strerror or str(error)})
    except UnicodeError as error:  # no name that could be looked up
        return Finding("bad", "doctor-port-bad", {**values, "why": str(error)})
    return Finding("good", "doctor-port", values)


def gpu(card: Gpu | None, *, wanted: bool, torch: Callable[[], tuple[str, bool]] | None) -> Iterator[Finding]:
    """Is there a card, has it room, and can torch use it?"""
    if card is None:
        yield Finding("bad", "doctor-gpu-wanted") if wanted else Finding("warning", "doctor-gpu-none")
        return
    values = {
        "name": card.name,
        "total": f"{card.total:.1f}",
        "free": f"{card.free:.1f}",
        "driver": card.driver,
        "wanted": f"{OPENCHAT_GPU_GB:.1f}",
    }
    room = card.free >= OPENCHAT_GPU_GB
    yield Finding("good", "doctor-gpu", values) if room else Finding("warning", "doctor-gpu-full", values)
    if torch is not None:
        version, usable = torch()
        if not usable:
            yield Finding("bad" if wanted else "warning", "doctor-gpu-unused", {"version": version})


def memory(free: float, total: float, wanted: float = SMALL_MEMORY_GB) -> Finding:
    """Is there memory for the model? In GB."""
    values = {"free": f"{free:.1f}", "total": f"{total:.1f}", "wanted": f"{wanted:.1f}"}
    return (
        Finding("good", "doctor-memory", values) if free >= wanted else Finding("warning", "doctor-memory-low", values)
    )


def model(name: str, cache: Path, hub: Path, *, gpu: bool) -> Finding:
    """Are the files here? ``cache`` and ``hub`` are where models from the hub are kept, by Conch and by others."""
    if name == "auto":
        name = OPENCHAT_MODEL if gpu else SMOLLM2_MODEL
    if name == SMOLLM2_MODEL:
        file = packaged()
        return _here(name, file.parent) if file else Finding("bad", "doctor-model-none")
    given = at_home(name)
    if is_there(given) or name.startswith(("/", ".", "~")):
        missing = lacking(given)
        return (
            _here(name, given)
            if missing is None
            else Finding("bad", "doctor-model-no-folder", {"folder": str(given), "missing": missing})
        )
    inside = f"models--{name.replace('/', '--')}/snapshots"
    for snapshot in (found for place in (cache, hub) for found in listed(place / inside)):
        if lacking(snapshot) is None:
            return _here(name, snapshot)
    if name != OPENCHAT_MODEL:
        return Finding("warning", "doctor-model-fetched", {"name": name}, "doctor-model-fetched-unknown-remedy")
    return Finding("warning", "doctor-model-fetched", {"name": name, "size": f"{OPENCHAT_BYTES / 1e9:.1f} GB"})


def lacking(folder: Path) -> str | None:
    """What a folder lacks to be a model, or None."""
    files = listed(folder)
    if any(file.match("*.gguf") for file in files):
        return None
    wanted = "config.json", "*.safetensors"
    return next((pattern for pattern in wanted if not any(file.match(pattern) for file in files)), None)


def _here(name: str, folder: Path) -> Finding:
    size = sum(file.stat().st_size for file in listed(folder) if file.suffix in (".safetensors", ".gguf"))
    return Finding("good", "doctor-model", {"name": name, "size": f"{size / 1e9:.1f} GB", "folder": str(folder)})
