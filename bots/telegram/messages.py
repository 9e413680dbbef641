"""What a message says to us: a command, a question, files, or nothing at all. Pure: reads a message, asks nobody.

Commands and mentions are found by the entities that Telegram marks, whose offsets PTB counts in UTF-16 as it must be.
"""

from __future__ import annotations

from dataclasses import dataclass

from telegram import Message, MessageEntity, User
from telegram.constants import ChatType

from bots.talk.files import Unreadable, attachment
from bots.text.characters import units
from core.messages import Attachment

CUT_FROM = 4000
"""UTF-16 units from which a message may be one that the client cut: more of it may follow."""
CUT_AT = 4096
MORE_WITHIN = 2
"""Seconds within which the next piece of a long text is sent."""


@dataclass(frozen=True, slots=True)
class Command:
    """``/name rest``, meant for us."""

    name: str
    argument: str


@dataclass(frozen=True, slots=True)
class Words:
    """The words that are for us, without our name in them; what is quoted; and until when more may come."""

    text: str
    quote: str
    more_until: float | None


def in_group(message: Message) -> bool:
    """Is it in a group, where not everything is for us?"""
    return message.chat.type in (ChatType.GROUP, ChatType.SUPERGROUP)


def topic_of(message: Message) -> int | None:
    """The forum topic; a thread number alone says nothing, plain replies have one too."""
    return message.message_thread_id if message.is_topic_message else None


def is_said(message: Message) -> bool:
    """Does somebody say something in it? Most service messages say nothing to anybody."""
    return bool(message.text or message.effective_attachment or message.story or message.caption)


def command_of(message: Message, me: User) -> Command | None:
    """The command that a message begins with; None for none, and for another bot's."""
    if (mark := _command_mark(message)) is None:
        return None
    word = message.parse_entity(mark)
    name, _, bot = word.removeprefix("/").partition("@")
    if bot and bot.casefold() != (me.username or "").casefold():
        return None
    return Command(name.casefold(), (message.text or "")[len(word) :].strip())


def is_others_command(message: Message, me: User) -> bool:
    """Is it a command for another bot?"""
    return _command_mark(message) is not None and command_of(message, me) is None


def _command_mark(message: Message) -> MessageEntity | None:
    """The mark of a command at the very beginning, where there may be marks of its looks, too."""
    marks = message.entities if message.text else ()
    return next((mark for mark in marks if mark.type == MessageEntity.BOT_COMMAND and mark.offset == 0), None)


def answers(message: Message, me: User) -> bool:
    """Is it a reply to a message of ours?"""
    return message.reply_to_message is not None and _is_from(message.reply_to_message, me)


def is_for(message: Message, me: User) -> bool:
    """Is it for us: in private always, in a group where it names us or replies to us?"""
    return (
        not in_group(message) or answers(message, me) or any(_names(message, entity, me) for entity in _marks(message))
    )


def words_of(message: Message, me: User) -> Words:
    """What it asks."""
    text = _without_name(message, me)
    size = units(message.text or "")
    if CUT_FROM <= size < CUT_AT:  # cut where a line or a word ended, whose blank Telegram took away
        text += "\n"
    more = message.date.timestamp() + MORE_WITHIN if size >= CUT_FROM else None
    return Words(text, _quote(message, me), more)


def files_of(message: Message) -> tuple[Attachment, ...]:
    """The file of a message, to be fetched. Raises Unreadable for what is no text, as far as that can be told."""
    if message.media_group_id is not None:
        raise Unreadable("album")
    document = message.document
    if document is None or message.animation is not None:
        if message.effective_attachment is not None or message.story is not None:
            raise Unreadable("kind_unknown")
        return ()
    name = document.file_name or "file.txt"
    return (attachment(name, document.file_id, document.mime_type, document.file_size),)


def _marks(message: Message) -> tuple[MessageEntity, ...]:
    return message.entities or message.caption_entities


def _names(message: Message, entity: MessageEntity, me: User) -> bool:
    if entity.type == MessageEntity.TEXT_MENTION:
        return entity.user is not None and entity.user.id == me.id
    if entity.type != MessageEntity.MENTION:
        return False
    return _marked(message, entity).casefold() == f"@{me.username}".casefold()


def _marked(message: Message, entity: MessageEntity) -> str:
    return message.parse_entity(entity) if message.text else message.parse_caption_entity(entity)


def _without_name(message: Message, me: User) -> str:
    """The text without our name at its beginning or end; within a sentence it is the name that people read."""
    text = (message.text or message.caption or "").encode("utf-16-le")
    named = [entity for entity in _marks(message) if _names(message, entity, me)]
    for entity in reversed(named):
        before, after = text[: 2 * entity.offset].decode("utf-16-le"), text[2 * (entity.offset + entity.length) :]
        rest = after.decode("utf-16-le")
        if not before.strip():
            text = rest.lstrip(" ,:\n").encode("utf-16-le")
        elif not rest.strip(" .!?"):
            text = (before.rstrip(" ,\n") + rest.strip()).encode("utf-16-le")
        else:
            text = (before + me.first_name + rest).encode("utf-16-le")
    return text.decode("utf-16-le")


def _quote(message: Message, me: User) -> str:
    """The words of somebody else that it is about: those marked by hand, else all of the message replied to."""
    if message.quote is not None:
        return message.quote.text
    replied = message.reply_to_message
    if replied is None or _is_from(replied, me):
        return ""
    return replied.text or replied.caption or ""


def _is_from(message: Message, me: User) -> bool:
    return message.from_user is not None and message.from_user.id == me.id
