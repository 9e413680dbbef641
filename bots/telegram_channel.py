"""Telegram as a Channel: the messages of one answer, how often a chat is called, and what Telegram's errors mean."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from telegram import (
    Bot,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    InputMediaDocument,
    LinkPreviewOptions,
    Message,
    MessageEntity,
    ReplyParameters,
)
from telegram.constants import ChatAction
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter, TelegramError

from bots import channel
from bots.channel import ChannelError, Gone, Lost, Unchanged, Unreachable
from bots.pacing import Pace, Pacing, Rate
from bots.splitting import Part, entity_parts
from bots.telegram_names import Names, Place, message_of
from bots.view import Button
from bots.wording import Say

log = logging.getLogger(__name__)
T = TypeVar("T")

os.environ.setdefault("PTB_TIMEDELTA", "true")  # else PTB warns of its own future whenever it makes a RetryAfter

CALL_SECONDS = 15.0
"""After so long a call counts as lost; it may have arrived."""
CAPTION_LIMIT = 1024
CHATS_REMEMBERED = 10_000

_UNCHANGED = "message is not modified"
_GONE = (
    "not found",  # message to edit, message to delete, chat, message thread, user
    "can't be edited",
    "can't be deleted",
    "not enough rights",
    "have no rights",
    "administrator rights",
    "topic_closed",
    "topic_deleted",
    "topic_id_invalid",
    "write_forbidden",
    "send_plain_forbidden",
    "is_blocked",
    "is deactivated",
    "message_id_invalid",
    "peer_id_invalid",
    "chat_restricted",
    "bot was kicked",
    "bot is not a member",
)
"""What Telegram says of messages and chats that are no more, or not ours to write in; it has no codes for these."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How often Telegram lets itself be called; it counts where the calls arrive, so a little less often than that.

    It allows about a call a second in a private chat, where short bursts pass; 20 a minute in a group, edits and typing
    among them; 30 a second ``over_all``. ``patience``: seconds after which nobody waits for a call any more.
    """

    private: Rate = Rate(interval=1.0, typing=5.0, opening=True)  # noqa: RUF009  # frozen
    group: Rate = Rate(  # noqa: RUF009  # likewise
        interval=1.0, preview=5.0, line=10.0, typing=math.inf, calls_per_minute=19, previews_per_minute=12
    )
    over_all: int = 25
    patience: float = CALL_SECONDS


class Calls:
    """Calls of the Bot API: bounded in time, with errors that the house knows, in chats that may have moved."""

    def __init__(self, bot: Bot, migrated: Callable[[int, int], Awaitable[None]], rates: Rates) -> None:
        """``migrated`` is told when a group has become a supergroup with another id."""
        self.bot = bot
        self._migrated, self._rates = migrated, rates
        self._moved: dict[int, int] = {}
        self._newest: OrderedDict[int, int] = OrderedDict()
        self._pacing = Pacing(rates.over_all)

    async def __call__(self, work: Coroutine[Any, Any, T], chat: int) -> T:
        """What the call gives. Raises ChannelError, TimeoutError."""
        try:
            async with asyncio.timeout(self._rates.patience):
                return await work
        except ChatMigrated as moved:
            await self.move(chat, moved.new_chat_id)
            raise Lost from moved
        except TelegramError as error:
            raise meaning(error) from error

    def pace(self, chat: int) -> Pace:
        """The budget of a chat; groups have negative ids."""
        return self._pacing.chat(str(chat), self._rates.group if chat < 0 else self._rates.private)

    def chat(self, chat: int) -> int:
        """Where a chat is by now."""
        return self._moved.get(chat, chat)

    async def move(self, old: int, new: int) -> None:
        """A group has become a supergroup."""
        self._moved[old] = new
        await self._migrated(old, new)

    def saw(self, chat: int, message: int) -> None:
        """A message, anybody's, is the newest of its chat."""
        self._newest[chat] = max(message, self._newest.get(chat, 0))
        self._newest.move_to_end(chat)
        while len(self._newest) > CHATS_REMEMBERED:
            self._newest.popitem(last=False)

    def is_newest(self, chat: int, message: int) -> bool:
        """Is this the newest message of its chat, as far as is known?"""
        return self._newest.get(chat) == message

    def reply_to(self, place: Place) -> ReplyParameters | None:
        """The question is quoted where the answer would not be taken for its own: in groups, and when more was said."""
        if not place.message or (not place.group and self.is_newest(place.chat, place.message)):
            return None
        return ReplyParameters(place.message, allow_sending_without_reply=True)


