"""What a restart finds again: the order of what was said, and messages that arrived without our having heard so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from time import time

import pytest

from tests.servers.discord.people import answers
from tests.servers.discord.rest import Call
from tests.support.discord_core import QUICK, Town, beach, saying

SEND = r"/channels/{channel_id}/messages"
QUIET = replace(QUICK, call=0.3)
LATER = replace(QUIET, clock=lambda: time() + 600)
"""Ten minutes after: Discord has forgotten every nonce."""
TEXT = " ".join(f"word{number}" for number in range(700))


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with Town.open() as founded:
        yield founded


async def test_a_placeholder_that_arrived_unheard_is_found_again_when_its_nonce_is_forgotten(
    town: Town, tmp_path: Path
) -> None:
    fault = town.server.breaks("POST", SEND, "late")
    async with beach(tmp_path, town, timing=QUIET) as here:
        town.ann.asks(town.channel, "q")
        await here.until(lambda: fault.hit.is_set() and answers(town.channel), speak=False)
    town.server.world.nonce_seconds = 0
    town.bob.says(town.channel, "talk in between")
    async with beach(tmp_path, town, timing=LATER) as here:
        (answer,) = await here.answered(town.channel)
        assert answer.content == "a1 a2 a3 a4"
    assert len(town.server.world.messages) == 3


async def test_a_part_that_arrived_unheard_is_found_again_too(town: Town, tmp_path: Path) -> None:
    def empty(call: Call) -> bool:
        return bool(call.data["content"] == "…")

    fault = town.server.breaks("POST", SEND, "late", only=empty)
    async with beach(tmp_path, town, wrap=saying(TEXT), timing=QUIET) as here:
        town.ann.asks(town.channel, "q")
        await here.until(lambda: fault.hit.is_set() and len(answers(town.channel)) == 2, speak=False)
    town.server.world.nonce_seconds = 0
    async with beach(tmp_path, town, wrap=saying(TEXT), timing=LATER) as here:
        await here.answered(town.channel)
        await here.settled()
        assert " ".join(one.content for one in answers(town.channel)) == TEXT


async def test_what_never_arrived_is_sent_and_what_others_answers_show_is_left_alone(
    town: Town, tmp_path: Path
) -> None:
    async with beach(tmp_path, town, timing=QUIET) as here:
        town.bob.asks(town.channel, "other")
        await here.until(lambda: answers(town.channel), speak=False)
        town.server.breaks("POST", SEND, "reset", times=100)
        town.ann.asks(town.channel, "q")
        await here.until(lambda: here.home.gate.waiting == 1, speak=False)
        await here.until(lambda: any(fault.hit.is_set() for fault in town.server.faults), speak=False)
    town.server.faults.clear()
    async with beach(tmp_path, town, timing=LATER) as here:
        shown = await here.answered(town.channel, 2)
        assert [one.content for one in shown] == ["a1 a2 a3 a4"] * 2
        assert len({one.reference for one in shown}) == 2


async def test_what_was_missed_is_answered_before_what_comes_now_in_the_order_in_which_it_was_said(
    town: Town, tmp_path: Path
) -> None:
    async with beach(tmp_path, town) as here:
        town.bob.says(town.bob.direct, "known")
        await here.answered(town.bob.direct)
    for number in range(60):
        town.ann.asks(town.channel, f"ann {number}")
        town.bob.says(town.bob.direct, f"bob {number}")
        town.ann.says(town.channel, "chatter")
    town.server.breaks("GET", SEND, 503, times=2)
    async with beach(tmp_path, town, wait=False, waiting=500) as here:
        here.engine.release()
        await here.until(lambda: town.server.gateway.live)
        for number in range(60, 63):
            town.ann.asks(town.channel, f"ann {number}")
            town.bob.says(town.bob.direct, f"bob {number}")
        await here.until(lambda: len(here.engine.asked) == 126)
        for name in ("ann", "bob"):
            said = [text for text in here.asked() if text.startswith(name)]
            assert said == [f"{name} {number}" for number in range(63)]


async def test_what_was_refused_before_is_not_taken_up_by_a_restart(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town, waiting=1, waiting_per_person=1) as here:
        town.ann.asks(town.channel, "runs")
        await here.until(lambda: here.engine.running, speak=False)
        town.ann.asks(town.channel, "waits")
        await here.until(lambda: here.home.gate.waiting, speak=False)
        town.ann.asks(town.channel, "refused")
        await here.until(lambda: len(answers(town.channel)) == 3, speak=False)
        await here.answered(town.channel, 2)
    async with beach(tmp_path, town) as here:
        town.ann.asks(town.channel, "next")
        await here.answered(town.channel, 3)
        assert here.asked() == ["next"]
