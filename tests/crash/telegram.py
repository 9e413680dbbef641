"""Telegram's side of a crash run: people who write to the bot in private and in a group; judged by what its Bot API
server has in the end.

A message counts as accepted once Telegram was told that its update has come: from then on it is delivered no more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import takewhile
from pathlib import Path
from random import Random
from typing import Any

import config
from bots.talk.wording import Say, Wording
from tests.crash.platforms import Wire
from tests.crash.program import Program, free_port
from tests.crash.records import Book, Seen, Sent, State, mark
from tests.servers.telegram.floods import Rules
from tests.servers.telegram.methods import TOKEN
from tests.servers.telegram.server import Server, bot_api
from tests.servers.telegram.world import BOT, Json, Person, Room, World

NO_FLOOD = Rules(per_second=1e6, burst=1e6, per_minute=10**6, over_all=10**6)
MOMENTS = ("delivered", "last edit", "offset moved", "placeholder", "last edit made", "part", "placeholder", "edit")
"""Where on the wire a kill hits. A placeholder and a part are there, and their sender is not told; a last edit comes
when the answer is whole, and is made or not."""
LONG = 0.08
"""How many of the questions ask for more than one message, and how many are so long that the app cuts them in two."""
CUT = 4096


class Telegram(Wire):
    """A Bot API server of ours and its people, through all lives of the program."""

    module = ("tests.crash.quick_telegram",)
    moments: Sequence[str] = MOMENTS
    early: Sequence[str] = ()

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._port = free_port()
        self._server: Server | None = None
        self._writers: Sequence[Writer] = ()
        self.settings: Mapping[str, str] = {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "CONCH_TELEGRAM__API": f"http://127.0.0.1:{self._port}",
            "CONCH_TELEGRAM__OPEN": "true",
            "CONCH_ENGINE__DELAY": "0.002",
            "CONCH_ENGINE__SLOTS": "4",
            "CONCH_LIMITS__MESSAGES_PER_MINUTE": "0",
            "CONCH_LIMITS__TOKENS_PER_DAY": "0",
            "CONCH_QUEUE__WAITING_PER_PERSON": "50",
        }

    def words(self) -> int:
        """How long the answer to the next question shall be: of several messages where a kill waits for one."""
        several = self._random.random() < LONG or self.moment == "part"
        return self._random.randint(350, 370) if several else self._random.randint(3, 25)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Telegram itself."""
        async with bot_api(rules=NO_FLOOD, port=self._port) as self._server:
            self._server.api.seen = self._seen
            yield
            if self._server.api.wrongs:
                raise RuntimeError(f"the bot asked for what the API does not have: {self._server.api.wrongs[:3]}")

    @asynccontextmanager
    async def clients(self, program: Program, book: Book, count: int) -> AsyncIterator[Sequence[Writer]]:
        """So many people, all in one group, and each in private."""
        assert self._server is not None
        world = self._server.world
        say = Wording(Path(config.__file__).with_name("locales")).bind("en")
        group = world.group("Crashes")
        self._writers = [
            Writer(world.person(f"person{number}"), world, group, book, say, self._random) for number in range(count)
        ]
        yield self._writers

    async def _seen(self, what: str, value: Mapping[str, Any]) -> None:
        """The server tells of every request that it has carried out, or is about to."""
        if what in ("sent", "edited", "deleted"):
            for writer in self._writers:
                writer.watch(value)
        if not self.moment or not _is(self.moment, what, value):
            return
        lost = self.moment == "last edit"
        await self.hold()
        if lost:
            raise ConnectionResetError  # it never arrives


