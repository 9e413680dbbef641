"""Whose a platform's message is: over edits, other answers, deletions and restarts, also when all come at once."""

from __future__ import annotations

import asyncio

import pytest

from core.chat.reply import Reply
from core.errors import NotYours
from core.events import Finished
from core.messages import Question, Revision
from tests.support.stepped_engine import until
from tests.support.whole_core import House, finish, house

ANN, BOB = "web:ann", "web:bob"
C, D = "tg:7:ann", "tg:7:bob"
CHAT = "tg:7"


@pytest.fixture
async def home(tmp_path):
    async with house(tmp_path) as opened:
        yield opened


async def answered(home: House, text: str, *refs: str) -> Reply:
    """A question of Ann's in a chat, answered and shown in these messages."""
    reply = await home.chat.send(Question(C, ANN, f"tg:{text}", text, place="chat 7", scope=CHAT))
    for number, ref in enumerate(refs):
        await reply.placed(number, ref)
    await until(lambda: home.engine.running)
    home.engine.step(9)
    await finish(reply)
    return reply


async def test_an_edit_of_a_question_that_is_being_answered_anew_replaces_that_answer(home):
    first = await answered(home, "oen", "message 9")
    again = await home.chat.regenerate(Revision(first.turn.id, ANN, "tg:press", take_over=True))
    edited = await home.chat.edit(Revision("tg:oen", ANN, "tg:oen:a", "one"))
    assert again.finished == Finished("abort", "edited")
    assert again.successor is edited
    assert edited.turn.refs == ("message 9",)
    home.engine.release()
    await finish(edited)
    assert [turn.prompt for turn in await home.chat.history(C, ANN)] == ["one"]


async def test_an_edit_of_the_newest_question_moves_the_conversation_also_after_another_answer_to_it(home):
    first = await answered(home, "oen")
    home.engine.release()
    await finish(await home.chat.regenerate(Revision(first.turn.id, ANN, "tg:press")))
    await finish(await home.chat.edit(Revision("tg:oen", ANN, "tg:oen:a", "one")))
    assert [turn.prompt for turn in await home.chat.history(C, ANN)] == ["one"]


async def test_an_event_names_the_words_of_the_last_edit_even_if_an_old_button_was_pressed_since(home):
    first = await answered(home, "oen")
    home.engine.release()
    await finish(await home.chat.edit(Revision("tg:oen", ANN, "tg:oen:a", "one")))
    await finish(await home.chat.regenerate(Revision(first.turn.id, ANN, "tg:press")))
    assert (await home.chat.reply("tg:oen", ANN)).turn.prompt == "one"


async def test_two_edits_in_one_tick_leave_one_answer(home):
    first = await home.chat.send(Question(C, ANN, "tg:1", "oen", place="chat 7"))
    edits = await asyncio.gather(
        home.chat.edit(Revision("tg:1", ANN, "tg:1:a", "noe")), home.chat.edit(Revision("tg:1", ANN, "tg:1:b", "one"))
    )
    second, third = sorted(edits, key=lambda reply: reply.turn.id)
    assert first.finished == second.finished == Finished("abort", "edited")
    home.engine.release()
    assert await finish(third) == "a1 a2 a3 a4"
    assert third.turn.source == second.turn.id


async def test_messages_that_were_taken_over_are_nobody_elses_any_more(home):
    first = await answered(home, "oen", "message 9")
    edited = await home.chat.edit(Revision("tg:oen", ANN, "tg:oen:a", "one"))
    stale = await home.chat.regenerate(Revision(first.turn.id, ANN, "tg:press", take_over=True))
    assert (edited.turn.refs, stale.turn.refs) == (("message 9",), ())


@pytest.mark.parametrize("how", ["edit", "regenerate"])
async def test_an_answer_whose_messages_were_taken_over_is_not_shown_in_them_after_a_crash(tmp_path, how):
    async with house(tmp_path) as home:
        first = await answered(home, "oen", "message 9")
        if how == "edit":
            made = await home.chat.edit(Revision("tg:oen", ANN, "tg:oen:a", "one"))
        else:
            made = await home.chat.regenerate(Revision(first.turn.id, ANN, "tg:press", take_over=True))
    async with house(tmp_path) as home:
        await home.chat.resume(["tg:"])
        (reply,) = await home.chat.unfinished("tg:")
        assert (reply.turn.id, reply.turn.refs) == (made.turn.id, ("message 9",))


