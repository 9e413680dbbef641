"""Who may act on somebody else's answer on Discord, where, and on whose limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from core.chat.people import People
from core.limits import Limits
from core.messages import Question
from tests.servers.discord.interactions import Interaction
from tests.servers.discord.model import MANAGE_MESSAGES, Channel, Message, User
from tests.servers.discord.people import Person, answers
from tests.support.discord_core import SAY, Beach, Town, beach

OPEN = ("discord", "web")
WORDS = "a1 a2 a3 a4"


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with Town.open() as founded:
        yield founded


def guard_of(town: Town) -> Person:
    """Somebody who moderates the town's server."""
    guard = town.server.person("guard")
    town.guild.members[guard.user] = {town.server.world.role(town.guild, "guards", MANAGE_MESSAGES).id}
    return guard


def buttons(turn: int, asker: int) -> list[dict[str, Any]]:
    """Components with the ids that buttons under an answer have, or had once."""
    ids = (f"conch:regenerate:{turn}", f"conch:stop:{turn}:{asker}")
    return [{"type": 1, "components": [{"type": 2, "style": 2, "label": "go", "custom_id": one} for one in ids]}]


def forged(town: Town, channel: Channel, author: User, turn: int) -> Message:
    """A message with the number of a turn of Ann's in it."""
    return town.server.world.post(author, channel, "look", components=buttons(turn, town.ann.user.id))


async def answer_to(here: Beach, person: Person, text: str, count: int = 1) -> Message:
    """The newest answer in the town's channel, once it is there to its end."""
    person.asks(here.town.channel, text)
    shown = (await here.answered(here.town.channel, count))[-1]
    await here.settled()
    return shown


async def left(here: Beach, person: Person) -> int | None:
    """How many messages somebody has left of this minute."""
    return (await here.chat.status(f"discord:{person.user.id}")).messages_left


async def refused_as_too_fast(here: Beach, interaction: Interaction) -> None:
    await here.until(
        lambda: interaction.shown is not None and interaction.shown.content.startswith("That was a bit fast."),
        speak=False,
    )


@pytest.mark.parametrize("writer", ["a bot of their own", "our bot"])
async def test_a_moderator_of_a_server_of_their_own_reaches_no_answer_of_another_by_its_number(
    town: Town, tmp_path: Path, writer: str
) -> None:
    mallory = town.server.person("mallory")
    den = town.server.world.guild("Den", mallory.user)
    channel = town.server.world.channel(den, "trap")
    theirs = town.server.world.person("trapper", bot=True)
    den.members[theirs] = set()
    async with beach(tmp_path, town) as here:
        answer = await answer_to(here, town.ann, "q")
        turn = await here.chat.turn(1)
        author = theirs if writer == "a bot of their own" else town.server.world.bot
        trap = forged(town, channel, author, turn.id)
        await here.said(mallory.picks("Regenerate", trap), SAY("not-found"))
        await here.said(mallory.presses(trap, "regenerate"), SAY("not-found"))
        town.ann.asks(town.channel, "long")
        await here.until(lambda: len(here.engine.asked) == 2, speak=False)
        running = forged(town, channel, author, turn.id + 1)
        await here.said(mallory.presses(running, "stop"), SAY("not-found"))
        assert here.engine.running
        await here.answered(town.channel, 2)
        await here.settled()
        assert here.asked() == ["q", "long"]
        assert [turn.kind for turn in await here.home.store.made_from(turn.id)] == []
        assert answer.content == WORDS


