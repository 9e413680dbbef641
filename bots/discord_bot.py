"""Discord: connects, stays connected, and shows the answers. What happens there is handed to the other modules.

The front decides nothing about questions, the line or limits; that is the core's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random, SystemRandom
from time import time
from typing import Any

import aiohttp
import discord

from bots.channel import ChannelError
from bots.discord_bot_buttons import dynamic_button
from bots.discord_bot_calls import Calls
from bots.discord_bot_channel import CALLS_PER_SECOND, RATE, Link, MessageChannel
from bots.discord_bot_client import IDENTIFY_SECONDS, ConchClient, ShardedClient, TooManySessions
from bots.discord_bot_commands import CommandTree
from bots.discord_bot_desk import Desk, DiscordOptions
from bots.discord_bot_history import Marks, Seen, said_since
from bots.discord_bot_identify import Identifies
from bots.discord_bot_interactions import Interactions
from bots.discord_bot_messages import Messages
from bots.discord_bot_place import PREFIX, Names, Place
from bots.discord_bot_private import show_alone
from bots.pacing import Pacing, Rate
from bots.streaming import show
from bots.wording import Wording
from core.chat import Chat
from core.errors import ConchError
from core.reply import Reply

__all__ = ["DiscordFront", "DiscordOptions", "connect"]

log = logging.getLogger(__name__)
State = Callable[[str], None]
"""Told how the front is: ``up``, ``connecting``, or the key of a sentence that says why it has ended."""

SHOW_SECONDS = 5.0
"""How long the end waits for what is being shown."""
WELL_SECONDS = 60.0
READERS = 4
"""Channels that are read back at the same time."""
ENDS = {4004: "discord-token-revoked", 4014: "discord-intent-refused", 4011: "discord-shards-wanted"}
"""Gateway close codes after which coming again is of no use; 4010, 4012 and 4013 are mistakes of ours."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds: before a failed connection is tried again, doubled each time, and between two IDENTIFYs."""

    first: float = 1.0
    longest: float = 60.0
    identify: float = IDENTIFY_SECONDS


@asynccontextmanager
async def connect(
    chat: Chat,
    marks: Marks,
    wording: Wording,
    options: DiscordOptions,
    *,
    say: Callable[[str], str],
    state: State = lambda name: None,
    clock: Callable[[], float] = time,
    random: Random | None = None,
    rate: Rate = RATE,
    waits: Waits = Waits(),  # a value
) -> AsyncIterator[DiscordFront]:
    """The front for as long as the block lasts. Raises ConchError where token or settings are wrong.

    A Discord that cannot be reached is tried again, now and later, beside everything else.
    """
    front = DiscordFront(
        chat,
        marks,
        wording,
        options,
        say=say,
        state=state,
        clock=clock,
        random=random or SystemRandom(),
        rate=rate,
        waits=waits,
    )
    try:
        await front.log_in()
        running = asyncio.create_task(front.run(), name="discord")
        try:
            yield front
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
    finally:
        await front.close()


class Ended(ConchError):
    """Coming again is of no use. The text is a sentence; ``key`` is its key."""

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


