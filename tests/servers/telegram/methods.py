"""What each method of the Bot API does, as far as a bot like ours calls it."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any

from tests.servers.telegram.floods import Floods
from tests.servers.telegram.spec import Spec, Wrong
from tests.servers.telegram.world import BOT, Json, Room, World, units

TOKEN = f"{BOT['id']}:AAH9x-abcdefghijklmnopqrstuvwxyz0_1"
COUNTED = {"sendMessage", "editMessageText", "editMessageMedia", "deleteMessage", "sendDocument", "sendChatAction"}
COUNTED |= {"sendMessageDraft", "sendRichMessage", "sendRichMessageDraft"}
NAMES = {"editmessagetext": "editMessageText"}
WORDS = {"text", "url", "secret_token", "action", "caption", "callback_query_id", "file_id", "language_code"}
"""Fields that are text, whatever they look like."""
RICH_LIMIT = 32_768
KINDS = {"bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "text_link", "blockquote"}


class Refusal(Exception):
    """An error of the API."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


@dataclass(frozen=True, slots=True)
class Call:
    """A request that arrived, when (by the API's clock), and how it was answered: 200 or an error's code."""

    method: str
    params: Mapping[str, Any]
    at: float
    code: int
    result: Any = None


Seen = Callable[[str, Mapping[str, Any]], Awaitable[None]]


async def _unseen(moment: str, call: Mapping[str, Any]) -> None:
    """Nobody looks."""


