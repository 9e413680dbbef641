"""Telegram: one bot's session, from its token to the last edit of its last answer."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from telegram import Bot, BotCommand, Update
from telegram.error import InvalidToken, TelegramError
from telegram.ext import Updater

from bots.talk.channel import Gone, RetryAfter
from bots.talk.commands import NAMES, CommandOptions, Commands
from bots.talk.connection import FIRST_BACK_OFF, UP, Down, Ended, Report, kept_up
from bots.talk.wording import Say, Wording
from bots.telegram.calls import meaning
from bots.telegram.front import Front, Look
from bots.telegram.intake import Intake, Manners
from bots.telegram.names import Names
from bots.telegram.polling import PollingRequest, Request, UpdateQueue, Watch, is_readable
from core.chat.chat import Chat
from core.store.store import Store

log = logging.getLogger(__name__)

HOOK = "telegram"
"""The name of our hook on the page's server."""
ALLOWED_UPDATES = ("message", "edited_message", "callback_query", "my_chat_member")
POLL_SECONDS = 10
ENDING_SECONDS = 2.0
"""How long a connection may take to end; what Telegram was not told, it delivers again."""
CONNECTIONS = 256
MENU_BACK_OFF, LONGEST_MENU_BACK_OFF = 0.25, 600.0
"""Seconds before the menu is told again: doubled each time, up to the second."""
SECRET_HEADER = "x-telegram-bot-api-secret-token"

Hook = Callable[[Mapping[str, str], bytes], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class TelegramOptions:
    """``webhook`` is the page's address as Telegram reaches it ("" = we ask Telegram).

    ``language``: spoken with who chose none, "" = their app's. ``everything``: groups where every message is for us.
    ``first_back_off``: seconds before Telegram is tried again, doubled each time. ``hook_seconds``: between two looks
    at whether the webhook is still ours.
    """

    token: str
    look: Look = Look()  # noqa: RUF009  # frozen
    webhook: str = ""
    language: str = ""
    everything: frozenset[int] = frozenset()
    retention_days: int = 0
    first_back_off: float = FIRST_BACK_OFF
    hook_seconds: float = 180.0

    @property
    def hook(self) -> str:
        """Where Telegram brings updates."""
        return f"{self.webhook.rstrip('/')}/hooks/{HOOK}"


@dataclass(frozen=True, slots=True)
class Ground:
    """What a session stands on. ``say`` and ``tell`` speak to whoever started Conch; ``hooks`` are the page's."""

    chat: Chat
    store: Store
    wording: Wording
    hooks: MutableMapping[str, Hook]
    say: Say
    tell: Callable[[str], None]


@asynccontextmanager
async def connect(ground: Ground, options: TelegramOptions, report: Report) -> AsyncIterator[None]:
    """Keeps the bot connected until the block ends. Raises Ended where the token is refused at this start."""

    def session(reported: Report) -> Awaitable[None]:
        return _session(ground, options, reported)

    async with kept_up("Telegram", session, report, first_back_off=options.first_back_off):
        yield


async def _session(ground: Ground, options: TelegramOptions, report: Report) -> None:
    """One connection's life. Raises Ended and Down; closes what it has begun however it ends."""
    chat, say = ground.chat, ground.say
    watch = Watch(report, say)
    async with AsyncExitStack() as stack:
        bot = await stack.enter_async_context(_bot(options, watch, say))
        front = Front(bot, chat, ground.store, ground.wording, options.look)
        stack.push_async_callback(front.close)
        intake = _intake(ground, options, bot, front)
        await front.load()
        stack.push_async_callback(intake.given.close)
        await intake.given.load()
        for reply in await chat.unfinished(front.names.prefix):
            front.follow(reply)
        stack.callback(front.start(_menu(bot, ground, front.names), "menu").cancel)
        updates = (
            _hooked(bot, options, ground.hooks, intake)
            if options.webhook
            else _polled(bot, watch, intake, options.look.rates.patience)
        )
        try:
            await stack.enter_async_context(updates)
        except InvalidToken:
            raise Ended("token", say("telegram-token-wrong")) from None
        except TelegramError as failure:
            raise Down(type(failure).__name__) from None
        if options.webhook:
            stack.callback(front.start(_looked_at(bot, options, watch), "webhook").cancel)
        report(UP)
        ground.tell(say("telegram-listening", name=f"@{bot.username}"))
        if options.everything and not bot.bot.can_read_all_group_messages:
            ground.tell(say("telegram-privacy", name=f"@{bot.username}"))
        if code := chat.claim_code():
            ground.tell(say("telegram-claim", link=f"https://t.me/{bot.username}?start={code}"))
        await watch.over(polls=not options.webhook)


def _intake(ground: Ground, options: TelegramOptions, bot: Bot, front: Front) -> Intake:
    chat, wording = ground.chat, ground.wording
    spoken = CommandOptions("telegram", help=("help", "help-telegram"), retention_days=options.retention_days)
    commands = Commands(chat, wording, chat.personas, spoken, owner=chat)
    manners = Manners(options.language, options.everything)
    return Intake(chat, ground.store, bot.bot, commands, wording, front, manners)


@asynccontextmanager
async def _bot(options: TelegramOptions, watch: Watch, say: Say) -> AsyncIterator[Bot]:
    """The bot, who knows its name. Raises Ended for a token that is refused, Down where nobody answers."""
    patience = options.look.rates.patience
    bot = Bot(
        options.token,
        base_url=f"{options.look.api}/bot",
        base_file_url=f"{options.look.api}/file/bot",
        request=Request(
            watch,
            connection_pool_size=CONNECTIONS,
            pool_timeout=5.0,
            read_timeout=min(12.0, patience),
            write_timeout=12.0,
        ),
        get_updates_request=PollingRequest(
            watch, connection_pool_size=2, pool_timeout=5.0, read_timeout=min(5.0, patience)
        ),
    )
    try:
        try:
            await bot.initialize()
        except InvalidToken:
            raise Ended("token", say("telegram-token-wrong")) from None
        except TelegramError as failure:
            raise Down(type(failure).__name__) from None
        yield bot
    finally:
        await _ended(bot.shutdown())


@asynccontextmanager
async def _polled(bot: Bot, watch: Watch, intake: Intake, patience: float) -> AsyncIterator[None]:
    """Updates that we ask for."""

    async def take(update: Update) -> None:
        await intake.take(update, watch.unreadable.pop(update.update_id, None))

    updater = Updater(bot, UpdateQueue(take))
    await updater.initialize()
    await updater.start_polling(
        timeout=timedelta(seconds=min(POLL_SECONDS, math.ceil(patience))),
        bootstrap_retries=0,
        allowed_updates=ALLOWED_UPDATES,
        error_callback=lambda failure: log.debug("asking for updates failed: %s", type(failure).__name__),
    )
    try:
        yield
    finally:
        await _ended(updater.stop())


async def _ended(work: Coroutine[Any, Any, None]) -> None:
    """Do it, but not for long: PTB waits on where it is told to stop, and goes on where it is cancelled."""
    task = asyncio.ensure_future(work)
    await asyncio.wait({task}, timeout=ENDING_SECONDS)
    while not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=ENDING_SECONDS / 10)
    if not task.cancelled() and (failure := task.exception()):
        log.debug("Telegram was left with an error: %s", type(failure).__name__)


