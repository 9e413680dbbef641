"""Discord: connects, stays connected, and shows the answers. What happens there is handed to the other modules.

The front decides nothing about questions, the line or limits; that is the core's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from time import time
from typing import Any

import discord

from bots.discord.buttons import dynamic_button, dynamic_choice
from bots.discord.calls import CALL_SECONDS, Calls
from bots.discord.catching_up import Marks, Seen, said_since
from bots.discord.channel import CALLS_PER_SECOND, RATE, Link, MessageChannel
from bots.discord.client import IDENTIFY_SECONDS, ConchClient, Identifies, ShardedClient, TooManySessions
from bots.discord.context import Desk, DiscordOptions
from bots.discord.interactions import Interactions
from bots.discord.messages import Messages
from bots.discord.names import PREFIX, Names, Place, name_of
from bots.discord.permissions import Lack, invite, lacking, sentence
from bots.discord.private import show_alone
from bots.discord.slash import CommandTree
from bots.talk.channel import ChannelError, Gone, RetryAfter
from bots.talk.commands import CommandOptions, Commands
from bots.talk.connection import (
    CONTACT_SECONDS,
    FIRST_BACK_OFF,
    LONGEST_BACK_OFF,
    UNREACHABLE,
    UP,
    Down,
    Ended,
    Report,
    kept_up,
)
from bots.talk.files import Files
from bots.talk.pacing import Pacing, Rate
from bots.talk.show import MAX_PARTS, show
from bots.talk.wording import Say, Wording
from core.chat.chat import Chat
from core.chat.reply import Reply
from core.errors import ConchError

__all__ = ["DiscordFront", "DiscordOptions", "Timing", "connect"]

log = logging.getLogger(__name__)

SHOW_SECONDS = 5.0
"""How long the end waits for what is being shown."""
WELL_SECONDS = 60.0
BURSTS = 5
"""Of a second's calls: all at once, a moment's delay on the way would put two seconds' calls into one."""
PARTS_WITHOUT_FILES = 50
"""Messages of one answer where the bot may not send files: every word has to come somehow."""
READERS = 4
"""Channels that are read back at the same time."""
ENDS = {
    4004: ("token revoked", "discord-token-revoked"),
    4010: ("refused", "discord-refused"),
    4011: ("more shards wanted", "discord-shards-wanted"),
    4012: ("refused", "discord-refused"),
    4013: ("refused", "discord-refused"),
    4014: ("intent refused", "discord-intent-refused"),
}
"""Gateway close codes after which coming again is of no use: in a word, and the key of the sentence."""


@dataclass(frozen=True, slots=True)
class Timing:
    """The clock (Unix seconds), ``rate`` of each channel, calls per second in all; in seconds the bound of a ``call``,
    the first ``back_off`` of what fails, how long a start waits for ``contact``, and the time between two IDENTIFYs."""

    clock: Callable[[], float] = time
    rate: Rate = RATE
    calls_per_second: int = CALLS_PER_SECOND
    call: float = CALL_SECONDS
    back_off: float = FIRST_BACK_OFF
    contact: float = CONTACT_SECONDS
    identify: float = IDENTIFY_SECONDS


@asynccontextmanager
async def connect(
    chat: Chat,
    marks: Marks,
    wording: Wording,
    options: DiscordOptions,
    *,
    say: Say,
    report: Report = lambda state: None,
    notify: Callable[[str], None] = lambda sentence: None,
    timing: Timing = Timing(),  # a value
) -> AsyncIterator[DiscordFront]:
    """The front for as long as the block lasts. Raises Ended where the token or a setting is wrong.

    A Discord that cannot be reached is tried again, now and later, beside everything else. ``notify`` gets sentences
    for whoever started it: the address that invites the bot, and which permission is missing where.
    """
    calls, clock = Calls(timing.call), timing.clock
    pacing = Pacing(timing.calls_per_second / BURSTS, 1 / BURSTS)
    link = Link(calls, pacing, timing.rate, clock, clock())
    front = DiscordFront(Desk(chat, wording, options, link), marks, say, notify, timing)
    keeping = kept_up("discord", front.session, report, contact=timing.contact, first_back_off=timing.back_off)
    try:
        async with keeping:
            yield front
    finally:
        await front.close()


