"""Messages that people write: which of them are for the bot, and what they ask; edited and deleted ones, too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from weakref import WeakValueDictionary

import discord

from bots.discord.catching_up import Seen
from bots.discord.context import Desk, places, readable, scope, words
from bots.discord.names import Place, conversation_of, name_of
from bots.talk.channel import ChannelError
from bots.talk.wording import refused
from core.chat.reply import Reply
from core.errors import NotAllowed, NotFound, NotYours, Refused
from core.messages import Attachment, Question, Revision

log = logging.getLogger(__name__)
WRITTEN = (discord.MessageType.default, discord.MessageType.reply)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a message asks. ``blind``: Discord keeps its text from us; ``quote_hidden``: that of what it replies to.
    ``unread``: why a file of it is not read, as the key of a sentence."""

    text: str
    quote: str = ""
    parent: str | None = None
    files: tuple[Attachment, ...] = ()
    unread: str | None = None
    blind: bool = False
    quote_hidden: bool = False


class Messages:
    """``caught_up`` waits until what was said in a channel before is dealt with."""

    def __init__(self, desk: Desk, seen: Seen, caught_up: Callable[[discord.Message], Awaitable[None]]) -> None:
        self._desk, self._seen, self._caught_up = desk, seen, caught_up
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def written(self, message: discord.Message, *, live: bool = True) -> None:
        """Somebody has written something; not ``live``: it was found in the history."""
        if not await self._is_for_us(message):
            return
        if not live:
            await self._find_roles(message)
        direct = message.author.id if message.guild is None else None
        async with self._seen.handling(message.channel.id, message.id, direct):
            if live:
                await self._caught_up(message)
            async with self._in_order(message):
                await self._ask(message)

    async def edited(self, message: discord.Message) -> None:
        """A question in other words, or with a mention that it lacked. A preview that arrives is no edit."""
        if message.edited_at is None or not await self._is_for_us(message):
            return
        names, user = self._desk.link.names, name_of(message.author.id)
        asked = self._asked(message)
        if asked.blind:
            return
        async with self._in_order(message):
            try:
                event = names.edited(message.id, message.edited_at.timestamp())
                at, places = message.edited_at.timestamp(), self._places(message)
                reply = await self._desk.chat.edit(
                    Revision(names.event(message.id), user, event, asked.text, at=at, places=places)
                )
            except NotFound:
                await self._ask(message)
            except NotYours:
                return
            except Refused as refusal:
                await self._refuse(message, refusal)
            else:
                self._desk.show(reply)

    async def deleted(self, channel: int, message: int) -> None:
        """Somebody, not always who wrote it, has deleted a question: its answer goes, too.

        A part of an answer is no question: we delete those ourselves where a new answer is shorter.
        """
        chat, link = self._desk.chat, self._desk.link
        try:
            turn = await chat.turn(link.names.event(message))
            place = Place.read(turn.place)
            if place is None or place.question != message:
                return
            gone = await chat.delete(turn.id, turn.user)
        except NotFound:
            return
        for ref in gone.refs:
            number = link.names.message(ref)
            if number is None or number == message:
                continue
            async with link.pace(channel).slot("final"):
                try:
                    await link.calls(link.channel(channel).get_partial_message(number).delete())
                except ChannelError as failure:
                    log.debug("a message of a deleted question stays: %s", failure)

    async def _ask(self, message: discord.Message) -> None:
        asked = self._asked(message)
        if asked.blind:
            await self._tell(message, "mention-me")
            return
        if asked.unread is not None:
            await self._tell(message, asked.unread)
            if not asked.text and not asked.files:
                return
        if asked.quote_hidden:
            await self._tell(message, "quote-hidden")
        try:
            reply = await self._accepted(message, asked, asked.parent or await self._above_thread(message))
        except Refused as refusal:
            await self._refuse(message, refusal)
        else:
            self._desk.told.over(name_of(message.author.id))
            self._desk.show(reply)

    async def _accepted(self, message: discord.Message, asked: Asked, parent: str | None) -> Reply:
        """The commit. A message of ours that is replied to may be no answer, or no answer for this person's eyes."""
        desk = self._desk
        question = Question(
            conversation_of(message.channel.id, message.author.id),
            name_of(message.author.id),
            desk.link.names.event(message.id),
            asked.text,
            place=str(Place(message.channel.id, question=message.id, user=message.author.id)),
            at=message.created_at.timestamp(),
            parent=parent,
            language=desk.language(*self._locales(message)),
            places=self._places(message),
            scope=scope(message.guild, message.channel),
            quote=asked.quote,
            attachments=asked.files,
        )
        try:
            return await desk.chat.send(question)
        except (NotFound, NotYours):
            if parent is None:
                raise
            return await desk.chat.send(replace(question, parent=None))

    async def _above_thread(self, message: discord.Message) -> str | None:
        """The answer that a thread was made from, for the first question of a person there."""
        thread = message.channel
        if not isinstance(thread, discord.Thread) or await self._has_spoken(message):
            return None
        return self._desk.link.names.event(thread.id)  # a thread has the id of its first message

    async def _has_spoken(self, message: discord.Message) -> bool:
        conversation = conversation_of(message.channel.id, message.author.id)
        try:
            await self._desk.chat.history(conversation, name_of(message.author.id))
        except NotFound:
            return False
        return True

    def _is_addressed(self, message: discord.Message) -> bool:
        """Is it for the bot by itself: written to it, with its name, or as a reply to it?"""
        if message.author.bot or message.webhook_id or message.type not in WRITTEN:
            return False
        me = self._desk.link.me
        if message.guild is None or me in message.mentions:
            return True
        if any(role.tags is not None and role.tags.bot_id == me.id for role in message.role_mentions):
            return True
        return self._replied_to(message) == me

    async def _is_for_us(self, message: discord.Message) -> bool:
        """Also what is written in the channels that the host lists, and in threads where its person spoke with us."""
        if self._is_addressed(message):
            return True
        options, channel = self._desk.options, message.channel
        if not options.message_content or message.author.bot or message.webhook_id or message.type not in WRITTEN:
            return False
        if message.mentions or self._replied_to(message) is not None:
            return False  # that is for somebody else
        listed = {channel.id, getattr(channel, "parent_id", None)} & options.channels
        if listed or not isinstance(channel, discord.Thread):
            return bool(listed)
        return await self._has_spoken(message) or await self._is_answer(channel.id)

    async def _is_answer(self, message: int) -> bool:
        try:
            await self._desk.chat.turn(self._desk.link.names.event(message))
        except NotFound:
            return False
        return True

    def _asked(self, message: discord.Message) -> Asked:
        """What it says, and what that is about."""
        me = self._desk.link.me
        text = words(message, me)
        files, unread = readable(message.attachments)
        seen = bool(message.content or message.attachments or message.stickers or message.guild is None)
        asked = Asked(text, files=files, unread=unread, blind=not seen)
        if not (text or files or unread) and message.stickers:
            asked = replace(asked, unread="kind-unknown")
        reference = message.reference
        replied = reference.resolved if reference is not None else None
        if reference is None or not isinstance(replied, discord.Message):
            return asked
        if replied.author == me:
            return replace(asked, parent=self._desk.link.names.event(replied.id))
        return replace(asked, quote=words(replied, me), quote_hidden=not replied.content)

    def _replied_to(self, message: discord.Message) -> discord.abc.User | None:
        """Whose message it replies to."""
        replied = message.reference.resolved if message.reference is not None else None
        return replied.author if isinstance(replied, discord.Message) else None

    async def _find_roles(self, message: discord.Message) -> None:
        """Histories do not tell the roles of who wrote, by which people may be admitted or have limits of their own."""
        if message.guild is None or isinstance(message.author, discord.Member):
            return
        try:
            message.author = await self._desk.link.calls(message.guild.fetch_member(message.author.id))
        except ChannelError as failure:
            log.debug("somebody's roles are not known: %s", failure)

    def _places(self, message: discord.Message) -> tuple[str, ...]:
        return places(message.guild, message.channel, getattr(message.author, "roles", ()))

    def _locales(self, message: discord.Message) -> tuple[object, ...]:
        return (message.guild.preferred_locale,) if message.guild is not None else ()

    async def _refuse(self, message: discord.Message, refusal: Refused) -> None:
        """Once per cause and person, not each time. A stranger gets the code by which an owner admits them."""
        desk, user = self._desk, name_of(message.author.id)
        if not desk.told.due(user, refusal.cause):
            return
        say = await desk.say(user, *self._locales(message))
        sentence = refused(say, refusal)
        if isinstance(refusal, NotAllowed) and not desk.chat.shut_out(user, *self._places(message)):
            sentence = say("admit-code", code=await desk.chat.ask_admission(user))
        await desk.tell(message, sentence)

    async def _tell(self, message: discord.Message, key: str) -> None:
        user = name_of(message.author.id)
        if self._desk.told.due(user, key):
            say = await self._desk.say(user, *self._locales(message))
            await self._desk.tell(message, say(key))

    @asynccontextmanager
    async def _in_order(self, message: discord.Message) -> AsyncIterator[None]:
        """The messages of a conversation one after the other, as they came."""
        key = conversation_of(message.channel.id, message.author.id)
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        async with lock:
            yield
