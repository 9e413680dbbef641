"""Calls of the Bot API: how often, how long they are waited for, and what Telegram's errors mean to the house."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from telegram import Bot, ReplyParameters
from telegram.error import BadRequest, ChatMigrated, EndPointNotFound, Forbidden, RetryAfter, TelegramError

from bots.talk import channel
from bots.talk.channel import ChannelError, Gone, Lost, Unchanged, Unreachable
from bots.talk.pacing import Pace, Pacing, Rate
from bots.telegram.names import Place
from core.errors import StoreError, StoreFull

log = logging.getLogger(__name__)
T = TypeVar("T")

os.environ.setdefault("PTB_TIMEDELTA", "true")  # else PTB warns of its own future whenever it makes a RetryAfter

CALL_SECONDS = 15.0
"""After so long a call counts as lost; it may have arrived."""
BURSTS = 6
"""Into how many the calls of a second are parted: bursts could meet where they arrive, some having taken longer."""
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
    over_all: int = 24
    patience: float = CALL_SECONDS


class Calls:
    """Calls of the Bot API: bounded in time, with errors that the house knows, in chats that may have moved."""

    def __init__(self, bot: Bot, migrated: Callable[[int, int], Awaitable[None]], rates: Rates) -> None:
        """``migrated`` is told when a group has become a supergroup with another id."""
        self.bot = bot
        self._migrated, self._rates = migrated, rates
        self.moved: dict[int, int] = {}
        """Groups that have become supergroups, and what."""
        self._newest: OrderedDict[int, int] = OrderedDict()
        self._pacing = Pacing(rates.over_all / BURSTS, 1 / BURSTS, clock=asyncio.get_running_loop().time)

    async def __call__(self, work: Coroutine[Any, Any, T], chat: int) -> T:
        """What the call gives. Raises ChannelError, TimeoutError."""
        try:
            async with asyncio.timeout(self._rates.patience):
                return await work
        except ChatMigrated as moved:
            try:
                await self.move(chat, moved.new_chat_id)
            except (StoreError, StoreFull, OSError) as failure:
                log.error("where the chat has moved to is not stored yet: %s", failure)
                raise Unreachable(type(failure).__name__) from failure
            raise Lost from moved
        except TelegramError as error:
            raise meaning(error) from error

    def pace(self, chat: int) -> Pace:
        """The budget of a chat; groups have negative ids."""
        return self._pacing.chat(str(chat), self._rates.group if chat < 0 else self._rates.private)

    def chat(self, chat: int) -> int:
        """Where a chat is by now."""
        return self.moved.get(chat, chat)

    async def move(self, old: int, new: int) -> None:
        """A group has become a supergroup."""
        await self._migrated(old, new)
        self.moved[old] = new

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
        """The question is quoted where the answer would not be taken for its own: in groups, and when more was said.

        In a group that has moved its number is another message's.
        """
        moved = self.chat(place.chat) != place.chat
        if moved or not place.message or (not place.group and self.is_newest(place.chat, place.message)):
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
    if isinstance(error, EndPointNotFound):  # an older server
        return Misunderstood()
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
