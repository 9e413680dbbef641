"""Each fault of Discord's, in each call that an answer needs: it arrives whole and once, or has its defined end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest

from core.limits import Limits
from tests.servers.discord.model import HISTORY, SEND, Channel, Problem
from tests.servers.discord.people import answers
from tests.servers.discord.rest import Call
from tests.servers.discord.server import How, limited
from tests.support.discord_core import QUICK, SAY, Beach, Town, beach, saying

MESSAGES, MESSAGE = r"/channels/{channel_id}/messages", r"/channels/{channel_id}/messages/{message_id}"
TEXT = " ".join(f"word{number}" for number in range(2500))
"""More than five messages."""
QUIET = replace(QUICK, call=0.3)


def first(call: Call) -> bool:
    return "…" not in call.data["content"] or call.data["content"] == SAY("thinking")


def empty(call: Call) -> bool:
    return bool(call.data["content"] == "…")


def file(call: Call) -> bool:
    return bool(call.uploads)


def final(call: Call) -> bool:
    return "regenerate" in str(call.data.get("components"))


CALLS: dict[str, tuple[str, str, Callable[[Call], bool]]] = {
    "placeholder": ("POST", MESSAGES, first),
    "part": ("POST", MESSAGES, empty),
    "file": ("POST", MESSAGES, file),
    "edit": ("PATCH", MESSAGE, lambda call: not final(call)),
    "last edit": ("PATCH", MESSAGE, final),
}
FAULTS: list[How] = ["reset", "lost", "hang", "late", 500, 502, 503, limited(0.2), limited(0.2, everywhere=True)]


@dataclass
class Hit:
    """A channel where one call goes wrong."""

    channel: Channel
    call: str
    how: How

    def only(self, call: Call) -> bool:
        return call.ids["channel_id"] == str(self.channel.id) and CALLS[self.call][2](call)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with Town.open(spec=None) as founded:
        yield founded


async def test_an_answer_arrives_whole_and_once_whatever_call_goes_wrong_on_its_way(town: Town, tmp_path: Path) -> None:
    hits = [
        Hit(town.server.world.channel(town.guild, f"{call}-{number}".replace(" ", "-")), call, how)
        for call in CALLS
        for number, how in enumerate(FAULTS)
    ]
    faults = [town.server.breaks(*CALLS[hit.call][:2], hit.how, 1, hit.only) for hit in hits]
    wrap = saying(TEXT)
    async with beach(tmp_path, town, wrap=wrap, slots=8, timing=QUIET) as here:
        for hit in hits:
            town.ann.asks(hit.channel, "all of it, please")
        await here.until(lambda: all(any(one.attachments for one in answers(hit.channel)) for hit in hits))
        await here.settled()
        assert await here.chat.unfinished("discord:") == []
    for hit, fault in zip(hits, faults, strict=True):
        shown = answers(hit.channel)
        assert fault.times == 0, f"{hit} was not hit"
        assert len(shown) == 6, f"{hit} shows {[one.content[:20] for one in shown]}"
        assert TEXT.startswith(" ".join(one.content for one in shown[:-1])), hit
        assert [one.button("regenerate") is not None for one in shown] == [False] * 4 + [True, False], hit
        assert shown[-1].attachments[0].data.decode() == TEXT


ENDS: list[tuple[str, Problem]] = [
    ("a deleted channel", Problem(404, 10003, "Unknown Channel")),
    ("a deleted message", Problem(404, 10008, "Unknown Message")),
    ("lost permissions", Problem(403, 50013, "Missing Permissions")),
    ("lost access", Problem(403, 50001, "Missing Access")),
]


@pytest.mark.parametrize("call", ["placeholder", "edit", "last edit"])
@pytest.mark.parametrize(("what", "problem"), ENDS)
async def test_what_cannot_be_shown_any_more_ends_quietly_and_nothing_else_with_it(
    town: Town, tmp_path: Path, what: str, problem: Problem, call: str
) -> None:
    town.server.breaks(*CALLS[call][:2], problem, 1000, Hit(town.channel, call, problem).only)
    async with beach(tmp_path, town, engine=None, timing=QUIET) as here:
        town.ann.asks(town.channel, "q")
        await here.until(lambda: here.engine.asked and not here.engine.running)
        await here.settled()
        assert await here.chat.unfinished("discord:") == []
        town.ann.says(town.ann.direct, "still there?")
        await here.answered(town.ann.direct)


async def test_a_channel_that_is_deleted_while_it_is_answered_in_frees_the_model_for_others(here_town: Beach) -> None:
    town = here_town.town
    town.ann.asks(town.channel, "q")
    await here_town.until(lambda: answers(town.channel), speak=False)
    town.server.world.remove(town.channel)
    town.bob.says(town.bob.direct, "and me?")
    await here_town.answered(town.bob.direct)
    await here_town.settled()


async def test_a_text_that_discord_does_not_take_is_replaced_by_a_word(here_town: Beach) -> None:
    town = here_town.town
    blocked = Problem(400, 200000, "Message was blocked by automatic moderation")
    town.server.breaks("PATCH", MESSAGE, blocked, 1, lambda call: call.data["content"].startswith("a1"))
    town.ann.asks(town.channel, "q")
    await here_town.until(lambda: answers(town.channel) and answers(town.channel)[0].content == SAY("answer-removed"))
    await here_town.settled()
    assert await here_town.chat.unfinished("discord:") == []


async def test_without_read_message_history_it_answers_without_replying(town: Town, tmp_path: Path) -> None:
    town.channel.overwrites[town.guild.id] = (0, HISTORY)
    async with beach(tmp_path, town) as here:
        town.ann.asks(town.channel, "q")
        (answer,) = await here.answered(town.channel)
        assert answer.reference is None


async def test_a_question_that_is_gone_before_its_placeholder_is_answered_without_replying(
    town: Town, tmp_path: Path
) -> None:
    async with beach(tmp_path, town) as here:
        asked = town.ann.asks(town.channel, "q")
        asked.deleted = True  # and the event that says so has not come yet
        (answer,) = await here.answered(town.channel)
        assert answer.reference is None


async def test_no_permission_to_write_is_no_end_of_anything(town: Town, tmp_path: Path) -> None:
    (role,) = (role for role in town.guild.roles.values() if role.bot)
    town.channel.overwrites[role.id] = (0, SEND)
    async with beach(tmp_path, town, limits=Limits(1, 0, 0)) as here:
        for _ in range(2):  # an answer and a refusal that nobody can see
            town.ann.asks(town.channel, "q")
        town.bob.says(town.bob.direct, "still there?")
        await here.answered(town.bob.direct)
        await here.settled()
        assert await here.chat.unfinished("discord:") == []


async def test_replayed_events_are_one_question_each(town: Town, tmp_path: Path) -> None:
    random = Random(7)
    town.server.gateway.repeat = lambda name: random.randint(2, 5) if random.random() < 0.3 else 1
    channels = [town.server.world.channel(town.guild, f"channel-{number}") for number in range(6)]
    asked: list[str] = []
    async with beach(tmp_path, town, waiting=200, slots=4) as here:
        here.engine.release()
        for number in range(15):
            for channel in channels:
                asked.append(f"{channel.name} {number}")
                town.ann.asks(channel, asked[-1])
            asked.append(f"direct {number}")
            town.bob.says(town.bob.direct, asked[-1])
            asked.append(f"command {number}")
            town.bob.runs("ask", town.channel, question=asked[-1], private=bool(number % 2))
        await here.until(lambda: len(here.engine.asked) == len(asked))
        for channel in (*channels, town.bob.direct):
            await here.answered(channel, 15)
        await here.settled()
        town.server.gateway.reconnect()
        await here.until(lambda: town.server.gateway.resumes == 1 and here.states[-1] == "up")
        town.ann.asks(channels[0], "last")
        await here.answered(channels[0], 16)
        assert sorted(here.asked()) == sorted([*asked, "last"])
    assert all(len(answers(channel)) == 15 for channel in channels[1:])


async def test_edits_and_presses_that_are_replayed_are_one_each(town: Town, tmp_path: Path) -> None:
    town.server.gateway.repeat = lambda name: 4
    async with beach(tmp_path, town) as here:
        asked = town.ann.asks(town.channel, "first")
        (answer,) = await here.answered(town.channel)
        town.ann.edits(asked, f"<@{town.server.world.bot.id}> second")
        await here.until(lambda: here.asked()[-1] == "second" and answer.button("regenerate"))
        await here.settled()
        town.ann.presses(answer, "regenerate")
        await here.until(lambda: len(here.engine.asked) == 3)
        await here.settled()
        town.bob.says(town.bob.direct, "kept")
        await here.answered(town.bob.direct)
        town.bob.says(town.bob.direct, "taken back")
        await here.answered(town.bob.direct, 2)
        undone = town.bob.runs("undo", town.bob.direct)
        await here.said(undone, SAY("undo-done", text="taken back"))
        town.bob.says(town.bob.direct, "next")
        await here.answered(town.bob.direct, 3)
        assert [message.content for message in here.engine.asked[-1]][::2] == ["kept", "next"]
        town.ann.deletes(asked)
        await here.until(lambda: not answers(town.channel))
        assert here.asked() == ["first", "second", "second", "kept", "taken back", "next"]


@pytest.fixture
async def here_town(town: Town, tmp_path: Path) -> AsyncIterator[Beach]:
    async with beach(tmp_path, town) as conch:
        yield conch