@asynccontextmanager
async def _hooked(
    bot: Bot, options: TelegramOptions, hooks: MutableMapping[str, Hook], intake: Intake
) -> AsyncIterator[None]:
    """Updates that Telegram brings to the page's server, with a secret that only it can know."""
    secret = hmac.new(options.token.encode(), b"webhook", hashlib.sha256).hexdigest()
    queue = UpdateQueue(intake.take)

    async def hook(headers: Mapping[str, str], body: bytes) -> int:
        if not hmac.compare_digest(headers.get(SECRET_HEADER, "").encode(), secret.encode()):
            return 401
        try:
            raw = json.loads(body)
            number = int(raw["update_id"])
        except (ValueError, TypeError, KeyError):
            return 400
        if is_readable(raw):
            await queue.put(Update.de_json(raw, bot))
        else:
            await intake.take(Update(number), raw)
        return 200

    hooks[HOOK] = hook
    try:
        await bot.set_webhook(
            options.hook,
            secret_token=secret,
            allowed_updates=ALLOWED_UPDATES,
            max_connections=1,
        )
        yield
    finally:
        del hooks[HOOK]


async def _looked_at(bot: Bot, options: TelegramOptions, watch: Watch) -> None:
    """Whoever asks for updates with our token takes the webhook away, and nothing else would tell us."""
    while True:
        await asyncio.sleep(options.hook_seconds)
        try:
            found = await bot.get_webhook_info()
        except TelegramError as failure:
            log.debug("the webhook was not looked at: %s", type(failure).__name__)
            continue
        if found.url != options.hook:
            watch.is_used_twice()


async def _menu(bot: Bot, ground: Ground, names: Names) -> None:
    """The commands in Telegram's menu, in every language; told only when they have changed, until Telegram has them."""
    wording, store = ground.wording, ground.store
    menus = {
        language: [BotCommand(name, wording(language, f"command-{name}")) for name in NAMES]
        for language in wording.languages
    }
    told = hashlib.sha256(repr(menus).encode()).hexdigest()
    key = f"{names.prefix}menu"
    if await store.get(key) == told:
        return
    wait = MENU_BACK_OFF
    while True:
        try:
            for language, menu in menus.items():
                await bot.set_my_commands(menu, language_code="" if language == "en" else language)
            await store.put(key, told)
            return
        except TelegramError as failure:
            meant = meaning(failure)
            if isinstance(meant, Gone):
                log.warning("Telegram does not take the menu: %s", type(failure).__name__)
                return
            pause = meant.seconds if isinstance(meant, RetryAfter) else wait
            log.info("the menu is told again in %g s: %s", pause, type(failure).__name__)
        await asyncio.sleep(pause)
        wait = min(2 * wait, LONGEST_MENU_BACK_OFF)