class Writer:
    """One person, in private and in the group."""

    def __init__(self, person: Person, world: World, group: Room, book: Book, say: Say, random: Random) -> None:
        self.person, self.world, self.book = person, world, book
        self._apology, self._note, self._random = say("gave-up"), say("left-out"), random
        self._rooms = {"private": world.rooms[person.id], "group": group}
        self._asked: dict[str, list[int]] = {}
        self._ended: dict[tuple[int, int], Sent] = {}
        self.conversations = [f"{person.name} {kind}" for kind in self._rooms]

    async def send(self, sent: Sent) -> None:
        """Once: what Telegram has, it has, and it delivers it until it is told that it came."""
        room = self._rooms[sent.conversation.split()[1]]
        call = "" if room.kind == "private" else f"@{BOT['username']} "
        if self._random.random() < LONG:
            sent.prompt += " " + "long" * (CUT // 4)
        text, now = f"{call}{sent.prompt}", int(self.world.clock())
        last, numbers = 0, []
        for start in range(0, len(text), CUT):
            piece = text[start : start + CUT] if not start else f"{call}{text[start : start + CUT]}"
            update, message = self.world.say(self.person, piece, room, date=now)
            last = update or last
            numbers.append(message["message_id"])
        self._asked[sent.event] = numbers
        await self.world.until(lambda: self.world.confirmed > last, 60.0)
        self.book.accepted(sent)

    async def look(self) -> list[Seen]:
        """The chats from their beginning, each answer with all its messages. What a kill between Telegram's yes and our
        commit may leave, one placeholder, is no answer; more of them are."""
        seen = []
        for sent in self._mine():
            for shown in self._answers_to(sent):
                text = " ".join(part.get("text", "") for part in shown).removesuffix(self._note)
                seen.append((shown[0]["message_id"], Seen(sent.conversation, sent.prompt, text, self._state(shown))))
        return [answer for _, answer in sorted(seen, key=lambda pair: pair[0])]

    def watch(self, message: Mapping[str, Any]) -> None:
        """A message of the bot's has changed: note what has begun, what has ended, and what has an end no more."""
        done = self._ended.get(_key(message))
        if done is not None and done.event not in self.book.undone and not self._end_of(self._answers_to(done)):
            self.book.open_again(done)
        for sent in [sent for sent in self._mine() if not sent.ended]:
            found = self._answers_to(sent)
            if found and not sent.begun:
                self.book.begun(sent)
            if end := self._end_of(found):
                self._ended |= {_key(part): sent for part in end}
                self.book.ended(sent)

    def _end_of(self, answers: list[list[Json]]) -> list[Json]:
        """The messages of the answer that has an end, none where there is none."""
        return next((shown for shown in answers if self._state(shown) != "open"), [])

    def _mine(self) -> list[Sent]:
        return [sent for sent in self.book.sent if sent.event in self._asked]

    def _answers_to(self, sent: Sent) -> list[list[Json]]:
        """The answers to a question, each as the messages that it is shown in: its first words, or an apology under
        it, and what follows with the same words."""
        words, shown = mark(sent.prompt), list[list[Json]]()
        messages, asked = self._rooms[sent.conversation.split()[1]].messages, self._asked[sent.event][0]
        later = list(takewhile(lambda message: message["message_id"] > asked, reversed(messages.values())))
        for message in reversed(later):
            if message["from"]["id"] != BOT["id"]:
                continue
            text = message.get("text", "")
            if words in text and (not shown or text.startswith("1-")):
                shown.append([message])
            elif words in text:
                shown[-1].append(message)
            elif self._apology in text and self._is_under(message, sent):
                shown.append([message])
        return shown

    def _is_under(self, message: Json, sent: Sent) -> bool:
        replied = message.get("reply_to_message", {}).get("message_id", message["message_id"] - 1)
        return replied in self._asked[sent.event]

    def _state(self, shown: Sequence[Json]) -> State:
        keyboard = str(shown[-1].get("reply_markup", {}))
        if "regenerate" not in keyboard:
            return "open"
        return "apology" if self._apology in shown[-1].get("text", "") else "answered"


def _key(message: Mapping[str, Any]) -> tuple[int, int]:
    """Where the message is."""
    return message["chat"]["id"], message["message_id"]


def _is(moment: str, what: str, value: Mapping[str, Any]) -> bool:
    """Is what the server tells of the moment that is waited for?"""
    final = "regenerate" in str(value.get("reply_markup", {}))
    match moment:
        case "delivered":
            return what == "updates delivered"
        case "offset moved":
            return what == "offset moved"
        case "placeholder":
            return what == "sent" and value.get("text") != "…"
        case "part":
            return what == "sent" and value.get("text") == "…"
        case "edit":
            return what == "edited" and not final
        case "last edit":
            return what == "edit comes" and final
        case "last edit made":
            return what == "edited" and final
    return False
