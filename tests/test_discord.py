"""What people get on Discord, seen from Discord: the real discord.py against a server of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.discord_houses import SAY, Beach, Town, beach


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    founded = Town.founded()
    async with founded.server.listening():
        yield founded
    assert founded.server.wrongs == []


@pytest.fixture
async def here(town: Town, tmp_path: Path) -> AsyncIterator[Beach]:
    async with beach(tmp_path, town) as conch:
        yield conch


async def test_a_mention_is_answered_in_one_message_that_replies_to_it(here: Beach) -> None:
    asked = here.town.ann.asks(here.town.channel, "What is a conch?")
    (answer,) = await here.answered(here.town.channel)
    assert answer.content == "a1 a2 a3 a4"
    assert answer.reference is asked
    assert answer.versions[0] == SAY("thinking")
    assert here.engine.asked[0][-1].content == "What is a conch?"
