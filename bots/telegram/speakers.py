"""Who says something on Telegram, where, and in which language they are spoken to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from telegram import CallbackQuery, Message, User
from telegram import Chat as TelegramChat
from telegram.constants import ChatType

from bots.talk.commands import Outcome
from bots.talk.wording import Say, Wording
from bots.telegram.messages import in_group, topic_of
from bots.telegram.names import Place, person
from core.chat.chat import Chat
from core.chat.reply import Reply


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who says something where, and how they are spoken to."""

    name: str
    place: Place
    language: str
    say: Say

    @property
    def places(self) -> tuple[str, ...]:
        """By which they may be admitted, beside themselves."""
        return (person(self.place.chat),) if self.place.group else ()


class Screen(Protocol):
    """Where what comes of an update is shown. Nothing of it is waited for."""

    def saw(self, chat: int, message: int) -> None:
        """A message came in a chat."""

    def follow(self, reply: Reply) -> None:
        """Show an answer to its end."""

    def tell(self, speaker: Speaker, outcome: Outcome[Reply], instead_of: int | None = None) -> None:
        """Show what came of a command, or a sentence; ``instead_of``: in this message of ours."""

    def toast(self, press: CallbackQuery, sentence: str) -> None:
        """Answer a press of a button; whoever pressed reads the sentence, if there is one."""

    def whereabouts(self, chat: int) -> int:
        """Where a chat is by now: a group may have become a supergroup with another id."""

    async def migrated(self, old: int, new: int) -> None:
        """A group has become a supergroup with another id."""


class Speakers:
    """Knows everybody's language: the one that they chose, else ``language``, else (that being "") their app's."""

    def __init__(self, chat: Chat, wording: Wording, language: str) -> None:
        self._chat, self._wording, self._language = chat, wording, language

    async def of(self, message: Message) -> Speaker | None:
        """Who says it: not bots and not copies of a channel's posts; an anonymous admin speaks as the group."""
        user, chat = message.from_user, message.sender_chat
        if message.is_automatic_forward or (chat is None and (user is None or user.is_bot)):
            return None
        number = chat.id if chat is not None else user.id if user is not None else 0
        place = Place(message.chat.id, message.message_id, topic_of(message), in_group(message))
        return await self.named(person(number), place, user)

    async def who_pressed(self, press: CallbackQuery) -> Speaker:
        """Who pressed a button; the message that it is under may be too old to be known."""
        chat = press.message.chat if press.message is not None else TelegramChat(press.from_user.id, ChatType.PRIVATE)
        topic = topic_of(press.message) if isinstance(press.message, Message) else None
        place = Place(chat.id, topic=topic, group=chat.type != ChatType.PRIVATE)
        return await self.named(person(press.from_user.id), place, press.from_user)

    async def named(self, name: str, place: Place, user: User | None = None) -> Speaker:
        """Somebody of that name; ``user`` tells of their app."""
        code = user.language_code if user is not None else None
        chosen = await self._chat.language(name) or self._language or self._wording.choose([code or ""])
        return Speaker(name, place, chosen, self._wording.bind(chosen))
