"""People, their chats, and what they do there; all as the JSON that the Bot API speaks."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

BOT = {
    "id": 777000111,
    "is_bot": True,
    "first_name": "Conch",
    "username": "conch_test_bot",
    "can_join_groups": True,
    "can_read_all_group_messages": False,
    "supports_inline_queries": False,
}
Json = dict[str, Any]


def units(text: str) -> int:
    """Length in UTF-16 code units."""
    return len(text.encode("utf-16-le")) // 2


@dataclass(eq=False)
class Person:
    """Somebody with an app."""

    id: int
    name: str
    language: str = "en"

    @property
    def user(self) -> Json:
        return {"id": self.id, "is_bot": False, "first_name": self.name, "language_code": self.language}


@dataclass(eq=False)
class Room:
    """A chat: its messages by number, in the order in which they came."""

    id: int
    kind: Literal["private", "group", "supergroup"]
    title: str = ""
    is_forum: bool = False
    messages: dict[int, Json] = field(default_factory=dict)
    actions: list[str] = field(default_factory=list)
    drafts: dict[int, Json] = field(default_factory=dict)
    blocked: bool = False
    moved_to: int | None = None

    @property
    def chat(self) -> Json:
        """As it stands in every message."""
        if self.kind == "private":
            return {"id": self.id, "type": "private", "first_name": self.title}
        forum = {"is_forum": True} if self.is_forum else {}
        return {"id": self.id, "type": self.kind, "title": self.title, **forum}

    def of_bot(self) -> list[Json]:
        """The bot's messages, the oldest first."""
        return [message for message in self.messages.values() if message.get("from", {}).get("id") == BOT["id"]]

    def texts(self) -> list[str]:
        """What the bot has written, the oldest first."""
        return [message.get("text", message.get("caption", "")) for message in self.of_bot()]