async def test_who_brought_the_app_along_moderates_nothing_with_it(town: Town, tmp_path: Path) -> None:
    mallory, guard = town.server.person("mallory"), guard_of(town)
    den = town.server.world.guild("Den", mallory.user, with_bot=False)
    channel = town.server.world.channel(den, "trap")
    trapper = town.server.world.person("trapper", bot=True)
    den.members[trapper] = set()
    async with beach(tmp_path, town) as here:
        answer = await answer_to(here, town.ann, "q")
        trap = forged(town, channel, trapper, 1)
        await here.said(mallory.picks("Regenerate", trap, installed="user"), SAY("not-found"))
        await here.said(guard.picks("Regenerate", answer, installed="user"), SAY("not-yours"))
        await here.said(guard.presses(answer, "regenerate", installed="user"), SAY("not-yours"))
        assert here.asked() == ["q"]


async def test_who_is_shut_out_acts_on_no_answer_of_others_and_still_stops_their_own(
    town: Town, tmp_path: Path
) -> None:
    guard = guard_of(town)
    async with beach(tmp_path, town, people=People(open_to=OPEN), slots=2) as here:
        answer = await answer_to(here, town.ann, "q")
        guard.asks(town.channel, "mine")
        town.ann.asks(town.channel, "hers")
        await here.until(lambda: len([one for one in answers(town.channel) if one.button("stop")]) == 2, speak=False)
        await here.chat.deny(f"discord:{guard.user.id}")
        await here.said(guard.picks("Regenerate", answer), SAY("not-allowed"))
        await here.said(guard.presses(answer, "regenerate"), SAY("not-allowed"))
        mine, hers = sorted(
            (one for one in answers(town.channel) if one.button("stop")),
            key=lambda one: one.reference is None or one.reference.author is not guard.user,
        )
        await here.said(guard.presses(hers, "stop"), SAY("not-allowed"))
        guard.presses(mine, "stop")
        await here.until(lambda: mine.content == SAY("stopped"), speak=False)
        await here.until(lambda: hers.content == WORDS and hers.button("regenerate"))
        assert sorted(here.asked()) == ["hers", "mine", "q"]


async def test_a_moderator_regenerates_where_the_answer_stands_until_their_own_limit(
    town: Town, tmp_path: Path
) -> None:
    guard = guard_of(town)
    async with beach(tmp_path, town, people=People(open_to=OPEN), limits=Limits(2, 0, 0)) as here:
        answer = await answer_to(here, town.ann, "q")
        for number, act in enumerate((guard.picks, guard.presses), 2):
            act(*(("Regenerate", answer) if act == guard.picks else (answer, "regenerate")))
            await here.until(lambda number=number: len(here.engine.asked) == number)
            await here.until(lambda: answer.content == WORDS and answer.button("regenerate"))
            await here.settled()
        await refused_as_too_fast(here, guard.picks("Regenerate", answer))
        assert (await left(here, town.ann), await left(here, guard)) == (1, 0)
        asked = await here.chat.export(f"discord:{town.ann.user.id}")
        assert [turn["kind"] for turn in asked["conversations"][0]["turns"]] == ["send", "regenerate", "regenerate"]
        await answer_to(here, town.ann, "hers still", 2)


async def test_a_moderator_whose_limit_is_used_up_may_still_stop(town: Town, tmp_path: Path) -> None:
    guard = guard_of(town)
    async with beach(tmp_path, town, people=People(open_to=OPEN), limits=Limits(2, 0, 0)) as here:
        for number in (1, 2):
            await answer_to(here, guard, f"mine {number}", number)
        town.ann.asks(town.channel, "hers")
        await here.until(lambda: answers(town.channel)[-1].button("stop"), speak=False)
        hers = answers(town.channel)[-1]
        guard.presses(hers, "stop")
        await here.until(lambda: hers.content == SAY("stopped") and hers.button("regenerate"), speak=False)
        await refused_as_too_fast(here, guard.presses(hers, "regenerate"))


async def test_a_moderator_lets_an_answer_go_on_and_pays_for_it(town: Town, tmp_path: Path) -> None:
    guard = guard_of(town)
    async with beach(tmp_path, town, people=People(open_to=OPEN), limits=Limits(2, 0, 0), max_tokens=2) as here:
        cut = await answer_to(here, town.ann, "q")
        guard.presses(cut, "proceed")
        shown = await here.answered(town.channel, 2)
        assert (shown[1].content.strip(), shown[1].reference) == ("a3 a4", cut)
        assert (await left(here, town.ann), await left(here, guard)) == (1, 1)


