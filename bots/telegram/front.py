"""What one bot shows: answers, sentences and toasts, each as a task of its own, and the files that people send."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from telegram import Bot, CallbackQuery, InlineKeyboardButton, InlineKeyboardMarkup, InputFile

from bots.talk import channel
from bots.talk.channel import ChannelError, Gone, Unchanged
from bots.talk.commands import Outcome
from bots.talk.files import LIMIT, Unreadable, check_size, fetch, text_from
from bots.talk.show import show
from bots.talk.wording import Wording
from bots.telegram.calls import Calls, Rates
from bots.telegram.channel import DraftingChannel, TelegramChannel
from bots.telegram.formats import PLAIN, RICH
from bots.telegram.intake import CHOICE
from bots.telegram.names import PREFIX, Names, Place, chat_of, person
from bots.telegram.speakers import Speaker
from core.chat.chat import Chat
from core.chat.reply import Reply
from core.errors import ConchError
from core.store.store import Store

log = logging.getLogger(__name__)

OFFICIAL = "https://api.telegram.org"
RETRY_SECONDS = 5.0
FIRST_BACK_OFF = 0.25
"""Seconds before a sentence is told again: doubled each time."""
TRIES = 6
MOST_TOLD = 5
"""Sentences that wait to be told in one chat; more are dropped: somebody plays with us."""
TEXT_LIMIT = 4096


@dataclass(frozen=True, slots=True)
class Look:
    """How things are shown: by which Bot API server (``api``), how often, and whether in Telegram's own newer ways."""

    api: str = OFFICIAL
    rates: Rates = Rates()  # noqa: RUF009  # frozen
    drafts: bool = False
    rich: bool = False