class DiscordFront:
    """One bot, through all its connections. Its ``desk`` knows who it is once it has logged in."""

    def __init__(self, desk: Desk, marks: Marks, say: Say, notify: Callable[[str], None], timing: Timing) -> None:
        self.desk = desk
        desk.show = self.show
        self.seen = Seen(marks, desk.options.catch_up_hours, desk.link.clock)
        self._marks, self._say, self._notify, self._timing = marks, say, notify, timing
        self._messages = Messages(desk, self.seen, self._caught_up)
        words = CommandOptions(
            "discord", ("discord-help",), "discord-privacy", "discord-admin-help", desk.options.retention_days
        )
        self._interactions = Interactions(desk, Commands(desk.chat, desk.wording, desk.chat.personas, words, desk.chat))
        self._files = Files(desk.chat, desk.options.file_hosts)
        self._client: ConchClient | None = None
        self._publishing: asyncio.Task[None] | None = None
        self._report: Report = lambda state: None
        self._showing: dict[int, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._guilds: dict[int, asyncio.Event] = {}
        self._reading: dict[int, asyncio.Task[None]] = {}
        self._lacks: set[tuple[int, Lack]] = set()

    # The life of the connection.

    async def session(self, report: Report) -> None:
        """Log in and stay connected for as long as discord.py finds the next connection by itself."""
        self._report = report
        well = asyncio.create_task(self._note_that_all_is_well())
        try:
            if self._client is None or self._client.is_closed():
                await self._log_in()
            assert self._client is not None
            while True:
                try:
                    await self._connect(self._client)
                except TooManySessions as wait:
                    report(UNREACHABLE)
                    log.warning("Discord waits: many sessions were begun", extra={"seconds": round(wait.seconds)})
                    await asyncio.sleep(wait.seconds)
        except Ended:
            for showing in self._showing.values():  # the next start shows what is answered
                showing.cancel()
            raise
        finally:
            well.cancel()

    async def _log_in(self) -> None:
        """Make a client and introduce it. Raises Ended and Down."""
        options = self.desk.options
        shards: dict[str, Any] = {"shard_count": options.shards} if options.shards > 1 else {}
        client = (ConchClient if options.shards == 1 else ShardedClient)(
            self, message_content=options.message_content, identify_seconds=self._timing.identify, **shards
        )
        calls = self.desk.link.calls
        calls.http = client.http
        try:
            await calls(client.login(options.token))
            if isinstance(client, ShardedClient):
                await calls(client.count_shards())
            application = client.application
            assert application is not None  # it has logged in
            if options.message_content and not _grants_content(application.flags):
                raise self._ended(4014)
            client.identifies = Identifies(self._marks, f"{PREFIX}{application.id}:identifies", self.desk.link.clock)
            self.desk.chat.host(name_of(application.team.owner_id or 0 if application.team else application.owner.id))
            await self._furnish(client, application.id)
        except discord.LoginFailure:
            await client.close()
            raise Ended("wrong token", self._say("discord-token-wrong")) from None
        except ChannelError as failure:
            await client.close()
            if isinstance(failure, RetryAfter):
                await asyncio.sleep(failure.seconds)
            raise Down(str(failure)) from failure
        except BaseException:
            await client.close()
            raise

    async def _furnish(self, client: ConchClient, app: int) -> None:
        """Everything else works with this client from now on; the answers that wait to be shown are, with the first."""
        link = self.desk.link
        client.add_dynamic_items(dynamic_button(self._interactions.pressed), dynamic_choice(self._interactions.chosen))
        tree = CommandTree(client, self._interactions, self.desk.wording)
        self._publishing = self._begin(tree.publish(link.calls, self._marks, app, self._timing.back_off))
        first, self._client = self._client is None, client
        link.use(client, Names(app))
        if not first:
            return
        self._notify(self._say("discord-invite", address=invite(app)))
        await self.seen.load(app)
        unfinished = await self.desk.chat.unfinished(PREFIX)
        link.refs.update(ref for reply in unfinished for ref in reply.turn.refs)
        for reply in unfinished:
            self.show(reply)

    async def _connect(self, client: ConchClient) -> None:
        """One connection after the other. Raises Ended, Down and TooManySessions."""
        assert client.identifies is not None
        if (seconds := await client.identifies.wait()) > 0:
            raise TooManySessions(seconds)
        connecting = asyncio.create_task(client.connect())
        revoked = asyncio.create_task(self.desk.link.calls.revoked.wait())
        try:
            await asyncio.wait({connecting, revoked}, return_when=asyncio.FIRST_COMPLETED)
            if self.desk.link.calls.revoked.is_set():
                raise self._ended(4004)
            await connecting
            raise Down("the connection was closed")
        except (Ended, Down, TooManySessions):
            raise
        except discord.PrivilegedIntentsRequired:
            raise self._ended(4014) from None
        except discord.ConnectionClosed as closed:
            raise self._ended(closed.code) if closed.code in ENDS else Down(str(closed.code)) from None
        except Exception as error:  # a first connection that fails makes discord.py look for what is not there yet
            raise Down(type(error).__name__) from error
        finally:
            connecting.cancel()
            revoked.cancel()
            await asyncio.gather(connecting, revoked, return_exceptions=True)
            await client.hang_up()

    def _ended(self, code: int) -> Ended:
        cause, key = ENDS[code]
        return Ended(cause, self._say(key))

    async def close(self) -> None:
        """Let what is being shown come to its end, for a moment, and go."""
        if self._showing:
            await asyncio.wait(set(self._showing.values()), timeout=SHOW_SECONDS)
        tasks = [*self._showing.values(), *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client is not None and not self._client.is_closed():
            await self._client.close()

    async def _note_that_all_is_well(self) -> None:
        while True:
            await asyncio.sleep(WELL_SECONDS)
            if self._client is not None and self._client.is_ready():
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
        link, say = self.desk.link, self.desk.wording.bind(reply.turn.language)
        if reply.turn.incomplete:
            self._begin(self._files.fetch(reply))
        if place.alone:
            await show_alone(reply, link, place, say)
        else:
            parts = MAX_PARTS if self._may_attach(place.channel) else PARTS_WITHOUT_FILES
            await show(reply, MessageChannel(link, place, reply, say), say, max_parts=parts)

    def _may_attach(self, channel: int) -> bool:
        """May the bot send files there? As far as it knows the place."""
        known = self.desk.link.client.get_channel(channel)
        if not isinstance(known, discord.abc.GuildChannel | discord.Thread) or known.guild.me is None:
            return True
        return known.permissions_for(known.guild.me).attach_files

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended_task)
        return task

    def _ended_task(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a task of Discord's failed", exc_info=error)

    def _shown(self, turn: int, task: asyncio.Task[None]) -> None:
        del self._showing[turn]
        if not task.cancelled() and (error := task.exception()):
            log.error("turn %d is not shown", turn, exc_info=error)

    # Events.

    async def connected(self, guilds: Sequence[discord.Guild], *, direct: bool) -> None:
        """A new session: what was said before it is read back, before what comes now is dealt with."""
        self._report(UP)
        for guild in guilds:
            self._guilds.setdefault(guild.id, asyncio.Event())
        slots = asyncio.Semaphore(READERS)
        for channel in self.seen.direct.values() if direct else ():
            self._read_back(self.desk.link.channel(channel), channel, slots)

    async def guild_there(self, guild: discord.Guild) -> None:
        """A server's channels are known."""
        for lack in lacking(guild, guild.me, guild.channels):
            if (guild.id, lack) not in self._lacks:
                self._lacks.add((guild.id, lack))
                self._notify(sentence(self._say, lack))
        slots = asyncio.Semaphore(READERS)
        channels: list[discord.TextChannel | discord.VoiceChannel | discord.Thread] = []
        channels += [*guild.text_channels, *guild.voice_channels, *guild.threads]
        for channel in channels:
            if (channel.last_message_id or 0) > self.seen.after(channel.id):
                self._read_back(channel, channel.id, slots)
        if (there := self._guilds.pop(guild.id, None)) is not None:
            there.set()

    async def resumed(self) -> None:
        """The old session goes on, and Discord has told what came meanwhile."""
        self._report(UP)

    async def lost(self) -> None:
        """The connection is gone; discord.py or we look for the next."""
        self._report(UNREACHABLE)

    async def written(self, message: discord.Message) -> None:
        """Somebody has written a message."""
        await self._messages.written(message)

    async def edited(self, message: discord.Message) -> None:
        """A message has changed."""
        await self._messages.edited(message)

    async def deleted(self, channel: int, message: int) -> None:
        """A message is gone."""
        await self._messages.deleted(channel, message)

    async def interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Commands and buttons are handed out by discord.py; a form is ours to read."""
        if interaction.type is discord.InteractionType.modal_submit:
            await self._interactions.filled_in(interaction)

    def _read_back(self, channel: discord.abc.Messageable, number: int, slots: asyncio.Semaphore) -> None:
        self._reading[number] = self._begin(self._read(channel, number, slots))

    async def _read(self, channel: discord.abc.Messageable, number: int, slots: asyncio.Semaphore) -> None:
        """Deal with what was said in a channel meanwhile, however often that has to be tried."""
        wait = self._timing.back_off
        try:
            while True:
                try:
                    async with slots:
                        async for message in said_since(self.desk.link.calls, channel, self.seen.after(number)):
                            await self._messages.written(message, live=False)
                    return
                except Gone as gone:
                    log.info("a channel cannot be read back", extra={"why": str(gone)})
                    return
                except ChannelError as failure:
                    log.warning("a channel could not be read back, tried again", extra={"why": str(failure)})
                    await asyncio.sleep(max(failure.seconds, wait) if isinstance(failure, RetryAfter) else wait)
                    wait = min(wait * 2, LONGEST_BACK_OFF)
        finally:
            if self._reading.get(number) is asyncio.current_task():
                del self._reading[number]

    async def _caught_up(self, message: discord.Message) -> None:
        """What was said in this channel before has been dealt with."""
        if message.guild is not None and (there := self._guilds.get(message.guild.id)) is not None:
            await there.wait()
        if (reading := self._reading.get(message.channel.id)) is not None:
            await asyncio.wait({reading})


def _grants_content(flags: discord.ApplicationFlags) -> bool:
    return flags.gateway_message_content or flags.gateway_message_content_limited
