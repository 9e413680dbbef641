"""Telegram as a Channel: the messages of one answer, in the form that the host has chosen."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, InputMediaDocument, Message
from telegram.constants import ChatAction

from bots.talk.channel import ChannelError, Lost, SplitAnew
from bots.talk.pacing import Pace
from bots.talk.view import Button
from bots.talk.wording import Say
from bots.telegram.calls import Calls, Misunderstood
from bots.telegram.formats import PLAIN, Form
from bots.telegram.names import Names, Place, message_of
from bots.text.splitting import Part

T = TypeVar("T")

CAPTION_LIMIT = 1024


class TelegramChannel:
    """The Channel of one answer. ``form`` is how its texts are sent, until Telegram does not take one so: from then on
    they go out plain. What it does not take even then goes out without its entities."""

    def __init__(self, calls: Calls, names: Names, place: Place, turn: int, say: Say, form: Form = PLAIN) -> None:
        self._calls, self._names, self._place, self._turn, self._say = calls, names, place, turn, say
        self._form = form

    @property
    def pace(self) -> Pace:
        return self._calls.pace(self._chat)

    def split(self, text: str) -> Sequence[Part]:
        return self._form.split(text)

    async def send(self, part: Part, buttons: Sequence[Button]) -> str:
        try:
            sent = await self._send(part, buttons)
        except Misunderstood:
            self._become_plain()
            sent = await self._send(Part(part.text), buttons)
        self._calls.saw(sent.chat.id, sent.message_id)
        return self._names.message(sent.chat.id, sent.message_id)

    async def edit(self, ref: str, part: Part, buttons: Sequence[Button]) -> None:
        try:
            await self._edit(ref, part, buttons)
        except Misunderstood:
            self._become_plain()
            await self._edit(ref, Part(part.text), buttons)

    async def delete(self, ref: str) -> None:
        await self._call(self._bot.delete_message(self._chat, self._number(ref)))

    async def send_file(self, name: str, data: bytes, caption: str) -> str:
        """As it is never called: a file is put into a message that is there, by ``fill_file``."""
        raise NotImplementedError

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
        reply = self._calls.reply_to(self._place)
        work = self._form.send(self._bot, self._chat, part, self._keyboard(buttons), reply, self._place.topic)
        return await self._call(work)

    async def _edit(self, ref: str, part: Part, buttons: Sequence[Button]) -> None:
        await self._call(self._form.edit(self._bot, self._chat, self._number(ref), part, self._keyboard(buttons)))

    def _become_plain(self) -> None:
        """Raises SplitAnew where the form was another one: a part of that may be too long for a plain message."""
        if self._form is not PLAIN:
            self._form = PLAIN
            raise SplitAnew

    async def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return await self._calls(work, self._place.chat)

    def _number(self, ref: str) -> int:
        """The message's number. Raises Lost where it was in a group that has moved since."""
        chat, number = message_of(ref)
        if chat != self._chat:
            raise Lost
        return number

    def _keyboard(self, buttons: Sequence[Button]) -> InlineKeyboardMarkup | None:
        row = [InlineKeyboardButton(self._say(f"button-{b}"), callback_data=f"{b}:{self._turn}") for b in buttons]
        return InlineKeyboardMarkup([row]) if row else None


class DraftingChannel(TelegramChannel):
    """One in a private chat, whose growing text is a native draft: the message that was reserved keeps its place and
    its Stop, and goes when the whole answer is there as a message of its own."""

    async def draft(self, number: int, part: Part) -> None:
        """Show the text of part ``number`` as it grows. Telegram shows it for half a minute; the answer does without
        one that it does not take."""
        draft = self._turn * 16 + number + 1
        with suppress(Misunderstood):
            await self._call(self._form.draft(self._bot, self._chat, draft, part, self._place.topic))

    async def settle(self, ref: str, part: Part, buttons: Sequence[Button]) -> str:
        """The whole text as a message instead of the reserved one and the draft. Returns its ref."""
        settled = await self.send(part, buttons)
        with suppress(ChannelError, OSError):  # the answer is there: a placeholder beside it is the lesser evil
            await self.delete(ref)
        return settled
