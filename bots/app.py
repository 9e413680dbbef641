"""The composition root: what belongs to a running Conch, in the order of its life, and how that life ends."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from bots.host import control, logs
from bots.host.actions import EngineMaker, methods
from bots.host.folder import hold
from bots.host.health import Health
from bots.host.lifetimes import first, stopping
from bots.host.machine import user_name
from bots.host.metrics import Metrics
from bots.host.plan import sentences
from bots.host.progress import Loading
from bots.host.remote_chat import remote_chat
from bots.talk.commands import Answer, Talk
from bots.talk.connection import UP
from bots.talk.wording import Say, Wording
from bots.terminal import front as terminal
from bots.terminal.keyboard import Keyboard, Lines, hushed, piped, spoken, typed
from config import LOCALES, values
from config.personas import load_personas
from config.platforms import PLATFORMS, Platform
from config.settings import Settings
from core.chat.chat import Chat
from core.engine import Engine, ScriptedEngine
from core.errors import ConchError, EngineError
from core.gate.gate import Gate
from core.local.plan import Outline
from core.store.store import Store

SCRIPTED_WINDOW = 8192
"""Tokens (words) of the scripted engine's context window where the settings leave it to the model."""


Hook = Callable[[Mapping[str, str], bytes], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Core:
    """What every front stands on."""

    chat: Chat
    store: Store
    gate: Gate
    engine: Engine
    health: Health
    metrics: Metrics
    hooks: dict[str, Hook] = field(default_factory=dict)
    """What the page's server serves at /hooks/<name>, for fronts that are called by their platforms."""


# conch run


async def run(settings: Settings, engine: EngineMaker | None = None) -> int:
    """Serves until a signal (0), until the engine has failed, or until something it needs is missing (1).

    ``engine`` None is the one that the settings name.
    """
    os.umask(0o077)
    redact = logs.configure(settings.log.level, settings.log.format, values.secrets(settings))
    logs.catch_strays(asyncio.get_running_loop())
    wording = Wording(LOCALES)
    say = wording.bind(language(settings, wording))
    try:
        # Where nobody watches, standard error is the log's alone.
        with stopping() as stop, Loading(say, sys.stderr if sys.stderr.isatty() else sys.stdout) as loading:
            async with (
                open_core(settings, resumed(settings), loading, engine or open_engine) as core,
                open_fronts(settings, core, wording, say, redact),
                control.listen(settings.data_dir, methods(core.chat, core.store, core.health)),
            ):
                sentence = await first(signalled(stop), engine_end(core, say, loading))
                if not sentence:
                    tell(say("console-stopping", count=core.gate.running))
                await core.chat.drain(0 if sentence else settings.queue.drain_seconds)
    except ConchError as error:
        sentence = str(error)
    if sentence:
        print(sentence, file=sys.stderr, flush=True)
    return 1 if sentence else 0


async def signalled(stop: asyncio.Event) -> str:
    """Returns, with nothing to say, when a signal asks for the end."""
    await stop.wait()
    return ""


@asynccontextmanager
async def open_core(
    settings: Settings, prefixes: Iterable[str], loading: Loading, engine_maker: EngineMaker
) -> AsyncIterator[Core]:
    """The held data folder, the store, the gate and the chat, with the turns that an earlier run left unanswered.

    The engine is made, not loaded. At the end what still runs is closed and left unanswered.
    """
    with hold(settings.data_dir):
        async with (
            Store.open(settings.data_dir, retention_days=settings.store.retention_days) as store,
            engine_maker(settings, loading) as engine,
        ):
            gate = Gate(0, waiting=settings.queue.waiting, waiting_per_person=settings.queue.waiting_per_person)
            health = Health()
            metrics = Metrics(gate, health)
            people = values.people(settings)
            await people.load(store)
            chat = Chat(
                engine,
                gate,
                store,
                personas=load_personas(settings),
                limits=values.limits(settings),
                sampling=values.sampling(settings),
                options=values.options(settings),
                people=people,
                observe=metrics.observe,
            )
            try:
                if taken := await chat.resume(prefixes):
                    _log.info("took up what an earlier run left unanswered", extra={"turns": taken})
                yield Core(chat, store, gate, engine, health, metrics)
            finally:
                await chat.drain(0)


async def load_engine(core: Core, loading: Loading) -> None:
    """Loads the engine and opens the gate. Raises EngineError when it never will."""
    began = time.monotonic()
    loading("model")
    try:
        await core.engine.ready()
    except EngineError:
        core.health.engine = "failed"
        raise
    finally:
        loading.close()
    core.gate.resize(core.engine.slots)
    core.health.engine = "ready"
    _log.info("the engine is ready", extra={"slots": core.engine.slots, "seconds": round(time.monotonic() - began, 2)})


async def engine_end(core: Core, say: Say, loading: Loading) -> str:
    """Loads the engine; returns, with a sentence, when it is beyond repair."""
    await load_engine(core, loading)
    tell(say("console-ready"))
    sentence = await core.engine.failed()
    core.health.engine = "failed"
    _log.error("the engine has failed", extra={"why": sentence})
    return sentence


# Fronts


@dataclass(frozen=True, slots=True)
class Front:
    """``connect`` gives a front for as long as its block lasts."""

    platform: Platform
    wanted: Callable[[Settings], bool]
    connect: Callable[[Settings, Core, Wording, Say, logs.Redaction], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def open_fronts(
    settings: Settings, core: Core, wording: Wording, say: Say, redact: logs.Redaction
) -> AsyncIterator[None]:
    """Every front that the settings want, the page first."""
    async with AsyncExitStack() as stack:
        for front in FRONTS:
            if front.wanted(settings):
                await stack.enter_async_context(front.connect(settings, core, wording, say, redact))
        yield


@asynccontextmanager
async def connect_web(
    settings: Settings, core: Core, wording: Wording, say: Say, redact: logs.Redaction
) -> AsyncIterator[None]:
    """The page; says where it is, and on a terminal once with the access key when that is new."""
    from bots.web import access, connections, server  # the server is imported only where there is a page

    options = server.WebOptions(
        settings.data_dir,
        host=settings.web.host,
        port=settings.web.port,
        key=settings.web.key,
        hosts=settings.web.hosts,
        trusted_proxies=settings.web.trusted_proxies,
        sessions_per_hour=settings.web.sessions_per_hour,
        characters=settings.limits.characters,
        retention_days=settings.store.retention_days,
        language=language(settings, wording),
        bounds=connections.Bounds(in_all=connections.room(connections.raise_files())),
    )

    report = core.health.front("web")
    async with server.connect(
        core.chat,
        wording,
        options,
        health=core.health,
        metrics=core.metrics.text,
        ended=lambda: report("ended: failure"),
        hooks=core.hooks,
    ) as front:
        report(UP)
        if front.key is not None:
            redact.hide(front.key)
        for name, text in access.files(settings.data_dir).items():  # so that a backup brings them along
            await core.store.put(f"file:{name}", text)
        if front.key is None:
            tell(say("console-listening", address=front.shown))
        elif front.new and sys.stdout.isatty():
            tell(say("console-listening-key", address=front.invitation))
        else:  # for a journal, or again: nobody needs the key in there
            tell(say("console-listening-locked", address=front.shown))
        yield


@asynccontextmanager
async def connect_discord(
    settings: Settings, core: Core, wording: Wording, say: Say, redact: logs.Redaction
) -> AsyncIterator[None]:
    """The bot on Discord; says by which address it is invited."""
    from bots.discord import front

    chosen = settings.discord
    assert chosen.token is not None  # else nobody wants it
    options = front.DiscordOptions(
        chosen.token.get_secret_value(),
        message_content=chosen.message_content,
        channels=frozenset(map(int, chosen.channels)),
        catch_up_hours=chosen.catch_up_hours,
        shards=chosen.shards,
        language="" if settings.language == "auto" else settings.language,
        retention_days=settings.store.retention_days,
    )

    report = core.health.front("discord")
    async with front.connect(core.chat, core.store, wording, options, say=say, report=report, notify=tell):
        yield


@asynccontextmanager
async def connect_telegram(
    settings: Settings, core: Core, wording: Wording, say: Say, redact: logs.Redaction
) -> AsyncIterator[None]:
    """The bot on Telegram, there or on its way there."""
    from bots.telegram import front, session  # their library is imported only where there is a token

    chosen = settings.telegram
    assert chosen.token is not None
    options = session.TelegramOptions(
        chosen.token.get_secret_value(),
        front.Look(chosen.api, drafts=chosen.drafts, rich=chosen.rich),
        webhook=chosen.webhook,
        language="" if settings.language == "auto" else settings.language,
        everything=frozenset(int(name.partition(":")[2]) for name in chosen.answer_all),
        retention_days=settings.store.retention_days,
    )
    ground = session.Ground(core.chat, core.store, wording, core.hooks, say, tell)
    async with session.connect(ground, options, core.health.front("telegram")):
        yield


FRONTS = (
    Front(PLATFORMS["web"], lambda settings: settings.web.enabled, connect_web),
    Front(PLATFORMS["discord"], lambda settings: settings.discord.token is not None, connect_discord),
    Front(PLATFORMS["telegram"], lambda settings: settings.telegram.token is not None, connect_telegram),
)


def resumed(settings: Settings) -> tuple[str, ...]:
    """The beginnings of the conversations whose unanswered turns are taken up: those of the fronts that will be
    there, and the terminal's."""
    return (*(front.platform.prefix for front in FRONTS if front.wanted(settings)), terminal.PREFIX)


# conch chat


def chat(settings: Settings, conversation: str = "main") -> int:
    """A talk at this terminal, with the running Conch or, where none runs, with one started for it. Returns the exit
    code. To be called by the main thread."""
    os.umask(0o077)
    logs.configure("warning", settings.log.format, values.secrets(settings))
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    keyboard = Keyboard(typed if interactive else piped)
    try:
        with hushed() if interactive else nullcontext():
            return keyboard.run(lambda: _chat(settings, conversation, keyboard, interactive))
    except ConchError as error:
        print(error, file=sys.stderr, flush=True)
        return 1


async def _chat(settings: Settings, conversation: str, keyboard: Keyboard, interactive: bool) -> int:
    from bots.terminal.pane import Pane  # its libraries are not for conch run

    logs.catch_strays(asyncio.get_running_loop())
    wording = Wording(LOCALES)
    personas = load_personas(settings)
    options = terminal.Options(
        user_name(), conversation, language(settings, wording), interactive, settings.store.retention_days
    )
    screen = Pane() if interactive else Lines(sys.stdout, sys.stderr)

    async def talk(talk: Talk[Answer]) -> int:
        front = terminal.Console(talk, wording, personas, screen, options)
        keyboard.on_interrupt = front.interrupt
        return await front.run(keyboard.line)

    if await control.answers(settings.data_dir):
        return await talk(remote_chat(settings.data_dir))
    task = asyncio.current_task()
    assert task is not None
    keyboard.on_interrupt = task.cancel
    with Loading(wording.bind(options.language), sys.stderr) as loading:
        async with (
            open_core(settings, (terminal.PREFIX,), loading, open_engine) as core,
            control.listen(settings.data_dir, methods(core.chat, core.store, core.health)),
        ):
            await load_engine(core, loading)
            return await first(talk(core.chat), broken(core))


async def broken(core: Core) -> NoReturn:
    """Raises EngineError, with its sentence, once the engine is beyond repair."""
    raise EngineError(await core.engine.failed())


# Values made of settings


@asynccontextmanager
async def open_engine(settings: Settings, loading: Loading) -> AsyncIterator[Engine]:
    """The engine that the settings name, not loaded yet; at the end its thread is gone."""
    chosen = settings.engine
    if chosen.kind == "scripted":
        yield ScriptedEngine(
            slots=chosen.slots or 1,
            context_window=chosen.context_window or SCRIPTED_WINDOW,
            delay=chosen.delay,
            load_seconds=chosen.load_seconds,
        )
        return
    from core.local import LocalEngine, LocalOptions  # its thread imports torch

    def planned(outline: Outline) -> None:
        for sentence in sentences(outline, chosen.max_tokens, loading.say):
            loading.tell(sentence)

    engine = LocalEngine(
        LocalOptions(
            model=chosen.model,
            revision=chosen.revision,
            quantization=chosen.quantization,
            dtype=chosen.dtype,
            device=chosen.device,
            offload_folder=Path(chosen.offload_folder) if chosen.offload_folder else settings.data_dir / "offload",
            slots=chosen.slots,
            context_window=chosen.context_window,
            condition=chosen.condition,
            cache_folder=settings.data_dir / "models",
            progress=loading,
            planned=planned,
        )
    )
    try:
        yield engine
    finally:
        await engine.close()


def language(settings: Settings, wording: Wording) -> str:
    """What is spoken at this terminal: the setting, else what the system's locale says."""
    return spoken(settings.language, wording)


def tell(sentence: str) -> None:
    """A sentence for whoever started Conch."""
    print(sentence, flush=True)


_log = logging.getLogger(__name__)
