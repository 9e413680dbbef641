"""The connection to Discord and all the ways of losing it, each with its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bots.discord.client import DAY, FREE, MOST, Identifies
from bots.discord.front import ENDS
from core.errors import ConchError
from tests.servers.discord.gateway import Line
from tests.servers.discord.people import answers
from tests.servers.discord.server import How, limited
from tests.support.discord_core import QUICK, SAY, Beach, Town, beach
from tests.support.whole_core import house


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with Town.open() as founded:
        yield founded


async def asked_and_answered(here: Beach, text: str = "still there?") -> None:
    """Prove that messages arrive and are answered."""
    before = len(answers(here.town.channel))
    here.town.ann.asks(here.town.channel, text)
    await here.answered(here.town.channel, before + 1)


async def test_a_first_connection_that_fails_is_tried_again(town: Town, tmp_path: Path) -> None:
    town.server.gateway.refuse = 3
    async with beach(tmp_path, town) as here:
        await asked_and_answered(here)
        assert here.states[-1] == "up"


async def test_a_discord_that_cannot_be_reached_at_the_start_is_tried_again(town: Town, tmp_path: Path) -> None:
    fault = town.server.breaks("GET", "/users/@me", "reset", times=3)
    async with beach(tmp_path, town) as here:
        assert fault.times == 0
        await asked_and_answered(here)


@pytest.mark.parametrize("how", ["hang", limited(0.1), limited(0.1, everywhere=True)])
async def test_a_login_is_bounded_in_time_and_does_as_it_is_told(town: Town, tmp_path: Path, how: How) -> None:
    for route in ("/users/@me", "/oauth2/applications/@me", "/gateway/bot"):
        town.server.breaks("GET", route, how)
    async with beach(tmp_path, town, options={"shards": 0}, timing=replace(QUICK, call=0.2)) as here:
        await asked_and_answered(here)
    assert all(fault.times == 0 for fault in town.server.faults)
    assert town.server.limits.wrongs == []


async def test_questions_are_answered_while_discord_does_not_take_the_commands(town: Town, tmp_path: Path) -> None:
    fault = town.server.breaks("PUT", "/applications/{application_id}/commands", "hang", times=3)
    async with beach(tmp_path, town, wait=False, timing=replace(QUICK, call=0.2)) as here:
        await here.until(lambda: here.states)
        await asked_and_answered(here)
        assert town.server.world.commands == []
        await here.until(lambda: town.server.world.commands)
        assert fault.times == 0
        asked = town.ann.runs("ask", town.channel, question="by command")
        await here.until(lambda: asked.shown and asked.shown.button("regenerate"))


async def test_a_wrong_token_ends_the_start_with_a_sentence(town: Town, tmp_path: Path) -> None:
    with pytest.raises(ConchError, match="Discord does not know the token"):
        async with beach(tmp_path, town, options={"token": "MTIz.Gab-_c.wrong"}):
            pass


async def test_an_intent_that_is_not_granted_ends_the_start_with_a_sentence(town: Town, tmp_path: Path) -> None:
    with pytest.raises(ConchError, match=r"discord\.message_content is on"):
        async with beach(tmp_path, town, options={"message_content": True}):
            pass


async def test_op_7_resumes_and_what_came_meanwhile_is_replayed(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town) as here:
        town.server.gateway.reconnect()
        town.ann.asks(town.channel, "meanwhile")
        await here.answered(town.channel)
        assert (town.server.gateway.resumes, len(town.server.gateway.identifies)) == (1, 1)


@pytest.mark.parametrize("resumable", [True, False])
async def test_op_9_resumes_or_begins_anew_and_loses_nothing(town: Town, tmp_path: Path, resumable: bool) -> None:
    async with beach(tmp_path, town) as here:
        town.server.gateway.invalidate(resumable=resumable)
        town.ann.asks(town.channel, "meanwhile")
        town.bob.says(town.bob.direct, "a first word")  # is never seen if the session is lost
        await here.answered(town.channel)
        assert len(town.server.gateway.identifies) == (1 if resumable else 2)


@pytest.mark.parametrize("code", [1000, 1001, 4000, 4007, 4009])
async def test_other_closes_are_followed_by_the_next_connection(town: Town, tmp_path: Path, code: int) -> None:
    async with beach(tmp_path, town) as here:
        await town.server.gateway.close(code)
        await asked_and_answered(here)


async def test_a_cut_connection_and_a_lost_session_lose_no_mention_and_no_direct_message(
    town: Town, tmp_path: Path
) -> None:
    async with beach(tmp_path, town) as here:
        town.bob.says(town.bob.direct, "we know each other")
        await here.answered(town.bob.direct)
        town.server.gateway.refuse = 2
        town.server.gateway.cut(forget=True)
        town.ann.asks(town.channel, "meanwhile")
        town.bob.says(town.bob.direct, "meanwhile")
        await here.answered(town.channel)
        await here.answered(town.bob.direct, 2)
        await asked_and_answered(here)


@pytest.mark.parametrize("code", [4004, 4014, 4011, 4013])
async def test_a_refusal_for_good_ends_this_front_alone_with_one_line(
    town: Town, tmp_path: Path, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with beach(tmp_path, town) as here:
        await town.server.gateway.close(code)
        await here.until(lambda: here.states[-1].startswith("ended: "))
        lines = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert [line.getMessage() for line in lines] == [
            f"discord has ended, the other fronts go on: {SAY(ENDS[code][1])}"
        ]
        await here.home.ask("web:ann:1", "the page goes on")


async def test_a_token_that_is_revoked_while_answering_ends_this_front_alone(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town) as here:
        town.ann.asks(town.channel, "q")
        await here.until(lambda: answers(town.channel), speak=False)
        town.server.gateway.revoked = True
        await here.until(lambda: here.states[-1] == "ended: token revoked")
        town.server.gateway.revoked = False
        await here.home.ask("web:ann:1", "the page goes on")
    async with beach(tmp_path, town) as here:
        await here.answered(town.channel)


@pytest.mark.parametrize(
    "packet",
    [
        {"op": 0, "s": 99, "t": "MESSAGE_CREATE", "d": {"id": "1"}},
        {"op": 0, "s": 99, "t": "MESSAGE_CREATE", "d": None},
        {"op": 0, "s": 99, "t": "INTERACTION_CREATE", "d": {"id": "x"}},
        {"op": 0, "s": 99, "t": "MESSAGE_DELETE", "d": {}},
        {"op": 0, "s": 99, "t": "NEVER_HEARD_OF", "d": {}},
        {"op": 77, "s": None, "t": None, "d": None},
    ],
)
async def test_an_event_that_cannot_be_read_is_stepped_over(town: Town, tmp_path: Path, packet: dict) -> None:
    async with beach(tmp_path, town) as here:
        for session in town.server.gateway.live:
            assert session.line is not None
            session.line.raw(packet)
        await asked_and_answered(here)
        assert len(town.server.gateway.identifies) == 1


async def test_a_greeting_that_cannot_be_read_costs_one_connection(town: Town, tmp_path: Path) -> None:
    greeted: list[Line] = []

    def greet(line: Line) -> None:
        greeted.append(line)
        if len(greeted) == 1:
            line.raw({"op": 0, "s": 1, "t": "READY", "d": {}})

    town.server.gateway.greeting = greet
    async with beach(tmp_path, town) as here:
        await asked_and_answered(here)
        assert len(greeted) == 2


async def test_a_restart_reads_back_what_was_said_meanwhile_and_answers_it_once(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town) as here:
        town.bob.says(town.bob.direct, "we know each other")
        await here.answered(town.bob.direct)
        await asked_and_answered(here, "before")
    other = town.server.world.channel(town.guild, "never used before")
    town.ann.asks(town.channel, "meanwhile")
    town.ann.says(town.channel, "not for the bot")
    town.bob.says(town.bob.direct, "meanwhile, too")
    town.bob.asks(other, "here, too")
    async with beach(tmp_path, town) as here:
        await here.answered(town.channel, 2)
        await here.answered(town.bob.direct, 2)
        await here.answered(other)
        town.server.gateway.cut(forget=True)
        await asked_and_answered(here)
        questions = [asked[-1].content for asked in here.engine.asked]
    assert sorted(questions) == ["here, too", "meanwhile", "meanwhile, too", "still there?"]
    assert len(answers(town.channel)) == 3


async def test_sessions_are_counted_over_restarts_and_come_ever_slower(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        clock, sent = home.clock, []
        began = clock.now
        for _ in range(FREE + 2 * (MOST - FREE)):  # two days of them
            identifies = Identifies(home.store, "discord:1:identifies", clock)  # as a new process would
            clock.now += await identifies.wait()
            await identifies.count()
            sent.append(clock.now)
            clock.now += 0.5
    assert sent[FREE - 1] - began < FREE
    assert max(sum(at <= time < at + DAY for time in sent) for at in sent[::50]) <= MOST + 1


async def test_a_crash_loop_waits_without_a_connection(
    town: Town, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with beach(tmp_path, town) as here:
        times = [here.home.clock.now] * FREE
        await here.home.store.put(f"discord:{town.server.world.bot.id}:identifies", str(times))
    sessions = len(town.server.gateway.identifies)
    async with beach(tmp_path, town, wait=False, timing=replace(QUICK, contact=0.05)) as here:
        await here.until(lambda: "many sessions were begun" in caplog.text)
        assert len(town.server.gateway.identifies) == sessions


@pytest.mark.parametrize("shards", [2, 0])
async def test_shards_share_the_servers_and_each_finds_its_connection_again(
    town: Town, tmp_path: Path, shards: int
) -> None:
    town.server.gateway.shards = 2
    pair = {(town.guild.id >> 22) % 2: town.guild}
    while len(pair) < 2:  # by the millisecond in which it is made
        await asyncio.sleep(0.001)
        guild = town.server.world.guild("elsewhere", town.host.user)
        guild.members[town.ann.user] = set()
        pair[(guild.id >> 22) % 2] = guild
    channels = [town.server.world.channel(guild, "shared") for guild in pair.values()]
    async with beach(tmp_path, town, options={"shards": shards}) as here:
        await here.until(lambda: len(town.server.gateway.live) == 2)
        assert sorted(session.shard for session in town.server.gateway.live) == [(0, 2), (1, 2)]
        for round_ in (1, 2):
            for channel in channels:
                town.ann.asks(channel, f"round {round_}")
                await here.answered(channel, round_)
            town.bob.says(town.bob.direct, f"round {round_}")
            await here.answered(town.bob.direct, round_)
            town.server.gateway.reconnect()
            await here.until(lambda round_=round_: town.server.gateway.resumes == 2 * round_)
        town.server.gateway.invalidate(resumable=False)
        for channel in channels:
            town.ann.asks(channel, "after the session was lost")
            await here.answered(channel, 3)


@pytest.mark.parametrize("shards", [2, 1])
async def test_an_end_for_good_of_one_connection_ends_the_front(town: Town, tmp_path: Path, shards: int) -> None:
    async with beach(tmp_path, town, options={"shards": shards}) as here:
        await here.until(lambda: len(town.server.gateway.live) == shards)
        await town.server.gateway.close(4004)
        await here.until(lambda: here.states[-1] == "ended: token revoked")
