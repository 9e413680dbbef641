"""Discord's side of a crash run: people who mention the bot, write to it and use its command; judged by what they see.

What somebody has written in Discord is there, whatever the bot does: it owes an answer to each, whether it heard of it
or was away. A command is owed one only once Discord was told that an answer comes.
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import takewhile
from pathlib import Path
from random import Random
from typing import Any

import config
from bots.talk.wording import Say, Wording
from tests.crash.loopback_discord import ADDRESS
from tests.crash.platforms import Wire
from tests.crash.program import Program, free_port
from tests.crash.records import Book, Seen, Sent, State, mark
from tests.servers.discord.interactions import ACKNOWLEDGE_SECONDS, DEFERRED, Interaction
from tests.servers.discord.model import Channel, Message
from tests.servers.discord.people import Person, answers
from tests.servers.discord.rest import Call
from tests.servers.discord.server import DiscordServer, Dropped

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
LONG = 0.05
"""How many of the questions ask for more than one message: all, when the kill waits for what only those bring."""
ONLY_LONG = ("edit", "part made")
WATCHED = 8
"""How many of a conversation's latest questions are looked after: more than are open at once."""
MARKS = re.compile(r"\d+-([0-9a-f]{8})\b")


class Discord(Wire):
    """A Discord of ours and its people, through all lives of the program."""

    module = ("tests.crash.loopback_discord",)
    moments, early = MOMENTS, EARLY

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random = random
        self._server = DiscordServer()
        self._server.limits.lift()
        self._port = free_port()
        self.settings: Mapping[str, str] = {
            "DISCORD_BOT_TOKEN": self._server.world.token,
            ADDRESS: f"127.0.0.1:{self._port}",
            "CONCH_ENGINE__DELAY": "0.002",
            "CONCH_ENGINE__SLOTS": "2",
            "CONCH_LIMITS__MESSAGES_PER_MINUTE": "0",
            "CONCH_LIMITS__TOKENS_PER_DAY": "0",
            "CONCH_QUEUE__WAITING_PER_PERSON": "50",
        }

    def words(self) -> int:
        """How long the answer to the next question shall be."""
        return self._random.randint(180, 230) if self._long() else self._random.randint(3, 25)

    def _long(self) -> bool:
        return self.moment in ONLY_LONG or self._random.random() < LONG

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
        say = Wording(Path(config.__file__).with_name("locales")).bind("en")
        guild = world.guild("Crashes", world.person("owner"))
        members = [
            Member(self._server.person(f"person{number}"), world.channel(guild, f"channel-{number}"), book, say)
            for number in range(count)
        ]
        for member in members:
            guild.members[member.person.user] = set()
            member.person.says(member.person.direct, "hello")
        await self._server.until(lambda: all(answers(member.person.direct) for member in members))
        self._server.on_change = lambda: [member.watch() for member in members]
        yield members

    async def _before(self, call: Call) -> None:
        if self.moment and _is(self.moment, call):
            await self.hold()
            if self._random.random() < 0.5:
                raise Dropped  # it never arrives; otherwise it does, when the program is long dead

    async def _after(self, call: Call) -> None:
        if self.moment.endswith(" made") and _is(self.moment.removesuffix(" made"), call):
            await self.hold()

    def _delivered(self, name: str, data: dict[str, Any]) -> None:
        asks = name == "INTERACTION_CREATE" or (name == "MESSAGE_CREATE" and not data["author"]["bot"])
        if (self.moment == "delivered" and asks) or (self.moment == "identify" and name == "READY"):
            self.come()


class Member:
    """One person, in a channel and in direct messages with the bot, and with its command."""

    def __init__(self, person: Person, channel: Channel, book: Book, say: Say) -> None:
        self.person, self.channel, self.book = person, channel, book
        self._apology, self._note = say("gave-up"), f"*{say('left-out')}*"
        self._asked: dict[str, Message | Interaction] = {}
        self._latest: dict[str, deque[Sent]] = defaultdict(lambda: deque(maxlen=WATCHED))
        other = person.server.world.channel(channel.guild, f"{channel.name}-commands")  # type: ignore[arg-type]
        self._channels = {"mention": channel, "direct": person.direct, "command": other}
        self.conversations = [f"{person.user.name} {kind}" for kind in self._channels]

    async def send(self, sent: Sent) -> None:
        """Once: what Discord has, it has. A command that nothing answered is not tried again."""
        kind = sent.conversation.split()[1]
        self._latest[sent.conversation].append(sent)
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
        found = {kind: _by_question(answers(channel)) for kind, channel in self._channels.items()}
        for sent in [sent for sent in self.book.sent if sent.event in self._asked]:
            words, asked = mark(sent.prompt), self._asked[sent.event]
            about = found[sent.conversation.split()[1]]
            messages = {message.id: message for key in (asked, words) for message in about[key]}
            if isinstance(asked, Interaction) and asked.shown is not None:
                messages[asked.shown.id] = asked.shown
            for shown in self._answers(asked, words, [messages[key] for key in sorted(messages)]):
                if not sent.accepted and words in shown[0].content:  # an answer after all
                    self.book.accepted(sent)
                text = " ".join(part.content for part in shown).removesuffix(self._note)
                seen.append((shown[0].id, Seen(sent.conversation, sent.prompt, text, self._state(shown))))
        return [answer for _, answer in sorted(seen, key=lambda pair: pair[0])]

    def watch(self) -> None:
        """Something has changed: note what has begun, what has ended, and what has an end no more."""
        for conversation, latest in self._latest.items():
            shown = self._channels[conversation.split()[1]].messages
            for sent in [sent for sent in latest if sent.event in self._asked]:
                asked, words = self._asked[sent.event], mark(sent.prompt)
                later = takewhile(lambda message: message.id > asked.id, reversed(shown.values()))  # noqa: B023
                messages = [message for message in later if message.author.bot and not message.deleted]
                found = self._answers(asked, words, messages[::-1])
                if not sent.begun and any(words in part.content for answer in found for part in answer):
                    self.book.begun(sent)
                ended = any(self._state(answer) != "open" for answer in found)
                if ended and not sent.ended:
                    self.book.ended(sent)
                elif sent.ended and not ended and sent.event not in self.book.undone:
                    self.book.open_again(sent)

    def _answers(self, asked: Message | Interaction, words: str, messages: Sequence[Message]) -> list[list[Message]]:
        """The answers to a question, each as the messages that it is shown in: a reply or a response, and what follows
        with the same words."""
        shown: list[list[Message]] = []
        for message in messages:
            first = message is asked.original if isinstance(asked, Interaction) else message.reference is asked
            if first or (words in message.content and (not shown or message.content.startswith("1-"))):
                shown.append([message])
            elif words in message.content:
                shown[-1].append(message)
        return shown

    def _state(self, shown: Sequence[Message]) -> State:
        last = shown[-1]
        if last.button("regenerate") is None:
            return "open"
        return "apology" if self._apology in last.content else "answered"


def _by_question(messages: Sequence[Message]) -> Mapping[Any, list[Message]]:
    """The messages by what each replies to, and by the words of which question's answer they have."""
    found: dict[Any, list[Message]] = defaultdict(list)
    for message in messages:
        for key in {message.reference, *MARKS.findall(message.content)}:
            found[key].append(message)
    return found


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
