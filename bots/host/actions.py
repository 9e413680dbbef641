"""What the command line does with a data folder: through the running Conch where one answers, else by itself."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from bots.host import control, logs
from bots.host.bench import measure, told
from bots.host.folder import hold
from bots.host.health import Health
from bots.host.progress import Loading
from bots.host.remote_chat import METHODS
from bots.talk.commands import NotRunning
from bots.talk.wording import Wording
from bots.terminal.keyboard import spoken
from config import LOCALES, values
from config.settings import Settings
from core.chat.chat import Chat
from core.chat.people import People
from core.engine import Engine
from core.errors import StoreError
from core.store import restoring, sqlite
from core.store.store import Store

EngineMaker = Callable[[Settings, Loading], AbstractAsyncContextManager[Engine]]
"""Gives the engine, not loaded yet, for as long as its block lasts."""


async def run_command(settings: Settings, method: str, **arguments: Any) -> Any:
    """Carries out ``export``, ``forget`` (``user``), ``backup`` (``file``) or ``stats``: by the running Conch if one
    answers, else here, holding the data folder meanwhile.

    Raises Refused, or another ConchError with a sentence.
    """
    if "file" in arguments:
        arguments["file"] = absolute(arguments["file"])
    try:
        return await control.call(settings.data_dir, method, **arguments)
    except NotRunning:
        pass
    if _never_used(settings.data_dir):
        raise StoreError(
            f"Nothing was ever kept in {settings.data_dir.absolute()}. Run this in the folder where Conch runs, or set "
            "data_dir to the one that it has."
        )
    os.umask(0o077)
    with hold(settings.data_dir):
        async with Store.open(settings.data_dir, retention_days=settings.store.retention_days) as store:
            return await store_methods(store)[method](**arguments)


def _never_used(folder: Path) -> bool:
    """Is there no database, and nothing in the way of one either?"""
    there = os.path.lexists(folder)
    usable = not there or (folder.is_dir() and os.access(folder, os.X_OK))
    return usable and not (there and (folder / sqlite.NAME).exists())


async def bench(settings: Settings, engine_maker: EngineMaker) -> list[str]:
    """Measures this machine with an engine; the figures and a verdict as sentences.

    Raises StoreError while a Conch runs on the data folder: the two would slow each other down. Raises EngineError.
    """
    os.umask(0o077)
    logs.configure("warning", settings.log.format, values.secrets(settings))
    wording = Wording(LOCALES)
    say = wording.bind(spoken(settings.language, wording))
    with hold(settings.data_dir), Loading(say, sys.stderr) as loading:
        async with engine_maker(settings, loading) as engine:
            loading("model")
            await engine.ready()
            loading("measuring")
            try:
                speed = await measure(engine)
            finally:
                loading.close()
            return told(speed, say)


async def restore(settings: Settings, file: Path) -> Path | None:
    """Puts the backup ``file`` in the place of what is kept, while no Conch runs there; browsers are known again.

    Returns where the database is that was there before. Raises a ConchError with a sentence, mostly before anything
    has changed.
    """
    from bots.web import access

    os.umask(0o077)
    with hold(settings.data_dir):
        before = await asyncio.to_thread(restoring.restore, file, settings.data_dir)
        async with Store.open(settings.data_dir, retention_days=settings.store.retention_days) as store:
            names = access.KEY_FILE, access.SECRET_FILE
            kept = {name: text for name in names if (text := await store.get(f"file:{name}"))}
        access.put_back(settings.data_dir, kept)
    return before


def methods(chat: Chat, store: Store, health: Health) -> dict[str, control.Method]:
    """What another process may ask of a running Conch."""

    async def state() -> object:
        return health()

    return {
        **store_methods(store),
        **{name: getattr(chat, name) for name in METHODS},
        "stats": chat.stats,
        "health": state,
    }


def store_methods(store: Store) -> dict[str, control.Method]:
    """What can be done with the store alone."""

    async def backup(file: str) -> None:
        await store.backup(Path(file))

    async def forget(user: str) -> int:
        blanked = await store.forget(user)
        await (people := People()).load(store)
        await people.forget(store, user)
        return blanked

    return {"export": store.export, "forget": forget, "backup": backup, "stats": store.stats}


def absolute(file: str | Path) -> str:
    """The file by its whole path: the running Conch may have another working directory."""
    return str(Path(file).absolute())
