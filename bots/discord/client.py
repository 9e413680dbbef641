"""discord.py's client, as this front wants it: small in memory, pinging nobody, deaf to what would end it.

It also counts how often it begins a session, over restarts: more than 1,000 IDENTIFYs in a day would make Discord reset
the bot's token. The first ``FREE`` of any day cost nothing; from then on they come so far apart that a crash loop,
however long, stays at half of what Discord allows.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import discord
from discord.http import Route

from bots.discord.calls import trace
from bots.discord.catching_up import Marks

log = logging.getLogger(__name__)
IDENTIFY_SECONDS = 5.0
"""Between two IDENTIFYs, as Discord wants it."""
DAY = 86_400.0
FREE, MOST = 100, 500
SPACING_SECONDS = DAY / (MOST - FREE)


class TooManySessions(Exception):
    """The next IDENTIFY has to wait for so many ``seconds``, without a connection."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"again in {seconds:.0f} s")
        self.seconds = seconds


class Identifies:
    """The IDENTIFYs of the last day, by their times (Unix seconds)."""

    def __init__(self, marks: Marks, key: str, clock: Callable[[], float]) -> None:
        self._marks, self._key, self._clock = marks, key, clock
        self._times: list[float] | None = None

    async def wait(self) -> float:
        """Seconds until one more may be sent."""
        times = await self._recent()
        return max(0.0, times[-1] + SPACING_SECONDS - self._clock()) if len(times) >= FREE else 0.0

    async def count(self) -> None:
        """One is about to be sent: kept before it is."""
        times = await self._recent()
        times.append(self._clock())
        await self._marks.put(self._key, json.dumps([round(time, 1) for time in times]))

    async def _recent(self) -> list[float]:
        if self._times is None:
            self._times = json.loads(await self._marks.get(self._key) or "[]")
        now = self._clock()
        self._times = [min(time, now) for time in self._times if time > now - DAY]
        return self._times


class Events(Protocol):
    """What is told of a client's life and of what happens on Discord. A new session is that of ``guilds``, and the one
    that gets the ``direct`` messages, or not."""

    async def connected(self, guilds: Sequence[discord.Guild], *, direct: bool) -> None: ...
    async def guild_there(self, guild: discord.Guild) -> None: ...
    async def lost(self) -> None: ...
    async def resumed(self) -> None: ...
    async def written(self, message: discord.Message) -> None: ...
    async def edited(self, message: discord.Message) -> None: ...
    async def deleted(self, channel: int, message: int) -> None: ...
    async def interaction(self, interaction: discord.Interaction[Any]) -> None: ...


class ConchClient(discord.Client):
    """One connection to Discord. ``identifies`` is set once the application is known."""

    def __init__(
        self, events: Events, *, message_content: bool, identify_seconds: float = IDENTIFY_SECONDS, **options: Any
    ) -> None:
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # nobody speaks here
        intents = discord.Intents(guilds=True, guild_messages=True, dm_messages=True, message_content=message_content)
        super().__init__(
            intents=intents,
            max_messages=None,
            chunk_guilds_at_startup=False,
            member_cache_flags=discord.MemberCacheFlags.none(),
            allowed_mentions=discord.AllowedMentions.none(),
            max_ratelimit_timeout=30.0,
            http_trace=trace(),
            **options,
        )
        self.events, self._identify_seconds = events, identify_seconds
        self.identifies: Identifies | None = None
        parsers = self._connection.parsers  # the one place where an event that cannot be read can be stepped over
        for name, parse in parsers.items():
            parsers[name] = _guarded(name, parse)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        """Count it, before it is sent."""
        assert self.identifies is not None
        if not initial:
            await asyncio.sleep(self._identify_seconds)
        if (seconds := await self.identifies.wait()) > 0:
            raise TooManySessions(seconds)
        await self.identifies.count()

    async def hang_up(self) -> None:
        """Close a connection that was left behind: its heart would beat on."""
        if self.ws is not None and self.ws.open:
            await self.ws.close()

    async def on_connect(self) -> None:
        """READY: a new session, with a hole before it."""
        await self.events.connected(self.guilds, direct=True)

    async def on_resumed(self) -> None:
        await self.events.resumed()

    async def on_disconnect(self) -> None:
        await self.events.lost()

    async def on_guild_available(self, guild: discord.Guild) -> None:
        await self.events.guild_there(guild)

    async def on_guild_join(self, guild: discord.Guild) -> None:
        await self.events.guild_there(guild)

    async def on_message(self, message: discord.Message) -> None:
        await self.events.written(message)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        await self.events.edited(payload.message)

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        await self.events.deleted(payload.channel_id, payload.message_id)

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        for message in payload.message_ids:
            await self.events.deleted(payload.channel_id, message)

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        await self.events.interaction(interaction)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """What a handler did not expect is a line in the log, without what somebody wrote."""
        log.exception("an event of Discord's was not dealt with", extra={"event": event_method})


class ShardedClient(ConchClient, discord.AutoShardedClient):
    """Several connections, each for its part of the servers; the first has the direct messages, too."""

    async def on_connect(self) -> None:
        """Said for every shard; which it is, is said by the next."""

    async def count_shards(self) -> None:
        """As many as Discord recommends, where no number is set."""
        if self.shard_count is None:
            self.shard_count = (await self.http.request(Route("GET", "/gateway/bot")))["shards"]

    async def on_shard_connect(self, shard_id: int) -> None:
        """READY of one shard."""
        mine = [guild for guild in self.guilds if guild.shard_id == shard_id]
        await self.events.connected(mine, direct=shard_id == 0)

    async def launch_shard(self, gateway: Any, shard_id: int, *, initial: bool = False) -> None:
        """Wait without a connection until there may be one."""
        assert self.identifies is not None
        if (seconds := await self.identifies.wait()) > 0:
            raise TooManySessions(seconds)
        await super().launch_shard(gateway, shard_id, initial=initial)

    async def hang_up(self) -> None:
        """Close what was left behind."""
        for shard in self.shards.values():
            await shard.disconnect()


def _guarded(name: str, parse: Callable[[Any], None]) -> Callable[[Any], None]:
    """An event that discord.py cannot read would end the connection, and be sent again after it."""

    def guarded(data: Any) -> None:
        try:
            parse(data)
        except Exception as error:
            if name == "READY":
                raise
            log.warning("an event of Discord's could not be read", extra={"event": name, "why": type(error).__name__})

    return guarded
