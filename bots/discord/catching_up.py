"""How far each channel has been dealt with, over restarts, and what was said there meanwhile.

Discord forgets a program's session when the program ends, so every restart has a hole. What was said in it is read back
from the channels' histories: behind the last message that was dealt with, but not behind the time until which
everything was.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import discord

from bots.discord.calls import Calls
from bots.discord.names import PREFIX

HOUR = 3600.0
SLACK_SECONDS = 60.0
"""An event may be on its way for so long."""
PAGE = 100


class Marks(Protocol):
    """Small values that outlive the process. A person's (``discord:<id>:…``) are forgotten with them."""

    async def get(self, key: str) -> str | None:
        """A value that was put."""

    async def put(self, key: str, value: str) -> None:
        """Keep a value."""

    async def marks(self, prefix: str) -> dict[str, str]:
        """All values whose keys begin so."""


@dataclass(slots=True)
class _Channel:
    """``open``: messages being dealt with. ``reached``: up to here all is done; ``kept`` of that is on the disk."""

    open: set[int] = field(default_factory=set)
    newest: int = 0
    reached: int = 0
    kept: int = 0


class Seen:
    """The last message dealt with in each channel. ``hours``: how far it is read back at most."""

    def __init__(self, marks: Marks, hours: float, clock: Callable[[], float]) -> None:
        self._marks, self._hours, self._clock = marks, hours, clock
        self._app = 0
        self._channels: defaultdict[int, _Channel] = defaultdict(_Channel)
        self._floor = 0
        self.direct: dict[int, int] = {}
        """The direct messages that people had with the bot: who, and in which channel."""

    async def load(self, app: int) -> None:
        """Read what an earlier process has kept. Nothing is read back from before the very first start."""
        self._app = app
        places = f"{PREFIX}{app}:seen:"
        for key, value in (await self._marks.marks(PREFIX)).items():
            if key.startswith(places):
                self._keep(int(key.removeprefix(places)), int(value))
            elif key.endswith(":direct"):
                channel, _, message = value.partition(" ")
                self.direct[int(key.split(":")[1])] = int(channel)
                self._keep(int(channel), int(message))
        until = await self._marks.get(self._until)
        if until is None:
            until = str(int(self._clock()))
            await self._marks.put(self._until, until)
        self._floor = snowflake(float(until))

    def after(self, channel: int) -> int:
        """The message behind which this channel has to be read back."""
        oldest = snowflake(self._clock() - self._hours * HOUR)
        return max(self._channels[channel].reached, self._floor, oldest)

    @asynccontextmanager
    async def handling(self, channel: int, message: int, user: int | None) -> AsyncIterator[None]:
        """While the block runs, a message is being dealt with; ``user``: whose direct message it is.

        A block that raises leaves it open: the next start reads it back.
        """
        place = self._channels[channel]
        place.open.add(message)
        place.newest = max(place.newest, message)
        yield
        place.open.discard(message)
        place.reached = max(place.reached, min(place.open) - 1 if place.open else place.newest)
        if place.reached <= place.kept:
            return
        place.kept = place.reached
        if user is None:
            await self._marks.put(f"{PREFIX}{self._app}:seen:{channel}", str(place.reached))
        else:
            self.direct[user] = channel
            await self._marks.put(f"{PREFIX}{user}:direct", f"{channel} {place.reached}")

    async def all_is_well(self) -> None:
        """Everything until a moment ago has been heard, and dealt with but for what is open now."""
        opened = [min(place.open) for place in self._channels.values() if place.open]
        until = min([self._clock(), *map(seconds, opened)]) - SLACK_SECONDS
        self._floor = max(self._floor, snowflake(until))
        await self._marks.put(self._until, str(int(until)))

    @property
    def _until(self) -> str:
        return f"{PREFIX}{self._app}:until"

    def _keep(self, channel: int, message: int) -> None:
        place = self._channels[channel]
        place.newest = place.reached = place.kept = max(place.reached, message)


async def said_since(calls: Calls, channel: discord.abc.Messageable, after: int) -> AsyncIterator[discord.Message]:
    """What was said in a channel behind the message ``after``, the oldest first. Raises the ChannelErrors."""
    while True:

        async def page(after: int = after) -> list[discord.Message]:
            found = channel.history(limit=PAGE, after=discord.Object(after), oldest_first=True)
            return [message async for message in found]

        messages = await calls(page())
        for message in messages:
            yield message
        if len(messages) < PAGE:
            return
        after = messages[-1].id


def snowflake(at: float) -> int:
    """The first id of a time in Unix seconds."""
    return discord.utils.time_snowflake(datetime.fromtimestamp(max(at, 1_420_070_400.0), UTC))


def seconds(number: int) -> float:
    """The time of an id, in Unix seconds."""
    return discord.utils.snowflake_time(number).timestamp()