@dataclass
class BotApi:
    """One bot's server. ``errors`` are what the next calls of a method get instead of being done. ``seen`` is told of
    moments on the wire and waited for. ``wrongs`` is what should not have been asked."""

    world: World
    spec: Spec | None = None
    floods: Floods = field(default_factory=Floods)
    clock: Callable[[], float] = time
    token: str = TOKEN
    calls: list[Call] = field(default_factory=list)
    errors: defaultdict[str, deque[Refusal]] = field(default_factory=lambda: defaultdict(deque))
    wrongs: list[str] = field(default_factory=list)
    seen: Seen = _unseen
    webhook: Json = field(default_factory=dict)
    most_updates: int = 100
    disk: Path | None = None
    """A server of one's own puts files there and tells where they lie; it hands out none."""
    _poll: asyncio.Event | None = None
    _delivered: int = 0

    async def call(self, token: str, method: str, given: Mapping[str, Any]) -> tuple[int, Json]:
        """The status and the body of the answer."""
        if token != self.token:
            return 401, {"ok": False, "error_code": 401, "description": "Unauthorized"}
        method = NAMES.get(method.lower(), method)  # the API takes them in any case
        params: Mapping[str, Any] = given
        try:
            params = _read(given) if self.spec is None else self.spec.parameters(method, given)
            if self.errors[method]:
                raise self.errors[method].popleft()
            self._count(method, params)
            result = await getattr(self, f"_{_snake(method)}")(params)
            if self.spec is not None:
                broken = self.world.broken if method == "getUpdates" else ()
                self.spec.result(method, [u for u in result if u["update_id"] not in broken] if broken else result)
        except Wrong as wrong:
            self.wrongs.append(str(wrong))
            return self._noted(method, params, 400, None), _error(Refusal(400, f"Bad Request: {wrong}"))
        except Refusal as refusal:
            return self._noted(method, params, refusal.code, None), _error(refusal)
        return self._noted(method, params, 200, result), {"ok": True, "result": result}

    def of(self, *methods: str) -> list[Call]:
        """The calls of these methods."""
        return [call for call in self.calls if call.method in methods]

    def _noted(self, method: str, params: Mapping[str, Any], code: int, result: Any) -> int:
        self.calls.append(Call(method, params, self.clock(), code, result))
        self.world.changed()
        return code

    def _count(self, method: str, params: Mapping[str, Any]) -> None:
        if method in COUNTED and (wait := self.floods.take(int(params["chat_id"]), self.clock())) is not None:
            raise Refusal(429, f"Too Many Requests: retry after {wait}", retry_after=wait)

    # Updates.

    async def _get_me(self, params: Json) -> Json:
        return self.world.me

    async def _delete_webhook(self, params: Json) -> bool:
        self.webhook = {}
        return True

    async def _set_webhook(self, params: Json) -> bool:
        self.webhook = dict(params)
        return True

    async def _get_webhook_info(self, params: Json) -> Json:
        pending = len(self.world.updates)
        return {"url": self.webhook.get("url", ""), "has_custom_certificate": False, "pending_update_count": pending}

    async def _set_my_commands(self, params: Json) -> bool:
        self.world.menus[params.get("language_code", "")] = params["commands"]
        return True

    async def _get_updates(self, params: Json) -> list[Json]:
        if self.webhook.get("url"):
            raise Refusal(409, "Conflict: can't use getUpdates method while webhook is active")
        if self._poll is not None:
            self._poll.set()
        mine = self._poll = asyncio.Event()
        try:
            return await self._wait_for_updates(params, mine)
        finally:
            if self._poll is mine:
                self._poll = None

    async def _wait_for_updates(self, params: Json, taken_over: asyncio.Event) -> list[Json]:
        world, offset = self.world, params.get("offset", 0)
        if offset > world.confirmed:
            world.updates = [update for update in world.updates if update["update_id"] >= offset]
            world.confirmed = offset
            world.changed()
            await self.seen("offset moved", params)
        until = asyncio.get_running_loop().time() + params.get("timeout", 0)
        while True:
            if taken_over.is_set():
                raise Refusal(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                )
            if world.updates:
                return world.updates[: min(params.get("limit", 100), self.most_updates)]
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return []
            waits = [asyncio.ensure_future(event.wait()) for event in (world.moved, taken_over)]
            await asyncio.wait(waits, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    # Messages.

    def _room(self, params: Json) -> Room:
        room = self.world.rooms.get(int(params["chat_id"]))
        if room is None:
            raise Refusal(400, "Bad Request: chat not found")
        if room.moved_to is not None:
            description = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refusal(400, description, migrate_to_chat_id=room.moved_to)
        if room.blocked:
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        return room

    async def _send_message(self, params: Json) -> Json:
        return await self._said(self._text(params), params)

    async def _said(self, content: Json, params: Json) -> Json:
        """A message of the bot's."""
        room = self._room(params)
        whole = {**content, **self._under(params), **_reply(room, params)}
        message = self.world.message(room, self.world.me_as_user, whole, topic=_topic(params))
        await self.seen("sent", message)
        return message

    async def _edit_message_text(self, params: Json) -> Json:
        message = self._own(params)
        new = {**(self._rich(params) if "rich_message" in params else self._text(params)), **self._under(params)}
        await self.seen("edit comes", {**message, **new})
        if all(message.get(key) == new.get(key) for key in ("text", "entities", "reply_markup", "rich_message")):
            raise Refusal(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly "
                "the same as a current content and reply markup of the message",
            )
        for key in ("entities", "reply_markup"):
            message.pop(key, None)
        message |= {**new, "edit_date": int(self.clock())}
        self.world.changed()
        await self.seen("edited", message)
        return message

    async def _delete_message(self, params: Json) -> bool:
        room = self._room(params)
        if params["message_id"] not in room.messages:
            raise Refusal(400, "Bad Request: message to delete not found")
        message = room.messages.pop(params["message_id"])
        self.world.changed()
        await self.seen("deleted", message)
        return True

    async def _send_document(self, params: Json) -> Json:
        caption, data = params.get("caption", ""), params["document"]
        if units(caption) > 1024:
            raise self._wrong("message caption is too long")
        id_ = f"sent-{len(self.world.files)}"
        self.world.files[id_] = data
        document = {"file_id": id_, "file_unique_id": f"u{id_}", "file_size": len(data)}
        return await self._said({"document": document, **({"caption": caption} if caption else {})}, params)

    async def _edit_message_media(self, params: Json) -> Json:
        message, media = self._own(params), params["media"]
        data = params.get(media["media"].removeprefix("attach://"))
        if media["type"] != "document" or not isinstance(data, bytes):
            raise self._wrong("no file to put there")
        for key in ("text", "entities", "reply_markup"):
            message.pop(key, None)
        id_ = f"sent-{len(self.world.files)}"
        self.world.files[id_] = data
        document = {"file_id": id_, "file_unique_id": f"u{id_}", "file_size": len(data)}
        message |= {"document": document, "edit_date": int(self.clock()), **self._under(params)}
        if units(caption := media.get("caption", "")) > 1024:
            raise self._wrong("message caption is too long")
        if caption:
            message["caption"] = caption
        self.world.changed()
        return message

    async def _send_chat_action(self, params: Json) -> bool:
        self._room(params).actions.append(params["action"])
        return True

    async def _send_message_draft(self, params: Json) -> bool:
        room = self._room(params)
        if room.kind != "private" or not params["draft_id"]:
            raise self._wrong("a draft needs a number and a private chat")
        room.drafts[params["draft_id"]] = self._text(params)
        return True

    async def _send_rich_message(self, params: Json) -> Json:
        return await self._said(self._rich(params), params)

    async def _send_rich_message_draft(self, params: Json) -> bool:
        room = self._room(params)
        if room.kind != "private" or not params["draft_id"]:
            raise self._wrong("a draft needs a number and a private chat")
        room.drafts[params["draft_id"]] = self._rich(params)
        return True

    async def _answer_callback_query(self, params: Json) -> bool:
        self.world.toasts.append((params["callback_query_id"], params.get("text", "")))
        if units(params.get("text", "")) > 200:
            raise self._wrong("MESSAGE_TOO_LONG")
        return True

    async def _get_file(self, params: Json) -> Json:
        data = self.world.files.get(params["file_id"])
        if data is None:
            raise Refusal(400, "Bad Request: invalid file_id")
        path = f"documents/{params['file_id']}" if self.disk is None else str(self.disk / params["file_id"])
        return {"file_id": params["file_id"], "file_unique_id": "u", "file_size": len(data), "file_path": path}

    # What a message may be.

    def _own(self, params: Json) -> Json:
        message = self._room(params).messages.get(params["message_id"])
        if message is None:
            raise Refusal(400, "Bad Request: message to edit not found")
        if message["from"]["id"] != BOT["id"]:
            raise self._wrong("message can't be edited")
        return message

    def _text(self, params: Json) -> Json:
        """Text and entities, as Telegram takes them."""
        text, marks = params.get("text", ""), params.get("entities", [])
        if "parse_mode" in params:
            raise self._wrong("nobody here parses Markdown")
        if not text.strip():
            raise self._wrong("message text is empty")
        if units(text) > 4096:
            raise self._wrong("message is too long")
        if len(marks) > 100:
            raise self._wrong("more than a hundred entities")
        whole = text.encode("utf-16-le")
        for mark in marks:
            start, end = mark["offset"], mark["offset"] + mark["length"]
            if mark["type"] not in KINDS or mark["length"] <= 0 or start < 0 or 2 * end > len(whole):
                raise self._wrong(f"an entity out of bounds: {mark}")
            try:
                whole[2 * start : 2 * end].decode("utf-16-le")
            except UnicodeDecodeError:
                raise self._wrong(f"an entity that cuts a character: {mark}") from None
        return {"text": text, **({"entities": marks} if marks else {})}

    def _rich(self, params: Json) -> Json:
        markdown = params["rich_message"].get("markdown", "")
        if not markdown.strip() or len(markdown.encode()) > RICH_LIMIT:
            raise self._wrong("a rich message is empty or too long")
        return {"text": markdown}

    def _under(self, params: Json) -> Json:
        """The keyboard."""
        markup = params.get("reply_markup")
        if not markup or not markup.get("inline_keyboard"):
            return {}
        for row in markup["inline_keyboard"]:
            for button in row:
                if not 1 <= len(button.get("callback_data", "").encode()) <= 64 or not button["text"]:
                    raise self._wrong("BUTTON_DATA_INVALID")
        return {"reply_markup": markup}

    def _wrong(self, description: str) -> Refusal:
        """A call that no bot should make."""
        self.wrongs.append(description)
        return Refusal(400, f"Bad Request: {description}")


def _reply(room: Room, params: Json) -> Json:
    """The message that is replied to, if it is there."""
    wanted = params.get("reply_parameters")
    if not wanted:
        return {}
    replied = room.messages.get(wanted["message_id"])
    if replied is None:
        if not wanted.get("allow_sending_without_reply"):
            raise Refusal(400, "Bad Request: message to be replied not found")
        return {}
    return {"reply_to_message": {key: value for key, value in replied.items() if key != "reply_to_message"}}


def _topic(params: Json) -> int | None:
    topic: int | None = params.get("message_thread_id")
    return topic


def _error(refusal: Refusal) -> Json:
    error: Json = {"ok": False, "error_code": refusal.code, "description": refusal.description}
    return {**error, "parameters": refusal.parameters} if refusal.parameters else error


def _read(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """A form's fields in their types, as far as one can tell without the API's description."""
    return {
        name: json.loads(value) if name not in WORDS and isinstance(value, str) else value
        for name, value in given.items()
    }


def _snake(method: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in method)
