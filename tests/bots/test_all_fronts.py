"""People on Discord, on Telegram and at the page share one Conch: one gate, one line, told truly to each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from core.chat.people import People
from core.chat.reply import Reply
from core.messages import Question
from tests.servers.discord.people import answers
from tests.servers.telegram.server import bot_api
from tests.support.discord_core import SAY, Beach, Town, at_the_beach
from tests.support.stepped_engine import SteppedEngine, until
from tests.support.telegram_core import NO_FLOOD, Stage, connected
from tests.support.whole_core import finish, house

EVERYBODY = ("web", "telegram", "discord")


@asynccontextmanager
async def both(folder: Path, slots: int = 1) -> AsyncIterator[tuple[Beach, Stage]]:
    """One core with both bots, each connected to its platform."""
    town = Town.founded()
    engine = SteppedEngine(slots=slots)
    async with (
        town.server.listening(),
        bot_api(rules=NO_FLOOD) as server,
        house(folder, people=People(open_to=EVERYBODY), slots=slots, engine=engine) as home,
        at_the_beach(town, home) as discord,
        connected(server, home) as telegram,
    ):
        yield discord, telegram
        await home.chat.drain(0)
    assert town.server.wrongs == server.api.wrongs == []


async def test_the_place_in_line_is_true_across_all_fronts(tmp_path: Path) -> None:
    async with both(tmp_path) as (discord, telegram):
        home, channel = discord.home, discord.town.channel
        discord.town.ann.asks(channel, "first, on Discord")
        await until(lambda: home.engine.running)
        carl = telegram.world.person("Carl")
        telegram.world.say(carl, "second, on Telegram")
        await telegram.world.until(lambda: telegram.room(carl).texts() == [SAY("queued", ahead=1)])
        page = await home.chat.send(Question("web:dora:1", "web:dora", "web:third", "third, at the page"))
        await until(lambda: page.queued is not None and page.queued.ahead == 2)
        discord.town.bob.asks(channel, "fourth, on Discord")
        await discord.until(
            lambda: len(answers(channel)) == 2 and answers(channel)[1].content == SAY("queued", ahead=3), speak=False
        )
        home.engine.step(4)
        await telegram.world.until(lambda: telegram.room(carl).texts() == [SAY("thinking")])
        await until(lambda: page.queued is not None and page.queued.ahead == 1)
        await discord.until(
            lambda: answers(channel)[1].content.startswith(SAY("queued", ahead=2).rstrip("…")), speak=False
        )
        home.engine.release()
        await telegram.shown(telegram.room(carl), "a1 a2 a3 a4")
        assert await finish(page) == "a1 a2 a3 a4"
        await discord.answered(channel, 2)
    assert discord.asked() == ["first, on Discord", "second, on Telegram", "third, at the page", "fourth, on Discord"]


async def test_many_questions_of_one_person_starve_nobody_on_another_front(tmp_path: Path) -> None:
    async with both(tmp_path) as (discord, telegram):
        home, town = discord.home, discord.town
        town.ann.asks(town.channel, "ann 0")
        await until(lambda: home.engine.running)
        others = [town.server.world.channel(town.guild, f"channel-{number}") for number in range(1, 8)]
        for number, channel in enumerate(others, 1):
            town.ann.asks(channel, f"ann {number}")
        await until(lambda: home.gate.waiting == len(others))
        people = [telegram.world.person(f"Person{number}") for number in range(3)]
        for person in people:
            telegram.world.say(person, person.name)
        pages: list[Reply] = [
            await home.chat.send(Question(f"web:p{number}:1", f"web:p{number}", f"web:{number}", f"page {number}"))
            for number in range(3)
        ]
        await until(lambda: home.gate.waiting == len(others) + 6)
        home.engine.release()
        await asyncio.gather(*map(finish, pages))
        for person in people:
            await telegram.shown(telegram.room(person), "a1 a2 a3 a4")
        for channel in others:
            await discord.answered(channel)
    places = [number for number, text in enumerate(discord.asked()) if not text.startswith("ann")]
    assert max(places) <= 7, f"others waited behind somebody's many questions: {discord.asked()}"


async def test_a_platform_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    async with both(tmp_path) as (discord, telegram):
        discord.home.engine.release()
        discord.server.gateway.revoked = True
        await discord.server.gateway.close(4004)
        await until(lambda: discord.states[-1] == "ended: token revoked")
        carl = telegram.world.person("Carl")
        telegram.world.say(carl, "still there?")
        await telegram.shown(telegram.room(carl), "a1 a2 a3 a4")
        assert telegram.states[-1] == "up"
