"""A whole core with its Discord front, connected to a Discord of ours on the loopback."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from bots.discord.context import DiscordOptions
from bots.discord.front import DiscordFront, Timing, connect
from bots.talk.pacing import Rate
from bots.talk.wording import Wording
from core.chat.chat import Chat
from core.chat.people import People
from core.engine import Engine, Sampling
from core.events import Delta, Finished, Started
from core.messages import Message
from tests.servers.discord.interactions import Interaction
from tests.servers.discord.model import Channel, Guild
from tests.servers.discord.model import Message as Shown
from tests.servers.discord.people import Person, answers
from tests.servers.discord.server import DiscordServer
from tests.servers.discord.spec import spec
from tests.support.stepped_engine import SteppedEngine
from tests.support.whole_core import House, house

WORDING = Wording(Path(__file__).parents[2] / "config" / "locales")
SAY = WORDING.bind("en")
QUICK = Timing(rate=Rate(interval=0.01, typing=0), calls_per_second=1000, call=2.0, back_off=0.05, identify=0.05)
SECONDS = 20.0
"""After so long something hangs."""


@dataclass
class Town:
    """A Discord with a server, a channel and two people; what a test of the front starts from."""

    server: DiscordServer
    host: Person
    ann: Person
    bob: Person
    guild: Guild
    channel: Channel

    @classmethod
    def founded(cls, *, limits: bool = False, **options: Any) -> Town:
        """``limits``: Discord's rate limits hold."""
        server = DiscordServer(spec=options.pop("spec", spec()), **options)
        if not limits:
            server.limits.lift()
        host, ann, bob = server.person("host"), server.person("ann"), server.person("bob")
        server.world.host = host.user
        guild = server.world.guild("The Beach", host.user)
        for one in (ann, bob):
            guild.members[one.user] = set()
        return cls(server, host, ann, bob, guild, server.world.channel(guild, "general"))

    @classmethod
    @asynccontextmanager
    async def open(cls, **options: Any) -> AsyncIterator[Town]:
        """One that listens. At its end nothing was asked wrongly or past a limit, nobody pinged, no preview shown."""
        town = cls.founded(**options)
        async with town.server.listening():
            yield town
        assert town.server.wrongs == []
        assert town.server.limits.wrongs == []
        assert town.server.world.pings == []
        assert town.server.world.previews == []

    def point(self) -> None:
        """From now on discord.py speaks to this Discord."""
        Route.BASE = self.server.api_url
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(self.server.gateway_url)


@dataclass
class Beach:
    """One Conch at a town."""

    town: Town
    home: House
    front: DiscordFront
    states: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def server(self) -> DiscordServer:
        return self.town.server

    @property
    def chat(self) -> Chat:
        return self.home.chat

    @property
    def engine(self) -> SteppedEngine:
        return self.home.engine

    async def until(self, true: Callable[[], object], *, speak: bool = True, seconds: float = SECONDS) -> None:
        """Returns when something is so; the engine says a word now and then meanwhile."""
        async with asyncio.timeout(seconds):
            while not true():
                if speak:
                    self.engine.step()
                await asyncio.sleep(0.005)

    async def answered(self, channel: Channel, count: int = 1) -> list[Shown]:
        """The bot's messages, once so many answers have come to their end."""
        await self.until(lambda: len([one for one in answers(channel) if one.button("regenerate")]) >= count)
        return answers(channel)

    async def said(self, interaction: Interaction, text: str) -> None:
        """Wait until the response says this, and see that one person alone sees it."""
        await self.until(lambda: shows(interaction, text), speak=False)
        assert interaction.shown is not None
        assert interaction.shown.only_for is interaction.user

    def asked(self) -> list[str]:
        """The questions as the engine got them, the newest message of each."""
        return [messages[-1].content for messages in self.engine.asked]

    async def settled(self) -> None:
        """Nothing is being answered or shown any more."""
        await self.until(lambda: not self.chat._answering.live and not self.front._showing)


def shows(interaction: Interaction, text: str) -> bool:
    """Does the person see this as the response?"""
    return interaction.shown is not None and interaction.shown.content == text


class Parrot:
    """An engine that answers everything with the same text, in one breath."""

    def __init__(self, text: str, slots: int = 8) -> None:
        self.slots, self.context_window, self._text = slots, 8192, text

    async def ready(self) -> None:
        pass

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(messages)

    async def generate(
        self, messages: Sequence[Message], sampling: Sampling
    ) -> AsyncGenerator[Started | Delta | Finished, None]:
        yield Started(1, 1)
        yield Delta(self._text, (1,))
        yield Finished("stop")

    async def failed(self) -> str:
        return await asyncio.get_running_loop().create_future()


def saying(text: str) -> Callable[[Engine], Engine]:
    """To wrap a house's engine with."""
    return lambda _: Parrot(text)


@asynccontextmanager
async def at_the_beach(
    town: Town, home: House, *, wait: bool = True, timing: Timing = QUICK, **options: Any
) -> AsyncIterator[Beach]:
    """The front on a town, which must be listening, and on a core that is there already."""
    town.point()
    chosen = DiscordOptions(**{"token": town.server.world.token, **options})
    states: list[str] = []
    notes: list[str] = []
    async with connect(
        home.chat, home.store, WORDING, chosen, say=SAY, report=states.append, notify=notes.append, timing=timing
    ) as front:
        conch = Beach(town, home, front, states, notes)
        if wait:
            await conch.until(lambda: "up" in states and not front._guilds, speak=False)
            await conch.until(lambda: front._publishing is not None and front._publishing.done(), speak=False)
        yield conch


@asynccontextmanager
async def beach(
    folder: Path,
    town: Town,
    *,
    wait: bool = True,
    people: People | None = None,
    options: dict[str, Any] | None = None,
    timing: Timing = QUICK,
    **core: Any,
) -> AsyncIterator[Beach]:
    """A Conch on ``folder``, connected to the town, which must be listening."""
    admitted = people or People(open_to=("discord", "web"))
    async with house(folder, people=admitted, **core) as home:
        await admitted.load(home.store)
        await home.chat.resume(["discord:"])
        async with at_the_beach(town, home, wait=wait, timing=timing, **(options or {})) as conch:
            yield conch
            await home.chat.drain(0)
