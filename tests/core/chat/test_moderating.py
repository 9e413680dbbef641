"""Acting on somebody else's answer: who may, and who pays for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.chat.people import People
from core.chat.reply import Reply
from core.errors import NotAllowed, NotYours, TooFast
from core.limits import Limits
from core.messages import Question, Revision
from tests.support.stepped_engine import SteppedEngine, until
from tests.support.whole_core import House, finish, house

ANN, BOB, OWNER = "web:ann", "web:bob", "web:owner"
C = "web:ann:c"
HERE, THERE = "web:here", "web:there"


async def asked(home: House, text: str = "one", scope: str = HERE) -> Reply:
    """A question of Ann's that everybody of a chat can read, answered."""
    reply = await home.chat.send(Question(C, ANN, f"web:{text}", text, scope=scope))
    await finish(reply, home.engine)
    return reply


async def left(home: House, user: str) -> int | None:
    return (await home.chat.status(user)).messages_left


async def test_a_moderator_acts_on_what_can_be_read_in_their_chat_and_on_nothing_else(tmp_path: Path) -> None:
    async with house(tmp_path, max_tokens=2) as home:
        private, public = await asked(home, "private", ""), await asked(home, "public")
        for first, moderates in ((private, ""), (private, HERE), (public, ""), (public, THERE)):
            with pytest.raises(NotYours):
                await home.chat.regenerate(Revision(first.turn.id, BOB, "web:no", moderates=moderates))
            with pytest.raises(NotYours):
                await home.chat.proceed(Revision(first.turn.id, BOB, "web:no", moderates=moderates))
        more = await home.chat.proceed(Revision(public.turn.id, BOB, "web:more", moderates=HERE))
        for moderates in ("", THERE):
            with pytest.raises(NotYours):
                await home.chat.cancel(more.turn.id, BOB, moderates=moderates)
        assert await home.chat.cancel(more.turn.id, BOB, moderates=HERE) is not None
        again = await home.chat.regenerate(Revision(public.turn.id, BOB, "web:again", moderates=HERE))
        await finish(again, home.engine)
        assert {(turn.user, turn.conversation) for turn in (more.turn, again.turn)} == {(ANN, C)}


async def test_whoever_wants_another_answer_pays_for_it_and_whoever_asked_does_not(tmp_path: Path) -> None:
    async with house(tmp_path, people=People(exempt=[ANN]), limits=Limits(1, 0, 0)) as home:
        first = await asked(home)
        again = await home.chat.regenerate(Revision(first.turn.id, BOB, "web:again", moderates=HERE))
        await until(lambda: home.gate.running)
        assert [ticket.user for ticket in home.gate._running.values()] == [BOB]
        await finish(again, home.engine)
        assert len(await home.store.spends(ANN, home.clock())) == 1
        assert await left(home, BOB) == 0
        with pytest.raises(TooFast):
            await home.chat.regenerate(Revision(again.turn.id, BOB, "web:once more", moderates=HERE))


async def test_an_owner_pays_for_what_they_ask_for_on_behalf_of_others(tmp_path: Path) -> None:
    async with house(tmp_path, people=People(owners=[OWNER]), limits=Limits(1, 0, 0)) as home:
        first = await asked(home)
        for number in range(2):
            again = await home.chat.regenerate(Revision(first.turn.id, OWNER, f"web:{number}", take_over=True))
            await finish(again, home.engine)
            first = again
        assert len(await home.store.spends(ANN, home.clock())) == 1
        assert len(await home.store.spends(OWNER, home.clock())) == 2


async def test_who_is_not_admitted_acts_on_nothing_but_their_own(tmp_path: Path) -> None:
    people = People(open_to=("web",), blocked=[BOB, "web:room"])
    async with house(tmp_path, people=people) as home:
        first = await asked(home)
        running = await home.chat.send(Question(C, ANN, "web:2", "two", scope=HERE))
        await until(lambda: home.engine.running)
        with pytest.raises(NotAllowed):
            await home.chat.cancel(running.turn.id, BOB, moderates=HERE)
        with pytest.raises(NotAllowed):
            await home.chat.cancel(running.turn.id, "web:eve", moderates=HERE, places=("web:room",))
        with pytest.raises(NotAllowed):
            await home.chat.regenerate(Revision(first.turn.id, BOB, "web:again", moderates=HERE))
        assert home.engine.running
        await home.chat.deny(ANN)
        assert await home.chat.cancel(running.turn.id, ANN) is not None


async def test_who_pays_is_known_after_a_restart_by_a_hash_alone(tmp_path: Path) -> None:
    limits = Limits(2, 0, 0)
    async with house(tmp_path, limits=limits) as home:
        first = await asked(home)
        await home.chat.regenerate(Revision(first.turn.id, BOB, "web:again", moderates=HERE))
        await until(lambda: home.engine.running)
        clock = home.clock
    async with house(tmp_path, limits=limits, clock=clock, engine=SteppedEngine()) as home:
        assert await home.chat.resume(["web:"]) == 1
        assert [ticket.user for ticket in home.gate._running.values()] == [home.store._payer(BOB)]
        (again,) = await home.chat.unfinished("web:")
        await finish(again, home.engine)
        assert (await left(home, ANN), await left(home, BOB)) == (1, 1)
        assert BOB not in str(await home.chat.export(ANN))
        assert home.store._payer(BOB) not in str(await home.chat.export(ANN))


async def test_forgetting_one_of_the_two_gives_neither_a_fresh_budget_nor_the_others_bill(tmp_path: Path) -> None:
    async with house(tmp_path, limits=Limits(3, 0, 0)) as home:
        first = await asked(home)
        await finish(await home.chat.regenerate(Revision(first.turn.id, BOB, "web:again", moderates=HERE)), home.engine)
        for user in (BOB, ANN, BOB):
            await home.chat.forget(user)
            assert (await left(home, ANN), await left(home, BOB)) == (2, 2)


async def test_a_moderators_continue_leads_nobody_back_to_what_they_had_left(tmp_path: Path) -> None:
    async with house(tmp_path, max_tokens=2) as home:
        one, two = await asked(home, "one"), await asked(home, "two")
        await finish(await home.chat.proceed(Revision(one.turn.id, BOB, "web:more", moderates=HERE)), home.engine)
        assert [turn.id for turn in await home.chat.history(C, ANN)] == [one.turn.id, two.turn.id]
        await home.chat.new(C, ANN)
        await finish(await home.chat.proceed(Revision(two.turn.id, BOB, "web:old", moderates=HERE)), home.engine)
        assert await home.chat.history(C, ANN) == []


async def test_a_moderators_continue_of_the_newest_answer_is_part_of_the_conversation(tmp_path: Path) -> None:
    async with house(tmp_path, max_tokens=2) as home:
        one = await asked(home, "one")
        more = await home.chat.proceed(Revision(one.turn.id, BOB, "web:more", moderates=HERE))
        await finish(more, home.engine)
        assert [turn.id for turn in await home.chat.history(C, ANN)] == [one.turn.id, more.turn.id]