async def test_a_moderator_of_one_channel_has_no_say_in_another(town: Town, tmp_path: Path) -> None:
    guard = town.server.person("guard")
    town.guild.members[guard.user] = set()
    other = town.server.world.channel(town.guild, "other")
    other.overwrites[guard.user.id] = (MANAGE_MESSAGES, 0)
    async with beach(tmp_path, town) as here:
        answer = await answer_to(here, town.ann, "q")
        await here.said(guard.presses(answer, "regenerate"), SAY("not-yours"))
        trap = forged(town, other, town.server.world.bot, 1)
        await here.said(guard.presses(trap, "regenerate"), SAY("not-found"))


async def test_the_menu_knows_an_answer_that_only_the_token_of_its_question_reaches(town: Town, tmp_path: Path) -> None:
    elsewhere = town.server.world.guild("Elsewhere", town.ann.user, with_bot=False)
    channel = town.server.world.channel(elsewhere, "foreign")
    elsewhere.members[town.bob.user] = set()
    async with beach(tmp_path, town) as here:
        asked = town.ann.runs("ask", channel, question="q", installed="user")
        await here.until(lambda: asked.shown is not None and asked.shown.button("regenerate"))
        await here.settled()
        assert asked.shown is not None
        await here.said(town.bob.picks("Regenerate", asked.shown, installed="user"), SAY("not-yours"))
        town.ann.picks("Regenerate", asked.shown, installed="user")
        await here.until(lambda: len(here.engine.asked) == 2)
        await here.until(lambda: asked.shown is not None and asked.shown.button("regenerate"))


async def test_buttons_of_an_earlier_conch_whose_ids_name_the_asker_still_work(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town) as here:
        town.ann.asks(town.channel, "q")
        await here.until(lambda: answers(town.channel) and answers(town.channel)[0].button("stop"), speak=False)
        (answer,) = answers(town.channel)
        answer.components = buttons(1, town.bob.user.id)
        await here.said(town.bob.presses(answer, "stop"), SAY("not-yours"))
        town.ann.presses(answer, "stop")
        await here.until(lambda: answer.content == SAY("stopped"), speak=False)


async def test_a_number_that_means_a_turn_elsewhere_acts_on_nothing(town: Town, tmp_path: Path) -> None:
    """A message of ours that another database knew: its buttons carry that one's numbers."""
    async with beach(tmp_path, town) as here:
        place = '{"chat":5}'
        other = Question("telegram:1:5:9", f"discord:{town.ann.user.id}", "telegram:1:5:1", "there", place=place)
        turn = (await here.chat.send(other)).turn
        stray = forged(town, town.channel, town.server.world.bot, turn.id)
        await here.said(town.ann.presses(stray, "regenerate"), SAY("not-found"))
        await here.said(town.ann.presses(stray, "stop"), SAY("not-found"))
        assert here.chat.live(turn.id) is not None


async def test_stop_under_a_question_that_was_edited_meanwhile_stops_its_new_answer(town: Town, tmp_path: Path) -> None:
    async with beach(tmp_path, town) as here:
        asked = town.ann.asks(town.channel, "q")
        await here.until(lambda: answers(town.channel) and answers(town.channel)[-1].button("stop"), speak=False)
        answer = answers(town.channel)[-1]
        town.ann.edits(asked, f"<@{town.server.world.bot.id}> better")
        await here.until(lambda: here.asked() == ["q", "better"], speak=False)
        answer.components = buttons(1, town.ann.user.id)  # as it stands until the first edit of the new one
        town.ann.presses(answer, "stop")
        await here.until(lambda: answer.content == SAY("stopped"), speak=False)
