"""Answers that only an interaction's token reaches: private ones, and those where the bot may not write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from time import time

import pytest

from tests.servers.discord.interactions import Interaction
from tests.servers.discord.model import EPHEMERAL, SUPPRESS_EMBEDS
from tests.servers.discord.people import answers
from tests.support.discord_core import QUICK, SAY, Beach, Town, beach
from tests.support.stepped_engine import SteppedEngine

SOON = {"token_seconds": 0.6}
"""What stands for the 14 minutes."""
LATER = replace(QUICK, clock=lambda: time() + 900)
"""A quarter of an hour after."""


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with Town.open() as founded:
        yield founded


async def ended(here: Beach, asked: Interaction) -> str:
    """The text of a response, once its answer has come to its end."""
    await here.until(lambda: asked.shown is not None and asked.shown.button("regenerate"))
    assert asked.shown is not None
    return asked.shown.content


async def test_a_long_private_answer_is_one_message_with_the_whole_of_it_as_a_file(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town, engine=SteppedEngine(words=800), max_tokens=2000) as here:
        here.engine.release()
        asked = town.ann.runs("ask", town.channel, question="tell me all", private=True)
        await here.until(lambda: asked.shown is not None and asked.shown.attachments)
        assert asked.shown is not None
        (file,) = asked.shown.attachments
        assert file.filename == "answer.md"
        assert file.data.decode() == " ".join(f"a{number}" for number in range(1, 801))
        assert SAY("rest-as-file") in asked.shown.content
        assert file.data.decode().startswith(asked.shown.content.split("\n\n*")[0])
        assert asked.shown.flags == SUPPRESS_EMBEDS | EPHEMERAL
        assert answers(town.channel) == []

        here.engine.words, here.engine.free = 3, False
        town.ann.presses(asked.shown, "regenerate")
        await here.until(lambda: here.engine.running, speak=False)
        await here.until(lambda: asked.shown and asked.shown.content == SAY("thinking"), speak=False)
        assert asked.shown.attachments == []
        assert await ended(here, asked) == "a1 a2 a3"
        assert SAY("starting-over") not in asked.shown.versions


async def test_past_its_time_a_private_answer_goes_on_in_direct_messages_never_in_the_channel(
    town: Town, tmp_path: Path
) -> None:
    async with beach(tmp_path, town, options=SOON) as here:
        asked = town.ann.runs("ask", town.channel, question="slow", private=True)
        await here.until(lambda: asked.shown and asked.shown.content == SAY("goes-on-directly"), speak=False)
        (answer,) = await here.answered(town.ann.direct)
        assert answer.content == "a1 a2 a3 a4"
        assert answers(town.channel) == []
        await here.settled()
        assert await here.chat.unfinished("discord:") == []


async def test_where_direct_messages_are_closed_it_says_so_and_stops(town: Town, tmp_path: Path) -> None:
    town.server.world.closed_dms.add(town.ann.user)
    async with beach(tmp_path, town, options=SOON) as here:
        asked = town.ann.runs("ask", town.channel, question="slow", private=True)
        await here.until(lambda: asked.shown and asked.shown.content == SAY("cannot-go-on"), speak=False)
        await here.settled()
        assert here.engine.running == set()
        assert await here.chat.unfinished("discord:") == []
        assert answers(town.channel) == answers(town.ann.direct) == []


async def test_past_its_time_a_public_answer_goes_on_as_an_ordinary_message(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town) as here:
        asked = town.ann.runs("ask", town.channel, question="slow")
        await here.until(lambda: asked.shown and asked.shown.button("stop"), speak=False)
        here.server.interactions.expire(asked)
        await ended(here, asked)
        assert [answer.content for answer in answers(town.channel)] == ["a1 a2 a3 a4"]
        routes = [seen.call.template for seen in town.server.calls if seen.call.method == "PATCH"]
        assert routes[-1] == "/channels/{channel_id}/messages/{message_id}"


async def test_a_restart_takes_up_a_private_answer_by_its_token_or_past_it_in_direct_messages(
    town: Town, tmp_path: Path
) -> None:
    async with beach(tmp_path, town) as here:
        quick = town.ann.runs("ask", town.channel, question="quick", private=True)
        await here.until(lambda: quick.shown and quick.shown.button("stop"), speak=False)
    async with beach(tmp_path, town) as here:
        assert await ended(here, quick) == "a1 a2 a3 a4"
    async with beach(tmp_path, town) as here:
        slow = town.bob.runs("ask", town.channel, question="slow", private=True)
        await here.until(lambda: slow.shown and slow.shown.button("stop"), speak=False)
    here.server.interactions.expire(slow)
    async with beach(tmp_path, town, timing=LATER) as here:
        (answer,) = await here.answered(town.bob.direct)
        assert answer.content == "a1 a2 a3 a4"
    assert answers(town.channel) == []


async def test_an_interaction_that_was_never_answered_is_answered_in_the_channel_or_privately(
    town: Town, tmp_path: Path
) -> None:
    async with beach(tmp_path, town) as here:
        town.server.breaks("POST", r"/interactions/.*", "reset", times=2)
        town.ann.runs("ask", town.channel, question="open")
        (answer,) = await here.answered(town.channel)
        assert answer.content == "a1 a2 a3 a4"
        town.bob.runs("ask", town.channel, question="secret", private=True)
        (answer,) = await here.answered(town.bob.direct)
        assert answer.content == "a1 a2 a3 a4"
        assert len(answers(town.channel)) == 1


async def test_where_only_a_user_brought_the_app_along_the_answer_stays_in_its_response(
    town: Town, tmp_path: Path
) -> None:
    elsewhere = town.server.world.guild("Elsewhere", town.ann.user, with_bot=False)
    channel = town.server.world.channel(elsewhere, "foreign")
    talk = town.server.world.direct(town.ann.user, town.bob.user)
    async with beach(tmp_path, town, engine=SteppedEngine(words=800), max_tokens=2000) as here:
        here.engine.release()
        for where in (channel, talk):
            asked = town.ann.runs("ask", where, question="tell me all", installed="user")
            await here.until(lambda: asked.shown is not None and asked.shown.attachments)  # noqa: B023
            assert asked.shown is not None
            assert asked.shown.only_for is None
            assert len(answers(where)) == 1
            assert asked.followups == []


async def test_buttons_and_the_menu_work_where_only_a_user_brought_the_app_along(town: Town, tmp_path: Path) -> None:
    elsewhere = town.server.world.guild("Elsewhere", town.ann.user, with_bot=False)
    channel = town.server.world.channel(elsewhere, "foreign")
    async with beach(tmp_path, town, max_tokens=2) as here:
        asked = town.ann.runs("ask", channel, question="q", installed="user")
        await ended(here, asked)
        assert asked.shown is not None
        going_on = town.ann.presses(asked.shown, "proceed", installed="user")
        assert (await ended(here, going_on)).strip() == "a3 a4"
        again = town.ann.presses(asked.shown, "regenerate", installed="user")
        await here.until(lambda: len(here.engine.asked) == 3)
        await here.until(again.answered.is_set)
        await ended(here, asked)
        assert again.response == 6
        await here.said(town.bob.presses(asked.shown, "regenerate", installed="user"), SAY("not-yours"))
        opened = town.ann.picks("Ask about this", town.ann.says(channel, "Shells."), installed="user")
        await here.until(opened.answered.is_set)
        about = town.ann.submits(opened, question="Is that so?")
        await ended(here, about)
        assert here.asked()[-1] == "> Shells.\n\nIs that so?"
        running = town.ann.runs("ask", channel, question="long", installed="user", private=True)
        await here.until(lambda: running.shown and running.shown.button("stop"), speak=False)
        town.ann.presses(running.shown, "stop", installed="user")  # type: ignore[arg-type]
        await here.until(lambda: running.shown and running.shown.content == SAY("stopped"), speak=False)


async def test_a_refusal_is_private_and_so_it_stays_where_the_commit_takes_long(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town) as here:
        asked = town.ann.runs("ask", town.channel, question="   ")
        await here.until(asked.answered.is_set)
        assert asked.shown is not None
        assert (asked.shown.content, asked.shown.only_for) == (SAY("empty"), town.ann.user)

        async with here.chat._accepting.lock(f"discord:{town.channel.id}:{town.ann.user.id}"):
            asked = town.ann.runs("ask", town.channel, question="   ")
            await here.until(asked.answered.is_set)
            assert asked.response == 5
        await here.until(lambda: asked.followups)
        assert asked.shown is None
        assert asked.followups[0].only_for is town.ann.user
        assert answers(town.channel) == []