class Front:
    """What one bot shows: answers and sentences, each as a task of its own."""

    def __init__(self, bot: Bot, chat: Chat, store: Store, wording: Wording, look: Look) -> None:
        self.names = Names(bot.id)
        self._bot, self._chat, self._store, self._wording = bot, chat, store, wording
        self._api, self._drafts, self._form = look.api, look.drafts, RICH if look.rich else PLAIN
        self._calls, self._patience = Calls(bot, self._move, look.rates), look.rates.patience
        self._tasks: set[asyncio.Task[None]] = set()
        self._fetching: set[asyncio.Task[None]] = set()
        self._shown: dict[int, asyncio.Task[None]] = {}
        self._telling: dict[int, int] = {}

    async def load(self) -> None:
        """Read which groups have moved in earlier lives."""
        self._calls.moved.update(json.loads(await self._store.get(self._moved_key) or "[]"))

    def start(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Do it beside everything else."""
        task = asyncio.create_task(work, name=f"telegram {name}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def close(self) -> None:
        """Let what is being shown come to its end, for the third of a call's patience; files are fetched next time."""
        for task in self._fetching:
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._patience / 3)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def saw(self, chat: int, message: int) -> None:
        self._calls.saw(chat, message)

    def follow(self, reply: Reply) -> None:
        turn = reply.turn
        if turn.id not in self._shown and not turn.shown and turn.place:
            self._shown[turn.id] = self.start(self._follow(reply), f"turn {turn.id}")

    async def _follow(self, reply: Reply) -> None:
        turn = reply.turn
        try:
            if turn.incomplete:
                fetching = self.start(self._fetch(reply), f"files of turn {turn.id}")
                self._fetching.add(fetching)
                fetching.add_done_callback(self._fetching.discard)
            say = self._wording.bind(turn.language)
            place = Place.read(turn.place)
            kind = DraftingChannel if self._drafts and not place.group else TelegramChannel
            await show(reply, kind(self._calls, self.names, place, turn.id, say, self._form), say)
        finally:
            del self._shown[turn.id]

    async def _fetch(self, reply: Reply) -> None:
        """The texts of a question's files; what cannot be had ends it with a word."""
        turn, cause = reply.turn.id, ""
        wanted = [file.source for file in reply.turn.attachments if file.text is None]
        try:
            texts = [await text_from(partial(self._bytes, source)) for source in wanted]
        except Unreadable as unreadable:
            texts, cause = [], unreadable.cause
        while True:
            try:
                return await (self._chat.fail(turn, cause) if cause else self._chat.attach(turn, texts))
            except (ConchError, OSError) as failure:
                log.error("the files of turn %d are not stored yet: %s", turn, failure)
            await asyncio.sleep(RETRY_SECONDS)

    async def _bytes(self, source: str) -> bytes:
        """A local server may have put the file on this very disk."""
        found = await self._calls(self._bot.get_file(source), 0)
        check_size(found.file_size)
        path = found.file_path or ""
        if not path.startswith(("http://", "https://")):
            if self._api == OFFICIAL:
                raise Unreadable("file_unreadable")
            return await asyncio.to_thread(_read, Path(path))
        async with httpx.AsyncClient(timeout=self._patience) as client:
            return await fetch(client, path, (urlsplit(self._api).hostname or "",))

    def tell(self, speaker: Speaker, outcome: Outcome[Reply], instead_of: int | None = None) -> None:
        chat = speaker.place.chat
        if self._telling.get(chat, 0) >= MOST_TOLD:
            log.info("a sentence was not told: too many wait in its chat")
            return
        self._telling[chat] = self._telling.get(chat, 0) + 1
        task = self.start(self._bring(speaker, outcome, instead_of), "sentence")
        task.add_done_callback(lambda _: self._told(chat))

    def _told(self, chat: int) -> None:
        self._telling[chat] -= 1
        if not self._telling[chat]:
            del self._telling[chat]

    async def _bring(self, speaker: Speaker, outcome: Outcome[Reply], instead_of: int | None) -> None:
        """To where it may be read: a file is for its person alone, whose group hears only where it is."""
        here, own = speaker.place, chat_of(speaker.name) or 0
        if outcome.file is not None and here.group and own != here.chat:
            sent = own > 0 and await self._tell(replace(speaker, place=Place(own)), outcome, None)
            outcome = Outcome(speaker.say("sent-privately" if sent else "write-first"), done=sent)
        await self._tell(speaker, outcome, instead_of)

    async def _tell(self, speaker: Speaker, outcome: Outcome[Reply], instead_of: int | None) -> bool:
        """Say it until Telegram has taken it; False where it does not."""
        for tries in range(TRIES):
            pace = self._calls.pace(self._calls.chat(speaker.place.chat))
            try:
                async with pace.slot("final"):
                    await self._say(speaker, outcome, instead_of)
                return True
            except Unchanged:
                return True
            except channel.RetryAfter as refusal:
                pace.pause(refusal.seconds)
            except Gone:
                if instead_of is None:
                    return False
                instead_of = None
            except (ChannelError, OSError):
                await asyncio.sleep(FIRST_BACK_OFF * 2.0**tries)
        log.warning("a sentence was not told: Telegram did not take it")
        return False

    async def _say(self, speaker: Speaker, outcome: Outcome[Reply], instead_of: int | None) -> None:
        place, file = speaker.place, outcome.file
        chat = self._calls.chat(place.chat)
        if file is not None:
            document = InputFile(file.data, filename=file.name)
            work = self._bot.send_document(chat, document, caption=file.caption, message_thread_id=place.topic)
            await self._calls(work, place.chat)
        elif instead_of is not None:
            await self._calls(self._bot.edit_message_text(outcome.text, chat, instead_of), place.chat)
        else:
            sent = await self._calls(
                self._bot.send_message(
                    chat,
                    outcome.text[:TEXT_LIMIT],
                    reply_markup=_choices(speaker, outcome),
                    reply_parameters=self._calls.reply_to(place),
                    message_thread_id=place.topic,
                ),
                place.chat,
            )
            self._calls.saw(chat, sent.message_id)

    def toast(self, press: CallbackQuery, sentence: str) -> None:
        self.start(self._toast(press, sentence), "toast")

    async def _toast(self, press: CallbackQuery, sentence: str) -> None:
        """It may be too late: Telegram waits for it for some seconds only."""
        with suppress(ChannelError, OSError):
            await self._calls(self._bot.answer_callback_query(press.id, sentence[:200] or None), 0)

    def whereabouts(self, chat: int) -> int:
        return self._calls.chat(chat)

    async def migrated(self, old: int, new: int) -> None:
        await self._calls.move(old, new)

    async def _move(self, old: int, new: int) -> None:
        """Everything that goes by a group's id; what else the settings say of it only its host can change."""
        await self._chat.move(self.names.in_chat(old), self.names.in_chat(new))
        await self._chat.move_place(person(old), person(new))
        await self._store.put(self._moved_key, json.dumps(list({**self._calls.moved, old: new}.items())))
        log.warning("the group %s is %s now: where the settings name it, change them", person(old), person(new))

    @property
    def _moved_key(self) -> str:
        return f"{self.names.prefix}moved"

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (failure := task.exception()):
            log.error("%s failed", task.get_name(), exc_info=failure)


def _choices(speaker: Speaker, outcome: Outcome[Reply]) -> InlineKeyboardMarkup | None:
    """A button for each way to go on, good for this person alone."""
    whose = speaker.name.removeprefix(PREFIX)
    rows = [
        [InlineKeyboardButton(choice.label, callback_data=data)]
        for choice in outcome.choices
        if len((data := f"{CHOICE}:{whose}:{choice.command}:{choice.argument}").encode()) <= 64
    ]
    return InlineKeyboardMarkup(rows) if rows else None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LIMIT + 1)
    except OSError:
        raise Unreadable("file_unreadable") from None
    check_size(len(data))
    return data
