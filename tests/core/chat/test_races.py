"""What may come between two steps of a turn's life: a slow disk, a full line, a shutdown, a clock that is wrong."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core.errors import QueueFull, TooFast
from core.events import Finished
from core.limits import Limits
from core.messages import Question, Revision
from tests.support.stepped_engine import until
from tests.support.whole_core import House, finish, house

ANN, BOB = "web:ann", "web:bob"
C, D = "web:ann:c", "web:bob:d"


@pytest.fixture
async def home(tmp_path):
    async with house(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def slow_disk(home: House) -> AsyncIterator[None]:
    """Nothing is committed within the block; what is there can be read."""
    begun, release = threading.Event(), threading.Event()

    def hold(connection: object) -> None:
        begun.set()
        release.wait()

    holding = asyncio.create_task(home.store._database.write(hold))
    await asyncio.to_thread(begun.wait)
    try:
        yield
    finally:
        release.set()
        await holding


async def looks(home: House) -> None:
    """Time for whoever reads the store to have read it, several times over."""
    for _ in range(10):
        await home.store.turn(1)


async def test_the_next_answer_waits_for_the_end_of_the_last_to_be_kept(home):
    first = await home.chat.send(Question(C, ANN, "web:1", "one"))
    second = await home.chat.send(Question(C, ANN, "web:2", "two"))
    await until(lambda: home.engine.running)
    async with slow_disk(home):
        home.engine.step(9)
        await until(lambda: home.gate.waiting == 0)
        await looks(home)
        assert first.finished is None
    home.engine.release()
    await finish(second)
    assert [message.content for message in home.engine.asked[1]] == ["one", "a1 a2 a3 a4", "two"]


async def test_no_end_is_told_before_it_is_kept(home):
    reply = await home.chat.send(Question(C, ANN, "web:1", "one"))
    await until(lambda: home.engine.running)
    async with slow_disk(home):
        home.engine.step(9)
        await until(lambda: reply.text == "a1 a2 a3 a4")
        await looks(home)
        assert reply.finished is None
    await finish(reply)
    assert (await home.store.turn(reply.turn.id)).finish_reason == "stop"


async def test_after_a_drain_everything_has_come_to_rest(home):
    replies = [await home.chat.send(Question(f"{C}{i}", ANN, f"web:{i}", "one")) for i in range(3)]
    await until(lambda: home.engine.running)
    async with slow_disk(home):
        draining = asyncio.create_task(home.chat.drain(0))
        await looks(home)
        assert not draining.done()
    await draining
    assert [home.chat.live(reply.turn.id) for reply in replies] == [None] * 3
    assert {(await home.store.turn(reply.turn.id)).attempts for reply in replies} == {0}


async def test_what_was_accepted_once_is_taken_up_however_full_the_line_is(tmp_path):
    async with house(tmp_path) as home:
        for i in range(5):
            await home.chat.send(Question(f"{C}{i}", ANN, f"web:{i}", "one"))
    async with house(tmp_path, waiting=1, waiting_per_person=1) as home:
        assert await home.chat.resume(["web:"]) == 5
        with pytest.raises(QueueFull):
            await home.chat.send(Question(D, BOB, "web:9", "two"))


async def test_an_edit_of_a_question_that_runs_is_accepted_however_full_the_line_is(tmp_path):
    async with house(tmp_path, waiting=1, waiting_per_person=1) as home:
        running = await home.chat.send(Question(C, ANN, "web:1", "oen"))
        await until(lambda: home.engine.running)
        await home.chat.send(Question(D, BOB, "web:2", "two"))
        edited = await home.chat.edit(Revision("web:1", ANN, "web:1:a", "one"))
        assert running.finished == Finished("abort", "edited")
        home.engine.release()
        assert await finish(edited) == "a1 a2 a3 a4"


async def test_a_conversation_that_moves_while_it_is_answered_is_still_one(tmp_path):
    async with house(tmp_path, slots=2) as home:
        first = await home.chat.send(Question("tg:1:ann", ANN, "tg:1", "one"))
        second = await home.chat.send(Question("tg:1:ann", ANN, "tg:2", "two"))
        await until(lambda: home.engine.running)
        await home.chat.move("tg:1:", "tg:2:")
        third = await home.chat.send(Question("tg:2:ann", ANN, "tg:3", "three"))
        await looks(home)
        assert len(home.engine.asked) == 1
        home.engine.release()
        assert [await finish(reply) for reply in (first, second, third)] == ["a1 a2 a3 a4"] * 3
        assert [message.content for message in home.engine.asked[-1] if message.role == "user"] == [
            "one",
            "two",
            "three",
        ]
        assert (home.gate.waiting, home.gate.running) == (0, 0)


async def test_a_platforms_clock_that_is_ahead_wins_nothing(tmp_path):
    async with house(tmp_path, limits=Limits(messages_per_minute=1, tokens_per_day=0, characters=0)) as home:
        ahead = await home.chat.send(Question(C, ANN, "web:1", "one", at=home.clock() + 3600))
        assert ahead.turn.asked == home.clock()
        with pytest.raises(TooFast):
            await home.chat.send(Question(C, ANN, "web:2", "two", at=home.clock() + 7200))
