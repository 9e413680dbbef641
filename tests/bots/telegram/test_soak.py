"""Two hundred chats for five minutes, on a clock that jumps: pacing as Telegram counts it, and finals that come soon.

The real python-telegram-bot, Channel and show(); the answers are the test's, as they would come from the core.
"""

from __future__ import annotations

import asyncio
import math
from random import Random

import pytest
from telegram import Bot

from bots.talk.show import show
from bots.telegram.calls import Calls, Rates
from bots.telegram.channel import TelegramChannel
from bots.telegram.names import Names, Place
from core.chat.reply import Reply
from core.events import Delta, Queued
from tests.servers.telegram.direct import DirectRequest
from tests.servers.telegram.floods import Floods
from tests.servers.telegram.methods import TOKEN, BotApi
from tests.servers.telegram.world import BOT, Room, World
from tests.support.chat_platform import Shelf, a_turn
from tests.support.telegram_core import SAY
from tests.support.virtual_time import now, run

SECONDS = 300.0
CHATS, GROUPS = 200, 50
PER_SECOND = 8.0
"""Answers that begin and end in a second, over all chats."""


class Soak:
    """The bot, its chats, and how late the ends of its answers were seen."""

    def __init__(self, chats: int, groups: int, seed: int) -> None:
        self.random = Random(seed)
        self.world = World(now)
        self.api = BotApi(self.world, clock=now, floods=Floods())
        requests = [DirectRequest(self.api, lambda: self.random.uniform(0.01, 0.06)) for _ in range(2)]
        self.bot = Bot(TOKEN, request=requests[0], get_updates_request=requests[1])
        self.calls = Calls(self.bot, self._moved, Rates())
        people = [self.world.person(f"P{number}") for number in range(chats - groups)]
        self.rooms = [self.world.rooms[person.id] for person in people]
        self.rooms += [self.world.group(f"G{number}") for number in range(groups)]
        self.late: dict[str, list[float]] = {"private": [], "supergroup": []}
        self.longest_wait = 0.0

    async def _moved(self, old: int, new: int) -> None:
        raise AssertionError("no group moves here")

    async def answer(self, room: Room, words: int, every: float) -> None:
        """One answer from its place in line to the last edit."""
        shelf = Shelf(a_turn())
        reply = shelf.reply()
        asked = self.world.message(room, {"id": 1, "is_bot": False, "first_name": "P"}, {"text": "?"})
        self.calls.saw(room.id, asked["message_id"])
        place = Place(room.id, asked["message_id"], group=room.kind != "private")
        channel = TelegramChannel(self.calls, Names(BOT["id"]), place, 1, SAY)
        showing = asyncio.create_task(show(reply, channel, SAY))
        reply.emit(Queued(self.random.randint(0, 3), 5.0))
        await self._speak(reply, words, every)
        shelf.end(reply, "stop")
        ended = now()
        await showing
        self.late[room.kind].append(now() - ended)
        shown = room.messages[int(shelf.turn.refs[-1].rpartition(":")[2])]
        assert shown["text"] == reply.text
        assert "Regenerate" in str(shown["reply_markup"])

    async def _speak(self, reply: Reply, words: int, every: float) -> None:
        for number in range(words):
            await asyncio.sleep(every)
            reply.emit(Delta(f"{' ' * bool(number)}word{number}", (1,)))

    async def run(self, seconds: float, per_second: float) -> None:
        """Answers begin one after the other, in the chat that has waited longest."""
        answers, turn = [], 0
        while now() < seconds:
            room = self.rooms[turn % len(self.rooms)]
            turn += 7 if math.gcd(7, len(self.rooms)) == 1 else 1
            answers.append(
                asyncio.create_task(self.answer(room, self.random.randint(5, 40), self.random.uniform(0.1, 0.5)))
            )
            await asyncio.sleep(self.random.expovariate(per_second))
        await asyncio.gather(*answers)


def quantile(values: list[float], part: float) -> float:
    return sorted(values)[min(int(part * len(values)), len(values) - 1)]


def test_two_hundred_chats_for_five_minutes() -> None:
    async def play() -> Soak:
        soak = Soak(CHATS, GROUPS, seed=4)
        await soak.bot.initialize()
        await soak.run(SECONDS, PER_SECOND)
        return soak

    soak = run(play())
    floods = soak.api.floods
    assert floods.ignored == 0, "a request inside of a wait that was told"
    assert floods.refused < floods.calls / 1000
    assert quantile(soak.late["private"], 0.99) <= 5.0
    assert quantile(soak.late["supergroup"], 0.99) <= 10.0
    assert len(soak.late["private"]) + len(soak.late["supergroup"]) > 0.9 * SECONDS * PER_SECOND
    assert soak.api.wrongs == []


def test_with_two_hundred_answers_at_the_same_time_no_chat_is_starved() -> None:
    async def play() -> Soak:
        soak = Soak(200, 50, seed=5)
        await soak.bot.initialize()
        await asyncio.gather(*(soak.answer(room, 60, 1.0) for room in soak.rooms))
        return soak

    soak = run(play())
    assert soak.api.floods.refused == 0
    edits = {room.id: 0 for room in soak.rooms}
    for call in soak.api.of("editMessageText"):
        edits[int(call.params["chat_id"])] += 1
    assert min(edits.values()) >= 3
    assert max(soak.late["private"] + soak.late["supergroup"]) < 200 / 24 + 2


@pytest.mark.parametrize("kind", ["private", "supergroup"])
def test_told_to_wait_for_minutes_a_chat_is_left_alone_and_the_others_go_on(kind: str) -> None:
    async def play() -> Soak:
        soak = Soak(4, 2, seed=6)
        await soak.bot.initialize()
        banned = next(room for room in soak.rooms if room.kind == kind)
        answers = [asyncio.create_task(soak.answer(room, 60, 0.5)) for room in soak.rooms]
        await asyncio.sleep(5)
        soak.api.floods.ban(banned.id, 200, now())
        first = now()
        await asyncio.gather(*answers)
        assert now() >= first + 200
        assert len([call for call in soak.api.calls if call.code == 429]) == 1
        return soak

    soak = run(play())
    assert sorted(soak.late["private"] + soak.late["supergroup"])[-2] < 10.0