class DiscordFront:
    """One bot. ``desk`` is there once it has logged in."""

    def __init__(
        self,
        chat: Chat,
        marks: Marks,
        wording: Wording,
        options: DiscordOptions,
        *,
        say: Callable[[str], str],
        state: State,
        clock: Callable[[], float],
        random: Random,
        rate: Rate,
        waits: Waits,
    ) -> None:
        self.desk: Desk | None = None
        self.seen: Seen | None = None
        self._chat, self._marks, self._wording, self._options = chat, marks, wording, options
        self._say, self._state, self._clock, self._random = say, state, clock, random
        self._began, self._rate, self._waits = clock(), rate, waits
        self._calls = Calls(self._revoked)
        self._client: ConchClient | None = None
        self._messages: Messages | None = None
        self._interactions: Interactions | None = None
        self._showing: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._guilds: dict[int, asyncio.Event] = {}
        self._reading: dict[int, asyncio.Task[None]] = {}
        self._dead = asyncio.Event()

    # The life of the connection.

    async def log_in(self) -> None:
        """Make a client and introduce it. Raises Ended; a Discord that cannot be reached leaves it for later."""
        options: dict[str, Any] = {"identify_seconds": self._waits.identify}
        if self._options.shards > 1:
            options["shard_count"] = self._options.shards
        made = ConchClient if self._options.shards == 1 else ShardedClient
        client = made(self, message_content=self._options.message_content, **options)
        try:
            await client.login(self._options.token)
        except discord.LoginFailure:
            await client.close()
            raise self._ended("discord-token-wrong") from None
        except (discord.HTTPException, aiohttp.ClientError, OSError) as error:
            await client.close()
            log.warning("Discord cannot be reached yet", extra={"why": type(error).__name__})
            return
        application = client.application
        assert application is not None
        if self._options.message_content and not _grants_content(application.flags):
            await client.close()
            raise self._ended("discord-intent-refused")
        client.identifies = Identifies(self._marks, f"{PREFIX}{application.id}:identifies", self._clock)
        self._client = client
        self._calls.http = client.http
        await self._furnish(client, application.id)

    async def _furnish(self, client: ConchClient, app: int) -> None:
        """What stands on an introduced client: what is new only the first time."""
        if self.desk is None:
            await self._set_up(client, app)
        assert self.desk is not None
        assert self._interactions is not None
        self.desk.link.client = client
        client.add_dynamic_items(dynamic_button(self._interactions.pressed))
        tree = CommandTree(client, self._interactions, self._wording)
        await tree.publish(self._marks, app)

    async def _set_up(self, client: ConchClient, app: int) -> None:
        link = Link(client, self._calls, Names(app), Pacing(CALLS_PER_SECOND), self._clock, self._began, self._rate)
        self.desk = Desk(self._chat, self._wording, self._options, link, self.show)
        self.seen = Seen(self._marks, app, self._options.catch_up_hours, self._clock)
        await self.seen.load()
        self._messages = Messages(self.desk, self.seen, self._caught_up)
        self._interactions = Interactions(self.desk)
        unfinished = await self._chat.unfinished(PREFIX)
        link.refs.update(ref for reply in unfinished for ref in reply.turn.refs)
        for reply in unfinished:
            self.show(reply)

    async def run(self) -> None:
        """Stay connected until there is no use in it."""
        failures = 0
        well = asyncio.create_task(self._note_that_all_is_well())
        try:
            while True:
                try:
                    await self._connect_once()
                    failures = 0
                except Ended as end:
                    log.error("Discord has ended: %s", end)
                    self._state(end.key)
                    for showing in self._showing.values():  # the next start shows what is answered
                        showing.cancel()
                    return
                except TooManySessions as wait:
                    log.warning("Discord waits: too many sessions were begun", extra={"seconds": wait.args[0]})
                    await asyncio.sleep(wait.args[0])
                    continue
                except Exception as error:
                    log.warning("the connection to Discord failed", extra={"why": type(error).__name__})
                    failures += 1
                self._state("connecting")
                pause = min(self._waits.first * 2.0**failures, self._waits.longest)
                await asyncio.sleep(pause * self._random.uniform(0.5, 1.0))
        finally:
            well.cancel()

    async def _connect_once(self) -> None:
        """One connection after the other, as far as discord.py finds the next by itself."""
        if self._client is None or self._client.is_closed():
            await self.log_in()
        client = self._client
        if client is None:
            raise OSError("not reached")
        assert client.identifies is not None
        if (seconds := await client.identifies.wait()) > 0:
            raise TooManySessions(seconds)
        connecting = asyncio.create_task(client.connect())
        dead = asyncio.create_task(self._dead.wait())
        try:
            await asyncio.wait({connecting, dead}, return_when=asyncio.FIRST_COMPLETED)
            if self._dead.is_set():
                raise self._ended("discord-token-revoked")
            await connecting
        except discord.PrivilegedIntentsRequired:
            raise self._ended("discord-intent-refused") from None
        except discord.ConnectionClosed as closed:
            if closed.code in ENDS or closed.code in (4010, 4012, 4013):
                raise self._ended(ENDS.get(closed.code, "discord-refused")) from None
            raise
        finally:
            connecting.cancel()
            dead.cancel()
            await asyncio.gather(connecting, dead, return_exceptions=True)
            await client.hang_up()

    async def close(self) -> None:
        """Let what is being shown come to its end, for a moment, and go."""
        if self._showing:
            await asyncio.wait(set(self._showing.values()), timeout=SHOW_SECONDS)
        for task in (*self._showing.values(), *self._tasks):
            task.cancel()
        await asyncio.gather(*self._showing.values(), *self._tasks, return_exceptions=True)
        if self._client is not None and not self._client.is_closed():
            await self._client.close()

    def _ended(self, key: str) -> Ended:
        return Ended(key, self._say(key))

    def _revoked(self) -> None:
        self._dead.set()

    async def _note_that_all_is_well(self) -> None:
        while True:
            await asyncio.sleep(WELL_SECONDS)
            if self.seen is not None and self._client is not None and self._client.is_ready():
                with suppress(ConchError):
                    await self.seen.all_is_well()

    # Answers.

    def show(self, reply: Reply) -> None:
        """Show an answer, if nobody does yet."""
        place = Place.read(reply.turn.place)
        if place is None or reply.turn.shown or reply.turn.id in self._showing:
            return
        task = asyncio.create_task(self._show(reply, place), name=f"show {reply.turn.id}")
        self._showing[reply.turn.id] = task
        task.add_done_callback(lambda done: self._shown(reply.turn.id, done))

    async def _show(self, reply: Reply, place: Place) -> None:
        assert self.desk is not None
        say = self._wording.bind(reply.turn.language)
        if place.alone:
            await show_alone(reply, self.desk.link, place, say)
        else:
            await show(reply, MessageChannel(self.desk.link, place, reply, say), say)

    def _shown(self, turn: int, task: asyncio.Task[None]) -> None:
        del self._showing[turn]
        if not task.cancelled() and (error := task.exception()):
            log.error("turn %d is not shown", turn, exc_info=error)

    def _begin(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Events.

    async def connected(self) -> None:
        """A new session: what was said before it is read back, before what comes now is dealt with."""
        assert self._client is not None
        assert self.seen is not None
        self._state("up")
        self._guilds = {guild.id: asyncio.Event() for guild in self._client.guilds}
        slots = asyncio.Semaphore(READERS)
        for channel in self.seen.direct.values():
            self._read_back(self._client.get_partial_messageable(channel), channel, slots)

    async def guild_there(self, guild: discord.Guild) -> None:
        """A server's channels are known."""
        assert self.seen is not None
        slots = asyncio.Semaphore(READERS)
        channels: list[discord.TextChannel | discord.VoiceChannel | discord.Thread] = []
        channels += [*guild.text_channels, *guild.voice_channels, *guild.threads]
        for channel in channels:
            if (channel.last_message_id or 0) > self.seen.after(channel.id):
                self._read_back(channel, channel.id, slots)
        if (there := self._guilds.pop(guild.id, None)) is not None:
            there.set()

    async def resumed(self) -> None:
        self._state("up")

    async def lost(self) -> None:
        self._state("connecting")

    async def written(self, message: discord.Message) -> None:
        assert self._messages is not None
        await self._messages.written(message)

    async def edited(self, message: discord.Message) -> None:
        assert self._messages is not None
        await self._messages.edited(message)

    async def deleted(self, channel: int, message: int) -> None:
        assert self._messages is not None
        await self._messages.deleted(channel, message)

    async def interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Commands and buttons are handed out by discord.py; a form is ours to read."""
        if interaction.type is discord.InteractionType.modal_submit:
            assert self._interactions is not None
            await self._interactions.filled_in(interaction)

    def _read_back(self, channel: discord.abc.Messageable, number: int, slots: asyncio.Semaphore) -> None:
        task = self._begin(self._read(channel, number, slots))
        self._reading[number] = task
        task.add_done_callback(
            lambda done: self._reading.pop(number, None) if self._reading.get(number) is done else None
        )

    async def _read(self, channel: discord.abc.Messageable, number: int, slots: asyncio.Semaphore) -> None:
        """Deal with what was said in a channel meanwhile."""
        assert self.seen is not None
        assert self._messages is not None
        async with slots:
            try:
                async for message in said_since(self._calls, channel, self.seen.after(number)):
                    await self._messages.written(message, live=False)
            except ChannelError as error:
                log.info("a channel was not read back", extra={"why": type(error).__name__})

    async def _caught_up(self, message: discord.Message) -> None:
        """What was said in this channel before has been dealt with."""
        if message.guild is not None and (there := self._guilds.get(message.guild.id)) is not None:
            await there.wait()
        if (reading := self._reading.get(message.channel.id)) is not None:
            await asyncio.wait({reading})


def _grants_content(flags: discord.ApplicationFlags) -> bool:
    return flags.gateway_message_content or flags.gateway_message_content_limited
