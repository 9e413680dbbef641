"""What people get on Discord, seen from Discord: the real discord.py against a server of ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.discord_houses import SAY, Beach, Town, beach
from tests.discord_server.model import SUPPRESS_EMBEDS
from tests.discord_server.people import answers


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


async def test_a_direct_message_needs_no_mention(here: Beach) -> None:
    here.town.ann.says(here.town.ann.direct, "hello")
    (answer,) = await here.answered(here.town.ann.direct)
    assert answer.content == "a1 a2 a3 a4"


async def test_a_public_question_by_command_is_answered_in_its_own_response(here: Beach) -> None:
    asked = here.town.ann.runs("ask", here.town.channel, question="What is a conch?")
    await here.until(lambda: asked.shown and asked.shown.content == "a1 a2 a3 a4" and asked.shown.button("regenerate"))
    assert asked.response == 5
    assert asked.answered_after < 1
    assert answers(here.town.channel) == [asked.shown]
    assert asked.shown.flags == SUPPRESS_EMBEDS


async def test_a_private_question_by_command_is_answered_for_one_person_alone(here: Beach) -> None:
    asked = here.town.ann.runs("ask", here.town.channel, question="What is a conch?", private=True)
    await here.until(lambda: asked.shown and asked.shown.content == "a1 a2 a3 a4" and asked.shown.button("regenerate"))
    assert asked.shown.only_for is here.town.ann.user
    assert answers(here.town.channel) == []
    pressed = here.town.ann.presses(asked.shown, "regenerate")
    await here.until(lambda: len(here.engine.asked) == 2)
    await here.until(lambda: asked.shown.content == "a1 a2 a3 a4" and asked.shown.button("regenerate"))
    assert pressed.response == 6
    assert answers(here.town.channel) == []


async def test_a_form_asks_about_somebody_elses_message(here: Beach) -> None:
    message = here.town.bob.says(here.town.channel, "Conches are molluscs.")
    opened = here.town.ann.picks("Ask about this", message)
    await here.until(opened.answered.is_set)
    sent = here.town.ann.submits(opened, question="Is that so?")
    await here.until(lambda: sent.shown and sent.shown.button("regenerate"))
    assert "Is that so?" in here.engine.asked[0][-1].content


async def test_stop_regenerate_and_the_menu(here: Beach) -> None:
    here.town.ann.asks(here.town.channel, "q")
    await here.until(lambda: answers(here.town.channel) and answers(here.town.channel)[0].button("stop"), speak=False)
    (answer,) = answers(here.town.channel)
    press = here.town.bob.presses(answer, "stop")
    await here.until(press.answered.is_set, speak=False)
    assert press.shown.content == SAY("not-yours")
    press = here.town.ann.presses(answer, "stop")
    await here.until(press.answered.is_set, speak=False)
    await here.until(lambda: answer.content == SAY("stopped"), speak=False)
    again = here.town.ann.presses(answer, "regenerate")
    await here.until(again.answered.is_set)
    await here.until(lambda: answer.content == "a1 a2 a3 a4")
    await here.until(lambda: answer.button("regenerate"))
    menu = here.town.ann.picks("Regenerate", answer)
    await here.until(lambda: len(here.engine.asked) == 3)
    await here.until(lambda: answer.button("regenerate") and menu.original and menu.original.deleted)
    assert answers(here.town.channel) == [answer]
