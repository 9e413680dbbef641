"""Finds a model's files: a folder, the hub's cache, a download, or the small model that is installed with Conch.
Safetensors only, and always the same commit once one was downloaded."""

from __future__ import annotations

import json
import logging
import shutil
from fnmatch import fnmatch
from io import StringIO
from pathlib import Path
from typing import Any

from core.errors import EngineError
from core.local import smollm2
from core.local.failure import first_line
from core.local.options import OPENCHAT_MODEL, SMOLLM2_MODEL, LocalOptions, Progress, Stopped

log = logging.getLogger(__name__)

FILES = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model"]
"""What is downloaded: never code, never pickles."""
REVISIONS = "revisions.json"
HUB_SECONDS = 10.0
"""How long the hub may take to tell a size: as long as its own library waits for an answer."""


def locate(options: LocalOptions, *, cuda: bool, progress: Progress) -> Path:
    """The folder that the model is loaded from. ``progress`` may raise, to give up.

    EngineError: it cannot be had; the text says what to do.
    """
    name = options.model
    if name == SMOLLM2_MODEL or (name == "auto" and not cuda):
        return smollm2.converted(options.cache_folder, lambda done: progress("convert", done))
    if name != "auto":
        folder = _at_home(name)
        return _checked(folder, name) if folder.is_dir() else _from_hub(name, options, progress)
    try:
        return _from_hub(OPENCHAT_MODEL, options, progress)
    except EngineError as error:
        # No hub and no copy of OpenChat here: a small model that answers is better than none.
        if smollm2.packaged() is None:
            raise
        log.warning("%s The small model %s answers instead.", error, SMOLLM2_MODEL)
        return smollm2.converted(options.cache_folder, lambda done: progress("convert", done))


def named(folder: Path) -> str:
    """A model's name as its owner knows it, from the folder that ``locate`` gave."""
    if folder.parent.name == "snapshots":
        return folder.parent.parent.name.removeprefix("models--").replace("--", "/")
    return SMOLLM2_MODEL if folder.name.startswith(SMOLLM2_MODEL) else folder.name


def _at_home(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:  # a home of nobody
        return Path(name)


def _checked(folder: Path, name: str) -> Path:
    """``folder`` if a model can be loaded from it."""
    if not (folder / "config.json").is_file():
        raise EngineError(f"{name} is not a model's folder: it has no config.json. Set engine.model to one that has.")
    if not any(folder.glob("*.safetensors")):
        raise EngineError(
            f"{name} has no weights in safetensors format, and Conch loads no other: choose a model that has."
        )
    return folder


def _from_hub(name: str, options: LocalOptions, progress: Progress) -> Path:
    """The snapshot of a model on the hub, downloaded if it is not here yet."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    pinned = _read(options.cache_folder / REVISIONS)
    revision = options.revision or pinned.get(name)
    own = options.cache_folder / "hub"
    remedy = "or set engine.model to a folder with the model, or to " + SMOLLM2_MODEL
    try:
        for cache in (None, own):
            try:
                found = snapshot_download(
                    name, revision=revision, cache_dir=cache, allow_patterns=FILES, local_files_only=True
                )
                return _remember(options, pinned, name, _checked(Path(found), name))
            except LocalEntryNotFoundError:
                continue
        size = _size(name, revision)
        _check_room(name, own, size)
        stage = f"download {_bytes(size)}" if size else "download"
        progress(stage, None)
        bar = _bar(progress, stage)
        found = snapshot_download(
            name, revision=revision, cache_dir=own, allow_patterns=FILES, tqdm_class=bar, max_workers=4
        )
        return _remember(options, pinned, name, _checked(Path(found), name))
    except HFValidationError as error:
        raise EngineError(
            f"{name!r} is neither a folder nor a model's name on the hub: correct engine.model."
        ) from error
    except GatedRepoError as error:
        raise EngineError(
            f"The hub gives {name} only to people who accepted its licence: do so, set HF_TOKEN, {remedy}."
        ) from error
    except RevisionNotFoundError as error:
        raise EngineError(f"{name} has no revision {revision!r}: correct engine.revision.") from error
    except RepositoryNotFoundError as error:
        raise EngineError(f"There is no model {name} on the hub: correct engine.model, {remedy}.") from error
    except (LocalEntryNotFoundError, HfHubHTTPError, ConnectionError, TimeoutError) as error:
        raise EngineError(
            f"{name} is not on this machine and the model hub cannot be reached: connect it to the network, {remedy}."
        ) from error
    except OSError as error:
        raise EngineError(
            f"{name} cannot be kept in {own}: {error.strerror or error}. Make room, or set data_dir to another disk."
        ) from error
    except (EngineError, Stopped):
        raise
    except Exception as error:  # the libraries below the hub's have errors of their own for a broken connection
        raise EngineError(
            f"The download of {name} broke off ({first_line(error)}): start Conch again to go on with it, {remedy}."
        ) from error


def _size(name: str, revision: str | None) -> int:
    """The bytes that would be downloaded; 0 where the hub does not tell."""
    from huggingface_hub import HfApi

    try:
        told = HfApi().model_info(name, revision=revision or "main", files_metadata=True, timeout=HUB_SECONDS)
    except Exception as error:  # whatever it is, the download meets it again, and what is wrong is said there
        log.debug("the hub does not tell the size of %s: %s", name, first_line(error))
        return 0
    return sum(
        file.size or 0 for file in told.siblings or [] if any(fnmatch(file.rfilename, wanted) for wanted in FILES)
    )


def _check_room(name: str, cache: Path, size: int) -> None:
    """EngineError if ``size`` bytes, less what an earlier download left of them, do not fit where ``cache`` is."""
    blobs = cache / f"models--{name.replace('/', '--')}" / "blobs"
    begun = sum(file.stat().st_size for file in blobs.iterdir()) if blobs.is_dir() else 0
    free = shutil.disk_usage(next(folder for folder in (cache, *cache.absolute().parents) if folder.exists())).free
    if size - begun > free:
        raise EngineError(
            f"{name} takes {_bytes(size - begun)} in {cache}, where {_bytes(free)} are free: "
            f"make room, set data_dir to another disk, or set engine.model to {SMOLLM2_MODEL}."
        )


def _bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def _remember(options: LocalOptions, pinned: dict[str, str], name: str, folder: Path) -> Path:
    """Write down the commit that a name stood for the first time, so that a later start loads the same model."""
    commit = folder.name
    if not options.revision and pinned.get(name) != commit:
        options.cache_folder.mkdir(parents=True, exist_ok=True)
        file = options.cache_folder / REVISIONS
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(pinned | {name: commit}, indent=1), encoding="utf-8")
        unfinished.replace(file)
    return folder


def _read(file: Path) -> dict[str, str]:
    """The commits written down; nothing where there is no such file yet, or where it is broken."""
    try:
        pinned = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        log.warning("%s is not used: %s", file, error)
        return {}
    return pinned if isinstance(pinned, dict) else {}


def _bar(progress: Progress, stage: str) -> Any:
    """A progress bar for huggingface_hub that draws nothing and tells ``progress`` the share of the bytes."""
    from tqdm import tqdm  # type: ignore[import-untyped]  # comes without types

    class Bar(tqdm):  # type: ignore[misc]
        monitor_interval = 0  # else tqdm starts a thread that nobody ends

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options | {"disable": False, "file": StringIO()})

        def display(self, *args: Any, **options: Any) -> None:
            """Nothing is drawn."""

        def update(self, n: float | None = 1) -> None:
            super().update(n)
            if self.unit == "B" and self.total:
                progress(stage, min(self.n / self.total, 1.0))

    return Bar
