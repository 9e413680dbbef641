"""A whole core with the Telegram front, connected to a Bot API server of ours; what a person can see is asked there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bots.talk.pacing import Rate
from bots.talk.wording import Wording
from bots.telegram.calls import Rates
from bots.telegram.front import Look
from bots.telegram.session import Ground, Hook, TelegramOptions, connect
from core.chat.people import People
from core.limits import Limits
from tests.servers.telegram.floods import Rules
from tests.servers.telegram.server import Fault, Server, bot_api
from tests.servers.telegram.spec import find
from tests.servers.telegram.world import Json, Person, Room, World
from tests.support.stepped_engine import SteppedEngine
from tests.support.whole_core import NO_LIMITS, House, house

WORDING = Wording(Path(__file__).parents[2] / "config" / "locales")
SAY = WORDING.bind("en")
QUICK = Rates(Rate(interval=0.0, typing=5.0, opening=True), Rate(interval=0.0, typing=5.0), over_all=0)
"""No waiting between two calls, where a test is not about that."""
HASTY = {"rates": replace(QUICK, patience=0.6)}
"""A front that does not wait long for a call."""
BROKEN: tuple[Fault, ...] = ("reset", "done, then reset", "502", "half")
FAULTS: tuple[Fault, ...] = (*BROKEN, "hang")
TOGETHER = pytest.mark.parametrize("faults", [BROKEN, ("hang",)], ids=["broken", "hang"])
"""What breaks is tried at the same time; what hangs alone, as a busy machine would be taken for one that hangs."""
NO_FLOOD = Rules(per_second=1e6, burst=1e6, per_minute=10**6, over_all=10**6)
OPEN = ("web", "telegram")
needs_spec = pytest.mark.skipif(find() is None, reason="the Bot API's description does not lie beside the checkout")


@dataclass
class Stage:
    """What a test talks to. ``said`` is what the host reads, ``states`` what the front reported of itself."""

    server: Server
    home: House
    said: list[str] = field(default_factory=list)
    states: list[str] = field(default_factory=list)
    hooks: dict[str, Hook] = field(default_factory=dict)

    @property
    def world(self) -> World:
        return self.server.world

    def room(self, person: Person) -> Room:
        """The private chat with a person."""
        return self.world.rooms[person.id]

    async def shown(self, room: Room, *texts: str) -> list[Json]:
        """The bot's messages, once the newest of them read like this, in order and with the last one finished."""
        await self.world.until(lambda: self._reads(room, texts))
        return room.of_bot()[-len(texts) :]

    def _reads(self, room: Room, texts: tuple[str, ...]) -> bool:
        newest = room.of_bot()[-len(texts) :]
        waits = newest and "Stop" in labels(newest[-1])
        return [message.get("text", message.get("caption")) for message in newest] == list(texts) and not waits


def labels(message: Json) -> list[str]:
    """What the buttons under a message say."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["text"] for row in rows for button in row]


async def at_once(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them; each has a world of its own, and mostly waits."""
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)


def patience(fault: Fault) -> Mapping[str, Any]:
    """How the front is set where this may happen."""
    return HASTY if fault == "hang" else {}


def options(server: Server, **changes: Any) -> TelegramOptions:
    """A bot of that server."""
    look = {name: changes.pop(name) for name in ("rates", "drafts", "rich") if name in changes}
    return TelegramOptions(server.api.token, Look(**{"api": server.address, "rates": QUICK, **look}), **changes)


@asynccontextmanager
async def connected(server: Server, home: House, **changes: Any) -> AsyncIterator[Stage]:
    """The front on a server and a core that are there already."""
    stage = Stage(server, home)
    ground = Ground(home.chat, home.store, WORDING, stage.hooks, SAY, stage.said.append)
    async with connect(ground, options(server, **changes), stage.states.append):
        yield stage


@asynccontextmanager
async def stage(
    folder: Path,
    *,
    people: People | None = None,
    privacy: bool = True,
    rules: Rules = NO_FLOOD,
    limits: Limits = NO_LIMITS,
    engine: SteppedEngine | None = None,
    front: Mapping[str, Any] | None = None,
    **core: Any,
) -> AsyncIterator[Stage]:
    """Everything, from an empty world; at the end nothing must have been asked of the API that is not in it."""
    async with bot_api(privacy=privacy, rules=rules) as server:
        async with (
            house(folder, people=people or People(open_to=OPEN), limits=limits, engine=engine, **core) as home,
            connected(server, home, **(front or {})) as made,
        ):
            yield made
        assert server.api.wrongs == []