async def test_an_answer_that_ends_while_its_edit_is_accepted_is_not_shown_after_a_crash(tmp_path):
    async with house(tmp_path) as home:
        old = await home.chat.send(Question(C, ANN, "tg:1", "oen", place="chat 7"))
        await until(lambda: home.engine.running)
        editing = asyncio.create_task(home.chat.edit(Revision("tg:1", ANN, "tg:1:a", "one")))
        ended = asyncio.create_task(finish(old))
        while not ended.done():  # in whichever order the two are committed
            home.engine.step()
            await asyncio.sleep(0)
        made = await editing
    async with house(tmp_path) as home:
        await home.chat.resume(["tg:"])
        assert [reply.turn.id for reply in await home.chat.unfinished("tg:")] == [made.turn.id]


async def test_what_is_deleted_while_its_end_is_still_being_shown_is_gone_for_those_who_show_it(home):
    for way in ("delete", "remove", "forget"):
        reply = await answered(home, f"secret {way}", "message 9")
        match way:
            case "delete":
                await home.chat.delete(reply.turn.id, ANN)
            case "remove":
                await home.chat.remove(C, ANN)
            case "forget":
                await home.chat.forget(ANN)
        assert (reply.text, reply.finished) == ("", Finished("abort", "deleted"))
        assert (reply.turn.prompt, reply.turn.refs) == ("", ("message 9",))


async def test_undo_after_a_reply_to_somebody_elses_answer_ends_nothing_of_theirs(home):
    theirs = await home.chat.send(Question(D, BOB, "tg:1", "one", scope=CHAT))
    await home.chat.send(Question(C, ANN, "tg:2", "and?", scope=CHAT, parent=theirs.turn.id))
    assert (await home.chat.undo(C, ANN)).prompt == "and?"
    assert await home.chat.undo(C, ANN) is None
    assert theirs.finished is None
    home.engine.release()
    assert await finish(theirs) == "a1 a2 a3 a4"


async def test_undo_of_what_follows_somebody_elses_continuation_ends_nothing_of_theirs(home):
    theirs = await home.chat.send(Question(D, BOB, "tg:1", "one", scope=CHAT))
    await until(lambda: home.engine.running)
    home.engine.step(2)
    await until(lambda: theirs.text)
    await home.chat.cancel(theirs.turn.id, BOB)
    more = await home.chat.proceed(Revision(theirs.turn.id, BOB, "tg:more"))
    await home.chat.send(Question(C, ANN, "tg:2", "and?", scope=CHAT, parent=more.turn.id))
    assert (await home.chat.undo(C, ANN)).prompt == "and?"
    assert await home.chat.undo(C, ANN) is None
    assert more.finished is None
    home.engine.release()
    assert await finish(more)


async def test_history_after_that_undo_still_ends_where_their_private_turns_begin(home):
    home.engine.release()
    await finish(await home.chat.send(Question(D, BOB, "tg:0", "private")))
    public = await home.chat.send(Question(D, BOB, "tg:1", "one", scope=CHAT))
    await finish(public)
    await finish(await home.chat.send(Question(C, ANN, "tg:2", "and?", scope=CHAT, parent=public.turn.id)))
    await home.chat.undo(C, ANN)
    assert [turn.prompt for turn in await home.chat.history(C, ANN)] == ["one"]


async def test_undo_of_nothing_but_deleted_turns_takes_nothing_back(home):
    await answered(home, "one")
    await home.chat.delete("tg:one", ANN)
    assert await home.chat.undo(C, ANN) is None


async def test_one_event_of_two_people_in_one_tick_shows_neither_the_others_answer(home):
    both = await asyncio.gather(
        home.chat.send(Question(C, ANN, "tg:1", "one")),
        home.chat.send(Question(D, BOB, "tg:1", "two")),
        return_exceptions=True,
    )
    assert {type(one) for one in both} == {Reply, NotYours}
    assert home.gate.waiting + home.gate.running == 1
