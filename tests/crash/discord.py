"""Discord's side of a crash run: people who mention the bot, write to it and use its command; judged by what they see.

What somebody has written in Discord is there, whatever the bot does: it owes an answer to each, whether it heard of it
or was away. A command is owed one only once Discord was told that an answer comes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import config
from bots.wording import Wording
from tests.crash.loopback_discord import ADDRESS
from tests.crash.program import Program, free_port
from tests.crash.records import Book, Seen, Sent, State, mark
from tests.discord_server.interactions import ACKNOWLEDGE_SECONDS, DEFERRED, Interaction
from tests.discord_server.model import Channel, Message
from tests.discord_server.people import Person, answers
from tests.discord_server.rest import Call
from tests.discord_server.server import DiscordServer, Dropped

SEND = ("POST", "/channels/{channel_id}/messages")
EDIT = ("PATCH", "/channels/{channel_id}/messages/{message_id}")
ANSWER = ("POST", "/interactions/{interaction_id}/{interaction_token}/callback")
HISTORY = ("GET", "/channels/{channel_id}/messages")
EARLY = ("identify", "history")
MOMENTS = (
    *("placeholder", "identify", "delivered", "last edit", "response", "part made"),
    *("history", "placeholder made", "response made", "last edit made", "edit"),
)
"""Where on the wire a kill hits: before a request is carried out, or ("made") after that and before its answer. What is
early comes only while the program starts."""
REPLAYED = 0.15
"""How many of the events are delivered twice."""
LONG = 0.08
"""How many of the questions ask for more than one message."""


class Discord:
    """A Discord of ours and its people, through all lives of the program."""

    module = ("tests.crash.loopback_discord",)
    moments, early = MOMENTS, EARLY

    def __init__(self, random: Random) -> None:
        self._random = random
        self._server = DiscordServer()
        self._server.limits.lift()
        self._port = free_port()
        self._moment = ""
        self._come, self._over = asyncio.Event(), asyncio.Event()
        self.settings: Mapping[str, str] = {
            "DISCORD_BOT_TOKEN": self._server.world.token,
            ADDRESS: f"127.0.0.1:{self._port}",
            "CONCH_ENGINE__DELAY": "0.004",
            "CONCH_ENGINE__SLOTS": "2",
            "CONCH_LIMITS__MESSAGES_PER_MINUTE": "0",
            "CONCH_LIMITS__TOKENS_PER_DAY": "0",
            "CONCH_QUEUE__WAITING_PER_PERSON": "50",
        }

    def words(self) -> int:
        """How long the answer to the next question shall be."""
        return self._random.randint(180, 230) if self._random.random() < LONG else self._random.randint(3, 25)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Discord itself."""
        server = self._server
        server.before, server.after, server.gateway.on_event = self._before, self._after, self._delivered
        server.gateway.repeat = lambda name: 2 if self._random.random() < REPLAYED else 1
        async with server.listening(self._port):
            yield

    @asynccontextmanager
    async def clients(self, program: Program, book: Book, count: int) -> AsyncIterator[Sequence[Member]]:
        """So many people on one server, each of whom has written to the bot before."""
        world = self._server.world
        apology = Wording(Path(config.__file__).with_name("locales"))("en", "gave-up")
        guild = world.guild("Crashes", world.person("owner"))
        members = [
            Member(self._server.person(f"person{number}"), world.channel(guild, f"channel-{number}"), book, apology)
            for number in range(count)
        ]
        for member in members:
            guild.members[member.person.user] = set()
            member.person.says(member.person.direct, "hello")
        await self._server.until(lambda: all(answers(member.person.direct) for member in members))
        self._server.on_change = lambda: [member.watch() for member in members]
        yield members

    @asynccontextmanager
    async def at(self, moment: str) -> AsyncIterator[None]:
        """The block begins when the moment has come; the wire stands still until it ends."""
        self._come, self._over, self._moment = asyncio.Event(), asyncio.Event(), moment
        try:
            await self._come.wait()
            yield
        finally:
            self._moment = ""
            self._over.set()

    async def _before(self, call: Call) -> None:
        if self._moment and _is(self._moment, call):
            await self._hold()
            if self._random.random() < 0.5:
                raise Dropped  # it never arrives; otherwise it does, when the program is long dead

    async def _after(self, call: Call) -> None:
        if self._moment.endswith(" made") and _is(self._moment.removesuffix(" made"), call):
            await self._hold()

    def _delivered(self, name: str, data: dict[str, Any]) -> None:
        asks = name == "INTERACTION_CREATE" or (name == "MESSAGE_CREATE" and not data["author"]["bot"])
        if (self._moment == "delivered" and asks) or (self._moment == "identify" and name == "READY"):
            self._come.set()

    async def _hold(self) -> None:
        self._moment = ""
        over = self._over
        self._come.set()
        await over.wait()


