"""The forms in which a text goes to Telegram: plain with entities, or raw Markdown as a rich message."""

from __future__ import annotations

import re
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from telegram import Bot, InlineKeyboardMarkup, LinkPreviewOptions, Message, MessageEntity, ReplyParameters

from bots.text.characters import clean
from bots.text.splitting import Part, entity_parts

RICH_BYTES = 32_000
"""Of Markdown in a rich message: Telegram takes 32,768."""
NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_PICTURE = re.compile(r"!(?=\[)")
_PERSON = re.compile(r"tg://(?=(user|openmessage)\b)", re.IGNORECASE)


class Form(Protocol):
    """How parts are made, sent and changed. Its coroutines are PTB's own and raise its errors."""

    def split(self, text: str) -> Sequence[Part]: ...

    def send(
        self,
        bot: Bot,
        chat: int,
        part: Part,
        keyboard: InlineKeyboardMarkup | None,
        reply: ReplyParameters | None,
        topic: int | None,
    ) -> Coroutine[Any, Any, Message]: ...

    def edit(
        self, bot: Bot, chat: int, message: int, part: Part, keyboard: InlineKeyboardMarkup | None
    ) -> Coroutine[Any, Any, object]: ...

    def draft(self, bot: Bot, chat: int, draft: int, part: Part, topic: int | None) -> Coroutine[Any, Any, object]: ...


class Plain:
    """Text with entities, which Telegram cannot fail to parse."""

    def split(self, text: str) -> Sequence[Part]:
        return entity_parts(text)

    def send(
        self,
        bot: Bot,
        chat: int,
        part: Part,
        keyboard: InlineKeyboardMarkup | None,
        reply: ReplyParameters | None,
        topic: int | None,
    ) -> Coroutine[Any, Any, Message]:
        return bot.send_message(
            chat,
            part.text,
            entities=_entities(part),
            reply_markup=keyboard,
            reply_parameters=reply,
            message_thread_id=topic,
            link_preview_options=NO_PREVIEW,
        )

    def edit(
        self, bot: Bot, chat: int, message: int, part: Part, keyboard: InlineKeyboardMarkup | None
    ) -> Coroutine[Any, Any, object]:
        return bot.edit_message_text(
            part.text,
            chat,
            message,
            entities=_entities(part),
            reply_markup=keyboard,
            link_preview_options=NO_PREVIEW,
        )

    def draft(self, bot: Bot, chat: int, draft: int, part: Part, topic: int | None) -> Coroutine[Any, Any, object]:
        return bot.send_message_draft(chat, draft, part.text, topic, entities=_entities(part))


class Rich:
    """Raw Markdown, which Telegram lays out itself. An answer that is too long for it has the plain form.

    Pictures become links and links to people none: a picture would be fetched, and its server told, without a click.
    """

    def split(self, text: str) -> Sequence[Part]:
        plain = entity_parts(text)
        harmless = _PERSON.sub("tg:\u2060//", _PICTURE.sub("", clean(text)))
        fits = plain and len(harmless.encode("utf-8", "replace")) <= RICH_BYTES
        return [Part(harmless)] if fits else plain

    def send(
        self,
        bot: Bot,
        chat: int,
        part: Part,
        keyboard: InlineKeyboardMarkup | None,
        reply: ReplyParameters | None,
        topic: int | None,
    ) -> Coroutine[Any, Any, Message]:
        if part.entities:
            return PLAIN.send(bot, chat, part, keyboard, reply, topic)
        given = {"chat_id": chat, "reply_markup": keyboard, "reply_parameters": reply, "message_thread_id": topic}
        return bot.do_api_request("sendRichMessage", _given(part, given), Message)

    def edit(
        self, bot: Bot, chat: int, message: int, part: Part, keyboard: InlineKeyboardMarkup | None
    ) -> Coroutine[Any, Any, object]:
        if part.entities:
            return PLAIN.edit(bot, chat, message, part, keyboard)
        given = {"chat_id": chat, "message_id": message, "reply_markup": keyboard}
        return bot.do_api_request(EDIT, _given(part, given))

    def draft(self, bot: Bot, chat: int, draft: int, part: Part, topic: int | None) -> Coroutine[Any, Any, object]:
        if part.entities:
            return PLAIN.draft(bot, chat, draft, part, topic)
        given = {"chat_id": chat, "draft_id": draft, "message_thread_id": topic}
        return bot.do_api_request("sendRichMessageDraft", _given(part, given))


EDIT = "editmessagetext"
"""The API takes a method's name in any case; PTB would warn of one that it has itself, which knows no rich text yet."""
PLAIN, RICH = Plain(), Rich()


def _given(part: Part, more: dict[str, Any]) -> dict[str, Any]:
    rich = {"markdown": part.text, "skip_entity_detection": True}
    return {"rich_message": rich, **{name: value for name, value in more.items() if value is not None}}


def _entities(part: Part) -> list[MessageEntity]:
    return [
        MessageEntity(e.kind, e.offset, e.length, url=e.url or None, language=e.language or None) for e in part.entities
    ]
