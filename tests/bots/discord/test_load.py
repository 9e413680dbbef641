"""Much at once on Discord: its limits are kept, everybody gets their turn, and no model's text rings anybody's bell.

``SOAK_CHANNELS=200 SOAK_ROUNDS=5 pytest -k many_channels tests/bots/discord/test_load.py`` is the long run.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from time import time

import pytest

from bots.discord.channel import RATE, MessageChannel, respond
from bots.discord.front import Timing
from bots.discord.names import Place
from bots.talk.pacing import Rate
from bots.talk.show import show
from core.chat.reply import Reply
from core.events import Delta
from tests.servers.discord.model import Channel
from tests.servers.discord.people import answers
from tests.servers.discord.server import Seen
from tests.support.chat_platform import Screen, ScreenChannel, Shelf, a_pace, a_turn
from tests.support.discord_core import QUICK, SAY, Town, beach, saying
from tests.support.letters import PIECES
from tests.support.virtual_time import now, run

CHANNELS = int(os.environ.get("SOAK_CHANNELS", "50"))
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "1"))
OUTPUTS, TOGETHER = 10_000, 5
PINGS = (
    *("@everyone", "@here", "<@{user}>", "<@!{user}>", "<@&{role}>", "<@&{everyone}>", "<#{channel}>", "<id:guide>"),
    *("https://evil.example/?q=secret", "http://evil.example", "HTTPS://evil.example/a(b)", "<https://evil.example>"),
    *("[label](https://evil.example/leak)", "[@everyone](https://evil.example)", "![x](https://evil.example/p.png)"),
    *(
        "discord.gg/evil",
        "https://discord.gg/evil",
        "</ask:123>",
        "<t:0:R>",
        "||@everyone||",
        "```@everyone",
        "`@here`",
    ),
    *("@\u200beveryone", "\u202e@everyone", "> @everyone", "# @here", "-# <@{user}>", "\\@everyone", "\\<@{user}>"),
)
"""What pings or previews, or looks like it, on Discord."""


def is_call(seen: Seen, channel: Channel) -> bool:
    """A send or an edit in a channel: what shares its budget."""
    return seen.call.method in ("POST", "PATCH") and seen.call.ids.get("channel_id") == str(channel.id)


@pytest.fixture
async def town() -> AsyncIterator[Town]:
    async with Town.open(limits=True, spec=None) as founded:
        yield founded


async def test_many_channels_at_once_stay_within_all_limits_and_answers_in_one_channel_take_turns(
    town: Town, tmp_path: Path
) -> None:
    channels = [town.server.world.channel(town.guild, f"channel-{number}") for number in range(CHANNELS - 1)]
    together = 2 + CHANNELS // 100
    timing = Timing(rate=replace(RATE, typing=0))
    async with beach(tmp_path, town, timing=timing, slots=8, waiting=10_000, waiting_per_person=10_000) as here:
        here.engine.release()
        for round_ in range(1, ROUNDS + 1):
            for channel in channels:
                town.ann.asks(channel, "q")
            for _ in range(together):
                town.bob.asks(town.channel, "all of us here")
            await here.until(all_answered(town.channel, count=together * round_), speak=False, seconds=120)
            await here.until(all_answered(*channels, count=round_), speak=False, seconds=120)
        await here.settled()
    assert town.server.limits.refused == []
    for channel in (*channels, town.channel):
        needed = 2 * len(finals(channel))  # a placeholder and an end each
        calls = [seen for seen in town.server.calls if is_call(seen, channel)]
        assert len(calls) <= 2 * needed


@pytest.mark.parametrize("count", [2, 5, 12])
def test_of_answers_at_once_in_one_channel_each_gets_its_turn_in_time(count: int) -> None:
    async def play() -> None:
        pace = a_pace(replace(RATE, typing=0))
        shelves = [Shelf(a_turn()) for _ in range(count)]
        screens = [Screen(took=0.05) for _ in range(count)]
        replies = [shelf.reply() for shelf in shelves]
        showing = [
            asyncio.create_task(show(reply, ScreenChannel(screen, pace, shelf), SAY))
            for reply, screen, shelf in zip(replies, screens, shelves, strict=True)
        ]
        turn = count * 1.2 + 5
        news: list[tuple[int, float]] = []
        for word in range(400):
            for number, (reply, shelf) in enumerate(zip(replies, shelves, strict=True)):
                if reply.finished is None and word == 200 + 10 * number:
                    shelf.end(reply, "stop")
                    news.append((number, now()))
                elif reply.finished is None and word % 20 == number:
                    reply.emit(Delta(f" w{word}", (1,)))
                    news.append((number, now()))
            await asyncio.sleep(0.2)
        await asyncio.gather(*showing)
        assert len(news) > 10 * count
        for number, came in news:
            drawn = [at for _, at in screens[number].calls if at >= came]
            assert drawn, "what was new was never drawn"
            assert drawn[0] - came < turn
        everywhere = sorted(at for screen in screens for _, at in screen.calls)
        assert all(later - first >= 1.2 for first, later in pairwise(everywhere))

    run(play())


def all_answered(*channels: Channel, count: int) -> Callable[[], bool]:
    """Are there so many answers in each?"""
    return lambda: all(len(finals(channel)) == count for channel in channels)


def finals(channel: Channel) -> list[str]:
    """The answers that have come to their end."""
    return [one.content for one in answers(channel) if one.button("regenerate")]


async def test_placeholders_and_finals_go_before_previews(town: Town, tmp_path: Path) -> None:
    timing = Timing(rate=Rate(interval=0.3, typing=0))
    async with beach(tmp_path, town, timing=timing, slots=8) as here:
        for number in range(3):
            town.ann.asks(town.channel, f"long {number}") if number else town.bob.asks(town.channel, "long")
        await here.until(lambda: len(answers(town.channel)) == 3, speak=False)
        here.engine.step(2)  # all of them have something to preview now
        late = time()
        town.bob.asks(town.channel, "late")
        await here.until(lambda: len(answers(town.channel)) == 4, speak=False)
        calls = [seen for seen in town.server.calls if is_call(seen, town.channel) and seen.at > late]
        position = next(number for number, seen in enumerate(calls) if seen.call.method == "POST")
        assert position <= 1, "a placeholder waited behind previews"
        here.engine.release()
        await here.answered(town.channel, 4)


def outputs(town: Town, random: Random) -> list[str]:
    """What a model might say, and be made to say."""
    (role,) = (role for role in town.guild.roles.values() if role.bot)
    names = {
        "user": town.bob.user.id,
        "role": role.id,
        "everyone": town.guild.id,
        "channel": town.channel.id,
    }
    made = []
    for _ in range(OUTPUTS):
        pieces = [random.choice(PINGS).format(**names), *random.choices(PIECES, k=random.randint(0, 6))]
        random.shuffle(pieces)
        made.append(random.choice(["", " ", "\n"]).join(pieces) + random.choice(PINGS).format(**names))
    return made


async def test_ten_thousand_adversarial_outputs_ping_nobody_and_preview_nothing(tmp_path: Path) -> None:
    town = Town.founded(spec=None)
    async with town.server.listening(), beach(tmp_path, town, wrap=saying("x")) as here:
        asked = town.ann.runs("ask", town.channel, question="q")
        town.ann.asks(town.channel, "q")
        await here.answered(town.channel, 2)
        await here.settled()
        link = here.front.desk.link
        reply: Reply = await here.chat.reply(1, f"discord:{town.ann.user.id}")
        place = Place(town.channel.id)
        channel = MessageChannel(link, place, reply, SAY)
        by_token = replace(place, token=asked.token)
        ref = link.names.event(answers(town.channel)[0].id)
        shown = 0

        async def say(text: str, number: int) -> None:
            nonlocal shown
            for part in channel.split(text):
                shown += 1
                if number % 3 == 0:
                    await link.calls(link.channel(place.channel).send(part.text, suppress_embeds=True))
                elif number % 3 == 1:
                    await channel.edit(ref, part, ())
                else:
                    await link.calls(respond(link.client, by_token, part.text, {}))

        slots = asyncio.Semaphore(8)

        async def one(text: str, number: int) -> None:
            async with slots:
                await say(text, number)

        said = outputs(town, Random(5))
        together = ["\n\n".join(said[at : at + TOGETHER]) for at in range(0, OUTPUTS, TOGETHER)]
        await asyncio.gather(*(one(text, number) for number, text in enumerate(together)))
    assert shown >= OUTPUTS / TOGETHER
    assert town.server.world.pings == []
    assert town.server.world.previews == []
    assert town.server.wrongs == []


async def test_the_server_of_ours_would_notice_a_ping_and_a_preview(tmp_path: Path) -> None:
    town = Town.founded(spec=None)
    async with town.server.listening():
        text = f"<@{town.bob.user.id}> @everyone https://evil.example"
        sent = town.server.world.post(town.server.world.bot, town.channel, text)
        assert {ping.whom for ping in town.server.world.pings} == {"bob", "@everyone"}
        assert town.server.world.previews == [sent]
        none = {"parse": []}
        quiet = town.server.world.post(town.server.world.bot, town.channel, text, allowed=none, flags=4)
        town.server.world.edit(quiet, content=text, allowed=none)
        assert len(town.server.world.pings) == 2
        town.server.world.edit(quiet, content=text, flags=0)
        assert len(town.server.world.pings) == 4
        assert town.server.world.previews == [sent, quiet]


async def test_memory_holds_no_messages_and_no_members(town: Town, tmp_path: Path) -> None:
    for number in range(50):
        town.guild.members[town.server.person(f"member{number}").user] = set()
    async with beach(tmp_path, town, timing=QUICK) as here:
        town.ann.asks(town.channel, "q")
        await here.answered(town.channel)
        client = here.front.desk.link.client
        assert list(client.cached_messages) == []
        assert [member.id for member in client.guilds[0].members] == [town.server.world.bot.id]
        assert client.persistent_views == []
        assert not client.intents.members