class Member:
    """One person, in a channel and in direct messages with the bot, and with its command."""

    def __init__(self, person: Person, channel: Channel, book: Book, apology: str) -> None:
        self.person, self.channel, self.book = person, channel, book
        self._apology = apology
        self._asked: dict[str, Message | Interaction] = {}
        other = person.server.world.channel(channel.guild, f"{channel.name}-commands")  # type: ignore[arg-type]
        self._channels = {"mention": channel, "direct": person.direct, "command": other}
        self.conversations = [f"{person.user.name} {kind}" for kind in self._channels]

    async def send(self, sent: Sent) -> None:
        """Once: what Discord has, it has. A command that nothing answered is not tried again."""
        kind = sent.conversation.split()[1]
        if kind == "command":
            asked = self.person.runs("ask", self._channels[kind], question=sent.prompt)
            self._asked[sent.event] = asked
            try:
                async with asyncio.timeout(ACKNOWLEDGE_SECONDS):
                    await asked.answered.wait()
            except TimeoutError:
                return
            if asked.response != DEFERRED:
                self.book.refused(sent, str(asked.given))
                return
        elif kind == "direct":
            self._asked[sent.event] = self.person.says(self.person.direct, sent.prompt)
        else:
            self._asked[sent.event] = self.person.asks(self.channel, sent.prompt)
        self.book.accepted(sent)

    async def look(self) -> list[Seen]:
        """The channels from their beginning, each answer with all its messages."""
        seen = []
        mine = [sent for sent in self.book.sent if sent.conversation in self.conversations]
        for sent in mine:
            for shown in self._answers_to(sent):
                if not sent.accepted and mark(sent.prompt) in shown[0].content:  # an answer after all
                    self.book.accepted(sent)
                text = " ".join(part.content for part in shown)
                seen.append((shown[0].id, Seen(sent.conversation, sent.prompt, text, self._state(shown))))
        return [answer for _, answer in sorted(seen, key=lambda pair: pair[0])]

    def watch(self) -> None:
        """Something has changed: note what has begun and what has ended."""
        for sent in self.book.sent:
            if sent.conversation not in self.conversations or sent.event not in self._asked:
                continue
            found = self._answers_to(sent)
            begun = any(mark(sent.prompt) in part.content for shown in found for part in shown)
            ended = any(self._state(shown) != "open" for shown in found)
            if begun and not sent.begun:
                self.book.begun(sent)
            if ended and not sent.ended:
                self.book.ended(sent)

    def _answers_to(self, sent: Sent) -> list[list[Message]]:
        """The answers to a question, each as the messages that it is shown in: a reply or a response, and what follows
        with the same words."""
        asked, channel = self._asked.get(sent.event), self._channels[sent.conversation.split()[1]]
        shown: list[list[Message]] = []
        for message in answers(channel):
            first = message.reference is asked if isinstance(asked, Message) else message is asked and asked
            if isinstance(asked, Interaction):
                first = message is asked.original
            words = mark(sent.prompt) in message.content
            if first or (words and (not shown or message.content.startswith("1-"))):
                shown.append([message])
            elif words:
                shown[-1].append(message)
        return shown

    def _state(self, shown: Sequence[Message]) -> State:
        last = shown[-1]
        if last.button("regenerate") is None:
            return "open"
        return "apology" if self._apology in last.content else "answered"


def _is(moment: str, call: Call) -> bool:
    """Is this the request that the moment is named for?"""
    route, text = (call.method, call.template), str(call.data.get("content") or "")
    final = "regenerate" in str(call.data.get("components"))
    match moment:
        case "placeholder":
            return route == SEND and text != "…"
        case "part":
            return route == SEND and text == "…"
        case "response":
            return route == ANSWER
        case "edit":
            return route == EDIT and not final
        case "last edit":
            return route == EDIT and final
        case "history":
            return route == HISTORY
    return False
