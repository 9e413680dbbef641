"""A call to Discord: bounded, obedient, and never in the way of the next. The real discord.py makes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import discord
import pytest

from bots.discord.calls import Blocked, Calls, Revoked, trace
from bots.talk.channel import ChannelError, Gone, RetryAfter, Unreachable
from tests.servers.discord.model import Problem
from tests.servers.discord.server import limited
from tests.support.discord_core import Town

SEND = r"/channels/{channel_id}/messages"
BOUND = 0.25


@dataclass
class Desk:
    """A client that has logged in, and its calls."""

    town: Town
    client: discord.Client
    calls: Calls

    async def send(self, text: str = "x", nonce: str | None = None) -> discord.Message:
        channel = self.client.get_partial_messageable(self.town.channel.id)
        return await self.calls(channel.send(text, nonce=nonce))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    town = Town.founded()
    async with town.server.listening():
        town.point()
        client = discord.Client(intents=discord.Intents.none(), http_trace=trace(), max_ratelimit_timeout=30.0)
        calls = Calls(BOUND)
        async with client:
            await client.login(town.server.world.token)
            calls.http = client.http
            yield Desk(town, client, calls)


async def test_what_works_gives_its_result(desk: Desk) -> None:
    assert (await desk.send("hello")).content == "hello"


@pytest.mark.parametrize("how", ["hang", "late"])
async def test_a_call_without_an_answer_is_given_up_after_its_bound_and_the_next_goes_through(
    desk: Desk, how: str
) -> None:
    desk.town.server.breaks("POST", SEND, how)  # type: ignore[arg-type]
    with pytest.raises(Unreachable):
        await desk.send("first", nonce="one")
    await desk.send("first", nonce="one")
    assert [message.content for message in desk.town.channel.shown()] == ["first"]


@pytest.mark.parametrize("how", ["reset", "lost", 500, 502, 503])
async def test_faults_on_the_way_pass(desk: Desk, how: object) -> None:
    desk.town.server.breaks("POST", SEND, how)  # type: ignore[arg-type]
    with pytest.raises(Unreachable):
        await desk.send("first", nonce="one")
    await desk.send("first", nonce="one")
    assert [message.content for message in desk.town.channel.shown()] == ["first"]


async def test_a_limit_is_told_at_once_with_its_seconds_and_not_waited_out_inside_the_call(desk: Desk) -> None:
    desk.town.server.breaks("POST", SEND, limited(20))
    with pytest.raises(RetryAfter) as told:
        await desk.send()
    assert (told.value.seconds, told.value.everywhere) == (20, False)
    assert len(desk.town.server.calls) == 3  # two of them to log in


async def test_a_limit_longer_than_discord_py_waits_is_told_too(desk: Desk) -> None:
    desk.town.server.breaks("POST", SEND, limited(100))
    with pytest.raises(RetryAfter) as told:
        await desk.send()
    assert told.value.seconds == 100


async def test_after_a_limit_on_everything_longer_than_a_calls_bound_the_next_call_goes_through(desk: Desk) -> None:
    desk.town.server.breaks("POST", SEND, limited(4 * BOUND, everywhere=True))
    first = asyncio.create_task(desk.send("first"))
    await desk.town.server.until(lambda: len(desk.town.server.calls) == 3)
    second = asyncio.create_task(desk.send("second"))
    await asyncio.gather(first, second)
    await desk.send("third")
    assert [message.content for message in desk.town.channel.shown()] == ["first", "second", "third"]


async def test_a_long_limit_on_everything_is_told_as_one(desk: Desk) -> None:
    desk.town.server.breaks("POST", SEND, limited(60, everywhere=True))
    with pytest.raises(RetryAfter) as told:
        await desk.send()
    assert (told.value.seconds, told.value.everywhere) == (60, True)
    await desk.send("the door is open")


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (Problem(404, 10003, "Unknown Channel"), Gone),
        (Problem(403, 50013, "Missing Permissions"), Gone),
        (Problem(400, 200000, "blocked by AutoMod"), Blocked),
        (Problem(400, 30046, "too many edits of old messages"), RetryAfter),
        (Problem(401, 50027, "Invalid Webhook Token"), Gone),
    ],
)
async def test_refusals_are_told_apart(desk: Desk, problem: Problem, kind: type[ChannelError]) -> None:
    desk.town.server.breaks("POST", SEND, problem)
    with pytest.raises(kind):
        await desk.send()
    assert not desk.calls.revoked.is_set()


async def test_a_revoked_token_is_told_to_whoever_keeps_the_connection(desk: Desk) -> None:
    desk.town.server.gateway.revoked = True
    with pytest.raises(Revoked):
        await desk.send()
    assert desk.calls.revoked.is_set()


async def test_a_caller_that_goes_away_does_not_take_the_call_with_it(desk: Desk) -> None:
    sending = asyncio.create_task(desk.send("first"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await desk.town.server.until(desk.town.channel.shown)


async def test_a_mistake_of_ours_is_no_fault_of_discords(desk: Desk) -> None:
    async def mistake() -> None:
        raise ValueError("ours")

    with pytest.raises(ValueError, match="ours"):
        await desk.calls(mistake())


async def test_a_closed_client_is_unreachable(desk: Desk) -> None:
    await desk.client.close()
    with pytest.raises(Unreachable):
        await desk.send()