class World:
    """All chats of one bot, and the updates that wait for it. Whoever waits is woken by every change."""

    def __init__(self, clock: Callable[[], float], *, privacy: bool = True) -> None:
        self.clock = clock
        self.me: Json = {**BOT, "can_read_all_group_messages": not privacy}
        self.rooms: dict[int, Room] = {}
        self.updates: list[Json] = []
        self.files: dict[str, bytes] = {}
        self.menus: dict[str, list[Json]] = {}
        self.toasts: list[tuple[str, str]] = []
        self.confirmed = 0
        """The bot has told us that it has all updates before this one."""
        self.broken: set[int] = set()
        self.moved = asyncio.Event()
        self._update_ids = count(1000)
        self._message_ids: dict[int, Iterator[int]] = {}
        self._numbers = count(1)

    def changed(self) -> None:
        """Wake whoever waits."""
        self.moved.set()
        self.moved = asyncio.Event()

    async def until(self, true: Callable[[], Any], seconds: float = 20.0) -> None:
        """Returns when ``true()`` holds after a change; fails the test when it never does."""
        async with asyncio.timeout(seconds):
            while not true():
                await self.moved.wait()

    # People and rooms.

    def person(self, name: str, language: str = "en", id_: int | None = None) -> Person:
        """Somebody, with a private chat with the bot."""
        person = Person(id_ or 1_000_000 + next(self._numbers), name, language)
        self.rooms[person.id] = Room(person.id, "private", name)
        return person

    def group(
        self,
        title: str,
        kind: Literal["group", "supergroup"] = "supergroup",
        *,
        forum: bool = False,
        id_: int | None = None,
    ) -> Room:
        """A group."""
        number = next(self._numbers)
        made = -(10**12) - number if kind == "supergroup" else -number - 1000
        room = Room(id_ or made, kind, title, forum)
        self.rooms[room.id] = room
        return room

    def message(self, room: Room, sender: Json, content: Json, *, topic: int | None = None) -> Json:
        """A new message in a room."""
        number = next(self._message_ids.setdefault(room.id, count(1)))
        message: Json = {"message_id": number, "from": sender, "date": int(self.clock()), "chat": room.chat, **content}
        if topic is not None:
            message |= {"message_thread_id": topic, "is_topic_message": True}
        room.messages[number] = message
        self.changed()
        return message

    def deliver(self, kind: str, value: Json, *, broken: bool = False) -> int:
        """An update for the bot; its id. ``broken``: it is not as the API's description says."""
        number = next(self._update_ids)
        if broken:
            self.broken.add(number)
        self.updates.append({"update_id": number, kind: value})
        self.changed()
        return number

    # What people do. Each gives the update's id, and the message where there is one.

    def say(
        self,
        person: Person,
        text: str,
        room: Room | None = None,
        *,
        reply_to: Json | None = None,
        quote: str | None = None,
        topic: int | None = None,
        **more: Any,
    ) -> tuple[int | None, Json]:
        """A message; None for the update where privacy mode keeps it from the bot."""
        room = room or self.rooms[person.id]
        content: Json = {"text": text, **({"entities": marks} if (marks := entities(text)) else {}), **more}
        return self._said(person, room, content, reply_to, quote, topic)

    def send_file(
        self,
        person: Person,
        name: str,
        data: bytes,
        room: Room | None = None,
        *,
        caption: str = "",
        kind: str = "text/plain",
        size: int | None = None,
        **more: Any,
    ) -> tuple[int | None, Json]:
        """A document; ``size`` is what its description claims."""
        id_ = f"file-{next(self._numbers)}"
        self.files[id_] = data
        document = {"file_id": id_, "file_unique_id": f"u{id_}", "file_name": name, "mime_type": kind}
        content: Json = {"document": {**document, "file_size": len(data) if size is None else size}, **more}
        if caption:
            content |= {"caption": caption, **({"caption_entities": marks} if (marks := entities(caption)) else {})}
        return self._said(person, room or self.rooms[person.id], content, None, None, None)

    def send_photo(self, person: Person, room: Room | None = None, **more: Any) -> tuple[int | None, Json]:
        """A photo."""
        photo = [{"file_id": "p", "file_unique_id": "up", "width": 9, "height": 9}]
        return self._said(person, room or self.rooms[person.id], {"photo": photo, **more}, None, None, None)

    def edit(self, person: Person, message: Json, text: str) -> int:
        """Other words for one's message."""
        message.pop("entities", None)
        message |= {"text": text, "edit_date": max(int(self.clock()), message.get("edit_date", 0) + 1)}
        if marks := entities(text):
            message["entities"] = marks
        return self.deliver("edited_message", message)

    def press(self, person: Person, message: Json, label: str) -> int:
        """The button of that label under a message of the bot's."""
        data = next(
            button["callback_data"]
            for row in message["reply_markup"]["inline_keyboard"]
            for button in row
            if button["text"] == label
        )
        press = {"id": str(next(self._numbers)), "from": person.user, "chat_instance": "1", "data": data}
        return self.deliver("callback_query", {**press, "message": message})

    def add_bot(self, person: Person, room: Room, *, away: bool = False) -> int:
        """Somebody adds the bot to a group, or takes it out."""
        member = {"user": self.me_as_user, "status": "member"}
        gone = {"user": self.me_as_user, "status": "left"}
        old, new = (member, gone) if away else (gone, member)
        change = {"chat": room.chat, "from": person.user, "date": int(self.clock())}
        return self.deliver("my_chat_member", {**change, "old_chat_member": old, "new_chat_member": new})

    def migrate(self, room: Room) -> Room:
        """A group becomes a supergroup: another id, and none of the bot's messages can be reached any more."""
        new = self.group(room.title)
        room.moved_to = new.id
        anybody = {"id": 1087968824, "is_bot": True, "first_name": "Group"}
        for where, what in ((room, {"migrate_to_chat_id": new.id}), (new, {"migrate_from_chat_id": room.id})):
            self.deliver("message", self.message(where, anybody, {"sender_chat": room.chat, **what}))
        return new

    @property
    def me_as_user(self) -> Json:
        """The bot as others see it."""
        return {name: self.me[name] for name in ("id", "is_bot", "first_name", "username")}

    def _said(
        self, person: Person, room: Room, content: Json, reply_to: Json | None, quote: str | None, topic: int | None
    ) -> tuple[int | None, Json]:
        if reply_to is not None:
            replied = {key: value for key, value in reply_to.items() if key != "reply_to_message"}
            content = {**content, "reply_to_message": replied}
        if quote is not None:
            content = {**content, "quote": {"text": quote, "position": 0, "is_manual": True}}
        message = self.message(room, person.user, content, topic=topic)
        if room.kind != "private" and not self.me["can_read_all_group_messages"] and not self._meant(message):
            return None, message
        return self.deliver("message", message), message

    def _meant(self, message: Json) -> bool:
        """Privacy mode: commands, mentions and replies to the bot."""
        marks = message.get("entities", message.get("caption_entities", []))
        text = message.get("text", message.get("caption", ""))
        replied = message.get("reply_to_message", {}).get("from", {}).get("id") == BOT["id"]
        return replied or any(
            mark["type"] == "bot_command" or (mark["type"] == "mention" and f"@{BOT['username']}" in text.lower())
            for mark in marks
        )


def entities(text: str) -> list[Json]:
    """Commands and mentions as Telegram marks them, with offsets in UTF-16."""
    return [
        {
            "type": "bot_command" if found[0].startswith("/") else "mention",
            "offset": units(text[: found.start()]),
            "length": units(found[0]),
        }
        for found in re.finditer(r"(?<![\w/@])(/\w{1,32}(@\w+)?|@\w{5,32})", text)
    ]