def meaning(error: TelegramError) -> ChannelError:
    """What one of PTB's errors means to whoever shows an answer."""
    text = error.message.casefold()
    if isinstance(error, RetryAfter):
        wait = error.retry_after
        return channel.RetryAfter(wait.total_seconds() if isinstance(wait, timedelta) else float(wait))
    if isinstance(error, Forbidden):
        return Gone()
    if isinstance(error, BadRequest):
        if _UNCHANGED in text:
            return Unchanged()
        if any(words in text for words in _GONE):
            return Gone()
        log.warning("Telegram takes a call amiss: %s", error.message)
        return Misunderstood()
    return Unreachable(type(error).__name__)


class Misunderstood(Gone):
    """Telegram does not take the message as it is: it may take a plainer one."""


class TelegramChannel:
    """The Channel of one answer."""

    def __init__(self, calls: Calls, names: Names, place: Place, turn: int, say: Say) -> None:
        self._calls, self._names, self._place, self._turn, self._say = calls, names, place, turn, say

    @property
    def pace(self) -> Pace:
        return self._calls.pace(self._chat)

    def split(self, text: str) -> Sequence[Part]:
        return entity_parts(text)

    async def send(self, part: Part, buttons: Sequence[Button]) -> str:
        try:
            sent = await self._send(part, buttons)
        except Misunderstood:
            sent = await self._send(Part(part.text), buttons)
        return self._placed(sent)

    async def edit(self, ref: str, part: Part, buttons: Sequence[Button]) -> None:
        try:
            await self._edit(ref, part, buttons)
        except Misunderstood:
            await self._edit(ref, Part(part.text), buttons)

    async def delete(self, ref: str) -> None:
        await self._call(self._bot.delete_message(self._chat, self._number(ref)))

    async def send_file(self, name: str, data: bytes, caption: str) -> str:
        sent = self._bot.send_document(
            self._chat,
            InputFile(data, filename=name),
            caption=caption[:CAPTION_LIMIT],
            message_thread_id=self._place.topic,
        )
        return self._placed(await self._call(sent))

    async def fill_file(self, ref: str, name: str, data: bytes, caption: str) -> None:
        file = InputMediaDocument(InputFile(data, filename=name, attach=True), caption=caption[:CAPTION_LIMIT])
        await self._call(self._bot.edit_message_media(file, self._chat, self._number(ref)))

    async def typing(self) -> None:
        await self._call(self._bot.send_chat_action(self._chat, ChatAction.TYPING, message_thread_id=self._place.topic))

    @property
    def _bot(self) -> Bot:
        return self._calls.bot

    @property
    def _chat(self) -> int:
        return self._calls.chat(self._place.chat)

    async def _send(self, part: Part, buttons: Sequence[Button]) -> Message:
        return await self._call(
            self._bot.send_message(
                self._chat,
                part.text,
                entities=_entities(part),
                reply_markup=self._keyboard(buttons),
                reply_parameters=self._calls.reply_to(self._place),
                message_thread_id=self._place.topic,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )
        )

    async def _edit(self, ref: str, part: Part, buttons: Sequence[Button]) -> None:
        await self._call(
            self._bot.edit_message_text(
                part.text,
                self._chat,
                self._number(ref),
                entities=_entities(part),
                reply_markup=self._keyboard(buttons),
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )
        )

    async def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return await self._calls(work, self._place.chat)

    def _number(self, ref: str) -> int:
        """The message's number. Raises Lost where it was in a group that has moved since."""
        chat, number = message_of(ref)
        if chat != self._chat:
            raise Lost
        return number

    def _placed(self, message: Message) -> str:
        self._calls.saw(message.chat.id, message.message_id)
        return self._names.message(message.chat.id, message.message_id)

    def _keyboard(self, buttons: Sequence[Button]) -> InlineKeyboardMarkup | None:
        row = [
            InlineKeyboardButton(self._say(f"button-{name}"), callback_data=f"{name}:{self._turn}") for name in buttons
        ]
        return InlineKeyboardMarkup([row]) if row else None


def _entities(part: Part) -> list[MessageEntity]:
    return [
        MessageEntity(
            entity.kind, entity.offset, entity.length, url=entity.url or None, language=entity.language or None
        )
        for entity in part.entities
    ]
