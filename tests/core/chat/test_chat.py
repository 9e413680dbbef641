"""Accepting, answering, and what may be done with a turn afterwards."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest

from core.chat.chat import Options
from core.chat.people import People
from core.chat.reply import Reply
from core.errors import (
    Empty,
    Expired,
    NotAllowed,
    NotFound,
    NothingToContinue,
    NotYours,
    QueueFull,
    ShuttingDown,
    StillAnswering,
    TooFast,
    TooLong,
)
from core.events import Delta, Finished, Queued
from core.limits import Limits
from core.messages import Question, Revision
from tests.support.stepped_engine import SteppedEngine, until
from tests.support.store_samples import question
from tests.support.whole_core import House, finish, house

ANN, BOB = "web:ann", "web:bob"
C = "web:ann:c"


@pytest.fixture
async def home(tmp_path):
    async with house(tmp_path) as opened:
        yield opened


async def texts(home: House, conversation: str = C, user: str = ANN) -> list[tuple[str, str]]:
    return [(turn.prompt, turn.reply) for turn in await home.chat.history(conversation, user)]


async def test_a_question_is_answered_and_kept(home):
    reply = await home.ask(C, "hello")
    assert (reply.text, reply.finished) == ("a1 a2 a3 a4", Finished("stop"))
    (turn,) = await home.chat.history(C, ANN)
    assert (turn.prompt, turn.reply, turn.ids, turn.finish_reason) == ("hello", "a1 a2 a3 a4", (1, 2, 3, 4), "stop")
    assert (turn.prompt_tokens, turn.computed_tokens, turn.reply_tokens, turn.cost, turn.shown) == (1, 1, 4, 5, True)


async def test_the_next_question_carries_the_exact_tokens_of_the_answer_before(home):
    await home.ask(C, "one")
    await home.ask(C, "two")
    assert [(m.role, m.content, m.ids) for m in home.engine.asked[1]] == [
        ("user", "one", None),
        ("assistant", "a1 a2 a3 a4", (1, 2, 3, 4)),
        ("user", "two", None),
    ]


async def test_two_messages_and_a_duplicate_of_the_first_in_one_tick_are_two_turns_in_order_charged_twice(home):
    first, second, again = await asyncio.gather(
        home.chat.send(Question(C, ANN, "web:1", "one")),
        home.chat.send(Question(C, ANN, "web:2", "two")),
        home.chat.send(Question(C, ANN, "web:1", "one")),
    )
    assert again.turn.id == first.turn.id
    home.engine.release()
    assert await finish(again) == await finish(second) == "a1 a2 a3 a4"
    assert [prompt for prompt, _ in await texts(home)] == ["one", "two"]
    assert second.turn.parent == first.turn.id
    assert len(await home.store.spends(ANN, home.clock())) == 2
    assert [messages[-1].content for messages in home.engine.asked] == ["one", "two"]


async def test_a_message_that_comes_while_the_last_one_runs_sees_its_whole_answer(home):
    await home.chat.send(Question(C, ANN, "web:1", "one"))
    second = await home.chat.send(Question(C, ANN, "web:2", "two"))
    home.engine.release()
    await finish(second)
    assert [m.content for m in home.engine.asked[1]] == ["one", "a1 a2 a3 a4", "two"]


async def test_only_as_many_run_as_there_are_slots(tmp_path):
    async with house(tmp_path, slots=2) as home:
        replies = [await home.chat.send(Question(f"{C}{i}", ANN, f"web:{i}", str(i))) for i in range(6)]
        await until(lambda: len(home.engine.running) == 2)
        home.engine.release()
        for reply in replies:
            await finish(reply)
        assert home.engine.peak == 2


async def test_who_waits_is_told_how_many_go_first(home):
    await home.chat.send(Question(C, ANN, "web:1", "one"))
    second = await home.chat.send(Question("web:bob:c", BOB, "web:2", "two"))
    async with aclosing(aiter(second)) as events:
        event = await anext(events)
        assert isinstance(event, Queued)
        assert event.ahead == 1
        home.engine.release()
        assert [type(event) async for event in events][-1] is Finished


async def test_a_late_viewer_gets_the_text_so_far_as_one_delta(home):
    reply = await home.chat.send(Question(C, ANN, "web:1", "one"))
    await until(lambda: home.engine.running)
    home.engine.step(2)
    await until(lambda: reply.text == "a1 a2")
    async with aclosing(aiter(reply)) as events:
        assert await anext(events) == Delta("a1 a2", (1, 2))
        home.engine.release()
        assert "".join([event.text async for event in events if isinstance(event, Delta)]) == " a3 a4"


async def test_a_slow_viewer_gets_what_piled_up_merged(home):
    reply = await home.chat.send(Question(C, ANN, "web:1", "one"))
    async with aclosing(aiter(reply)) as events:
        await until(lambda: home.engine.running)
        home.engine.release()
        await until(lambda: reply.finished)
        assert [event async for event in events] == [Delta("a1 a2 a3 a4", (1, 2, 3, 4)), Finished("stop")]


async def test_stop_ends_the_answer_at_once_and_keeps_what_was_said(home):
    reply = await home.chat.send(Question(C, ANN, "web:1", "one"))
    await until(lambda: home.engine.running)
    home.engine.step(2)
    await until(lambda: reply.text == "a1 a2")
    await reply.cancel()
    assert reply.finished == Finished("abort", "stopped")
    assert not home.engine.running
    assert home.gate.running == 0
    assert await texts(home) == [("one", "a1 a2")]


async def test_stop_of_a_waiting_turn_leaves_no_trace_in_the_line(home):
    await home.chat.send(Question(C, ANN, "web:1", "one"))
    waiting = await home.chat.send(Question("web:bob:c", BOB, "web:2", "two"))
    await home.chat.cancel(waiting.turn.id, BOB)
    assert waiting.finished == Finished("abort", "stopped")
    assert home.gate.waiting == 0
    assert len(home.engine.asked) <= 1


async def test_stop_by_the_conversations_key_ends_everything_in_it_and_admits_nothing_in_between(home):
    replies = [await home.chat.send(Question(C, ANN, f"web:{i}", str(i))) for i in range(3)]
    await until(lambda: home.engine.running)
    await home.chat.cancel(C, ANN)
    assert [reply.finished for reply in replies] == [Finished("abort", "stopped")] * 3
    assert len(home.engine.asked) == 1


async def test_only_the_asker_or_an_owner_may_stop(tmp_path):
    async with house(tmp_path, people=People(owners=["web:root"])) as home:
        reply = await home.chat.send(Question(C, ANN, "web:1", "one"))
        with pytest.raises(NotYours):
            await home.chat.cancel(reply.turn.id, BOB)
        assert await home.chat.cancel(reply.turn.id, "web:root") is not None
        assert await home.chat.cancel(reply.turn.id, ANN) is None


async def test_regenerate_is_a_sibling_with_another_seed_and_a_second_press_finds_it(home):
    first = await home.ask(C, "one")
    second = await home.chat.regenerate(Revision(first.turn.id, ANN, "web:press1"))
    home.engine.release()
    await finish(second)
    again = await home.chat.regenerate(Revision(first.turn.id, ANN, "web:press2"))
    assert again.turn.id == second.turn.id
    assert (second.turn.parent, second.turn.source) == (first.turn.parent, first.turn.id)
    assert home.engine.samplings[0].seed != home.engine.samplings[1].seed
    assert home.engine.asked[0] == home.engine.asked[1]
    assert [turn.id for turn in await home.chat.history(C, ANN)] == [second.turn.id]


async def test_regenerate_of_a_turn_that_runs_is_refused_with_a_word(home):
    reply = await home.chat.send(Question(C, ANN, "web:1", "one"))
    with pytest.raises(StillAnswering):
        await home.chat.regenerate(Revision(reply.turn.id, ANN, "web:press"))


async def test_regenerate_of_an_older_answer_moves_the_conversation_only_on_request(home):
    first = await home.ask(C, "one")
    await home.ask(C, "two")
    home.engine.release()
    await finish(await home.chat.regenerate(Revision(first.turn.id, ANN, "web:press")))
    assert [prompt for prompt, _ in await texts(home)] == ["one", "two"]
    second = await home.chat.history(C, ANN)
    again = await home.chat.regenerate(Revision(second[0].id, ANN, "web:press3", branch=True))
    await finish(again)
    assert again.turn.id != first.turn.id


async def test_an_answer_cut_by_its_length_is_continued_where_it_stopped(tmp_path):
    async with house(tmp_path, engine=SteppedEngine(words=80)) as home:
        await home.chat.persona(C, ANN, "pirate")
        first = await home.ask(C, "one")
        assert first.finished == Finished("length")
        home.engine.release()
        more = await home.chat.proceed(Revision(first.turn.id, ANN, "web:more"))
        await finish(more)
        assert home.engine.asked[1][-1].role == "assistant"
        assert home.engine.asked[1][-1].ids == tuple(range(1, 51))
        assert first.text + more.text == " ".join(f"a{i}" for i in range(1, 81))
        await home.ask(C, "two")
        assert [m.role for m in home.engine.asked[2]] == ["system", "user", "assistant", "user"]
        assert home.engine.asked[2][2].ids == tuple(range(1, 81))


async def test_a_whole_answer_cannot_be_continued(home):
    first = await home.ask(C, "one")
    with pytest.raises(NothingToContinue):
        await home.chat.proceed(Revision(first.turn.id, ANN, "web:more"))


async def test_an_edited_question_that_runs_is_cancelled_and_asked_anew_in_its_messages(home):
    old = await home.chat.send(Question(C, ANN, "web:1", "oen", place="chat 7"))
    await old.placed(0, "message 9")
    await until(lambda: home.engine.running)
    new = await home.chat.edit(Revision("web:1", ANN, "web:1:edited", "one"))
    assert old.finished == Finished("abort", "edited")
    home.engine.release()
    assert await finish(new) == "a1 a2 a3 a4"
    assert (new.turn.refs, new.turn.place, new.turn.source) == (("message 9",), "chat 7", old.turn.id)
    assert [prompt for prompt, _ in await texts(home)] == ["one"]


async def test_a_message_placed_late_for_an_edited_question_belongs_to_the_new_one_too(home):
    old = await home.chat.send(Question(C, ANN, "web:1", "oen", place="chat 7"))
    new = await home.chat.edit(Revision("web:1", ANN, "web:1:edited", "one"))
    await old.placed(0, "message 9")
    assert new.turn.refs == ("message 9",)


async def test_an_edited_question_that_waits_keeps_its_place_in_line(home):
    await home.chat.send(Question("web:eve:c", "web:eve", "web:0", "zero"))
    old = await home.chat.send(Question(C, ANN, "web:1", "oen"))
    other = await home.chat.send(Question("web:bob:c", BOB, "web:2", "two"))
    new = await home.chat.edit(Revision("web:1", ANN, "web:1:edited", "one"))
    home.engine.release()
    await finish(other)
    await finish(new)
    assert [messages[-1].content for messages in home.engine.asked] == ["zero", "one", "two"]
    assert old.finished == Finished("abort", "edited")


async def test_an_edit_without_a_change_is_no_edit(home):
    old = await home.ask(C, "one")
    same = await home.chat.edit(Revision(old.turn.id, ANN, "web:edited", "one"))
    assert same.turn.id == old.turn.id


async def test_an_edited_older_question_is_answered_in_place_and_the_newest_turn_stays(home):
    await home.ask(C, "one", event="web:1")
    await home.ask(C, "two")
    edited = await home.chat.edit(Revision("web:1", ANN, "web:1:edited", "uno"))
    home.engine.release()
    await finish(edited)
    assert [prompt for prompt, _ in await texts(home)] == ["one", "two"]


async def test_an_edit_that_branches_moves_the_conversation(home):
    await home.ask(C, "one", event="web:1")
    await home.ask(C, "two")
    home.engine.release()
    await finish(await home.chat.edit(Revision("web:1", ANN, "web:1:edited", "uno", branch=True)))
    assert [prompt for prompt, _ in await texts(home)] == ["uno"]


async def test_the_continued_newest_answer_still_counts_as_newest_when_its_question_is_edited(tmp_path):
    async with house(tmp_path, engine=SteppedEngine(words=80)) as home:
        await home.chat.persona(C, ANN, "pirate")
        first = await home.ask(C, "one")
        home.engine.release()
        await finish(await home.chat.proceed(Revision(first.turn.id, ANN, "web:more")))
        await finish(await home.chat.edit(Revision(first.turn.id, ANN, "web:edited", "uno")))
        assert [prompt for prompt, _ in await texts(home)] == ["uno"]


async def test_undo_takes_back_the_newest_turn_also_while_it_runs(home):
    await home.ask(C, "one")
    running = await home.chat.send(Question(C, ANN, "web:2", "two"))
    undone = await home.chat.undo(C, ANN)
    assert undone is not None
    assert undone.id == running.turn.id
    assert running.finished == Finished("abort", "stopped")
    assert [prompt for prompt, _ in await texts(home)] == ["one"]
    assert (await home.chat.undo(C, ANN)).prompt == "one"
    assert await home.chat.undo(C, ANN) is None


async def test_undo_passes_over_deleted_turns(home):
    await home.ask(C, "one")
    await home.ask(C, "two", event="web:2")
    await home.chat.delete("web:2", ANN)
    assert (await home.chat.undo(C, ANN)).prompt == "one"
    assert await texts(home) == []


async def test_a_deleted_question_is_cancelled_blanked_and_not_seen_again(home):
    running = await home.chat.send(Question(C, ANN, "web:1", "secret", place="chat 7"))
    await running.placed(0, "message 9")
    gone = await home.chat.delete("web:1", ANN)
    assert gone.refs == ("message 9",)
    assert running.finished == Finished("abort", "deleted")
    home.engine.release()
    await finish(await home.chat.send(Question(C, ANN, "web:2", "two")))
    assert [m.content for m in home.engine.asked[-1]] == ["two"]
    assert "secret" not in str(await home.chat.export(ANN))


async def test_new_cancels_what_runs_and_forgets_the_past(home):
    running = await home.chat.send(Question(C, ANN, "web:1", "one"))
    await home.chat.new(C, ANN)
    assert running.finished == Finished("abort", "new")
    await home.ask(C, "two")
    assert [m.content for m in home.engine.asked[-1]] == ["two"]


async def test_nobody_reads_or_touches_another_persons_conversation(home):
    reply = await home.ask(C, "one")
    for attempt in (
        home.chat.history(C, BOB),
        home.chat.send(Question(C, BOB, "web:x", "hi")),
        home.chat.send(Question("web:bob:c", BOB, "web:y", "hi", parent=reply.turn.id)),
        home.chat.regenerate(Revision(reply.turn.id, BOB, "web:z")),
        home.chat.edit(Revision(reply.turn.id, BOB, "web:z", "hi")),
        home.chat.proceed(Revision(reply.turn.id, BOB, "web:z")),
        home.chat.delete(reply.turn.id, BOB),
        home.chat.undo(C, BOB),
        home.chat.new(C, BOB),
        home.chat.rename(C, BOB, "mine"),
        home.chat.remove(C, BOB),
        home.chat.persona(C, BOB, "pirate"),
        home.chat.reply(reply.turn.id, BOB),
        home.chat.send(Question("web:bob:c", BOB, "web:one", "hi")),
    ):
        with pytest.raises(NotYours):
            await attempt


async def test_a_reply_to_somebody_elses_public_answer_goes_on_from_it(home):
    public = await home.chat.send(Question("discord:7:ann", "web:ann", "e:1", "one", scope="discord:7"))
    home.engine.release()
    await finish(public)
    mine = await home.chat.send(Question("discord:7:bob", BOB, "e:2", "and?", scope="discord:7", parent=public.turn.id))
    await finish(mine)
    assert [m.content for m in home.engine.asked[-1]] == ["one", "a1 a2 a3 a4", "and?"]


async def test_a_branch_from_another_chat_never_shows_what_came_before_it_in_private(home):
    home.engine.release()
    private = await home.chat.send(Question("d:ann", ANN, "e:0", "my secret"))
    await finish(private)
    public = await home.chat.send(Question("d:ann", ANN, "e:1", "one", scope="d:7"))
    await finish(public)
    mine = await home.chat.send(Question("d:7:bob", BOB, "e:2", "and?", scope="d:7", parent=public.turn.id))
    await finish(mine)
    assert [m.content for m in home.engine.asked[-1]] == ["one", "a1 a2 a3 a4", "and?"]


async def test_replying_to_somebodys_answer_that_still_waits_does_not_lock_the_gpu(home):
    await home.chat.send(Question("web:eve:c", "web:eve", "e:0", "zero"))
    public = await home.chat.send(Question("d:7:ann", ANN, "e:1", "one", scope="d:7"))
    mine = await home.chat.send(Question("d:7:bob", BOB, "e:2", "and?", scope="d:7", parent=public.turn.id))
    home.engine.release()
    assert await finish(mine) == await finish(public) == "a1 a2 a3 a4"


async def test_refusals_store_nothing_and_leave_the_line(tmp_path):
    limits = Limits(messages_per_minute=1, tokens_per_day=0, characters=10)
    async with house(tmp_path, limits=limits, people=People(blocked=[BOB])) as home:
        home.engine.release()
        with pytest.raises(TooLong):
            await home.chat.send(Question(C, ANN, "web:1", "x" * 11))
        with pytest.raises(Empty):
            await home.chat.send(Question(C, ANN, "web:1", "  "))
        with pytest.raises(NotAllowed):
            await home.chat.send(Question("web:bob:c", BOB, "web:1", "hi"))
        with pytest.raises(NotFound):
            await home.chat.send(Question(C, ANN, "web:1", "hi", persona="nobody"))
        await finish(await home.chat.send(Question(C, ANN, "web:1", "hi")))
        with pytest.raises(TooFast) as refusal:
            await home.chat.send(Question(C, ANN, "web:2", "hi"))
        assert 0 < refusal.value.seconds <= 60
        assert (home.gate.waiting, home.gate.running) == (0, 0)
        assert len(await home.chat.history(C, ANN)) == 1
        assert (await home.chat.send(Question(C, ANN, "web:1", "hi"))).text == "a1 a2 a3 a4"
        assert [label for name, _, label in home.figures if name == "refused"] == [
            "too_long_characters", "empty", "not_allowed", "not_found", "too_fast",
        ]  # fmt: skip


async def test_a_full_line_refuses_but_still_knows_what_it_has(tmp_path):
    async with house(tmp_path, waiting=1) as home:
        await home.chat.send(Question(C, ANN, "web:1", "one"))
        known = await home.chat.send(Question(C, ANN, "web:2", "two"))
        with pytest.raises(QueueFull):
            await home.chat.send(Question(C, ANN, "web:3", "three"))
        assert (await home.chat.send(Question(C, ANN, "web:2", "two"))).turn.id == known.turn.id


async def test_what_an_outage_held_back_may_go_past_the_bound(tmp_path):
    async with house(tmp_path, waiting=1, options=Options(persona="assistant", backlog=2)) as home:
        long_ago = home.clock() - 600
        for i in range(4):
            await home.chat.send(Question(C, ANN, f"web:{i}", str(i), at=long_ago + i))
        with pytest.raises(QueueFull):
            await home.chat.send(Question(C, ANN, "web:4", "4", at=long_ago + 4))


async def test_messages_of_an_outage_are_limited_by_their_own_time(tmp_path):
    async with house(tmp_path, limits=Limits(messages_per_minute=1, tokens_per_day=0, characters=0)) as home:
        for i in range(3):
            await home.chat.send(Question(C, ANN, f"web:{i}", str(i), at=home.clock() - 600 + 61 * i))
        with pytest.raises(TooFast):
            await home.chat.send(Question(C, ANN, "web:3", "3", at=home.clock() - 600 + 1))


async def test_a_question_that_is_too_old_gets_a_word(tmp_path):
    async with house(tmp_path, options=Options(persona="assistant", max_age=3600)) as home:
        with pytest.raises(Expired):
            await home.chat.send(Question(C, ANN, "web:1", "one", at=home.clock() - 3601))


async def test_owners_and_exempt_people_have_no_limits(tmp_path):
    people = People(owners=["web:root"], exempt=["web:bot"])
    async with house(tmp_path, limits=Limits(1, 0, 0), people=people) as home:
        for user in ("web:root", "web:bot"):
            for i in range(3):
                await home.chat.send(Question(f"{user}:c", user, f"{user}:{i}", "hi"))


async def test_an_answer_being_generated_counts_with_its_whole_length_and_then_with_what_it_took(tmp_path):
    async with house(tmp_path, limits=Limits(messages_per_minute=0, tokens_per_day=150, characters=0)) as home:
        first = await home.chat.send(Question(C, ANN, "web:1", "one"))
        with pytest.raises(Exception, match="again in"):
            await home.chat.send(Question(C, ANN, "web:2", "two"))
        home.engine.release()
        await finish(first)
        await finish(await home.chat.send(Question(C, ANN, "web:2", "two")))


async def test_a_question_that_does_not_fit_the_model_ends_with_a_word(tmp_path):
    async with house(tmp_path, engine=SteppedEngine(context_window=120)) as home:
        reply = await home.ask(C, " ".join("word" for _ in range(30)))
        assert reply.finished == Finished("error", "too_long")


@pytest.mark.parametrize("quote", ["", "said by a friend"])
async def test_who_asks_too_much_hears_how_long_a_question_may_be(tmp_path, quote):
    async with house(tmp_path, engine=SteppedEngine(context_window=120)) as home:
        home.engine.free = True
        long = " ".join("word" for _ in range(130))
        reply = await home.chat.send(Question(C, ANN, "web:1", long, quote=quote))
        await finish(reply)
        assert reply.finished == Finished("error", "too_long")
        assert 0 < reply.turn.fits < len(long)
        shorter = await home.chat.send(Question(C, ANN, "web:2", long[: reply.turn.fits], quote=quote))
        await finish(shorter)
        assert (shorter.finished, shorter.turn.fits) == (Finished("stop"), 0)
        longer = await home.chat.send(Question(C, ANN, "web:3", long[: reply.turn.fits * 5 // 4], quote=quote))
        await finish(longer)
        assert longer.finished == reply.finished


async def test_where_a_quote_alone_is_too_long_no_number_is_promised(tmp_path):
    async with house(tmp_path, engine=SteppedEngine(context_window=120)) as home:
        reply = await home.chat.send(Question(C, ANN, "web:1", "What is this?", quote="word " * 130))
        await finish(reply)
        assert (reply.finished, reply.turn.fits) == (Finished("error", "too_long"), 0)


async def test_where_there_is_less_room_than_an_answer_may_take_question_and_answer_share_it(tmp_path):
    async with house(tmp_path, engine=SteppedEngine(context_window=80)) as home:
        reply = await home.ask(C, "What now?")
        assert reply.finished == Finished("stop")
        assert home.engine.samplings[-1].max_tokens == 40


async def test_the_window_tells_how_many_turns_were_left_out(tmp_path):
    async with house(tmp_path, engine=SteppedEngine(context_window=120)) as home:
        for i in range(6):
            reply = await home.ask(C, f"question {i}")
        assert reply.turn.left_out > 0
        assert home.engine.asked[-1][0].content != "question 0"


async def test_an_engine_that_breaks_ends_the_turn_with_a_word_and_serves_the_next(tmp_path, caplog):
    class Broken(SteppedEngine):
        def generate(self, messages, sampling):
            if messages[-1].content == "boom":
                raise ValueError("boom")
            return super().generate(messages, sampling)

    async with house(tmp_path, engine=Broken()) as home:
        reply = await home.ask(C, "boom")
        assert reply.finished == Finished("error", "engine_failed")
        assert "boom" not in caplog.records[-1].getMessage()
        assert (await home.ask(C, "two")).finished == Finished("stop")


async def test_a_caller_who_goes_away_is_still_answered(home):
    call = asyncio.create_task(home.chat.send(Question(C, ANN, "web:1", "one")))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    reply = await home.chat.send(Question(C, ANN, "web:1", "one"))
    home.engine.release()
    assert await finish(reply) == "a1 a2 a3 a4"
    assert len(await home.chat.history(C, ANN)) == 1


async def test_a_shutdown_leaves_the_turn_unanswered_and_the_next_start_completes_it(tmp_path):
    async with house(tmp_path) as home:
        first = await home.chat.send(Question(C, ANN, "web:1", "one"))
        second = await home.chat.send(Question(C, ANN, "web:2", "two"))
        await until(lambda: home.engine.running)
        home.engine.step(2)
        await until(lambda: first.text == "a1 a2")
        seed = first.turn.seed
        await home.chat.drain(0)
        assert (first.finished, second.finished) == (None, None)
        with pytest.raises(ShuttingDown):
            await home.chat.send(Question(C, ANN, "web:3", "three"))
        assert (await home.chat.send(Question(C, ANN, "web:1", "one"))).turn.id == first.turn.id
    async with house(tmp_path) as home:
        assert await home.chat.resume(["discord:"]) == 0
        assert await home.chat.resume(["web:"]) == 2
        again, last = await home.chat.unfinished("web:")
        home.engine.release()
        assert await finish(again) == await finish(last) == "a1 a2 a3 a4"
        assert home.engine.samplings[0].seed == seed
        assert again.turn.attempts == 1
        assert [prompt for prompt, _ in await texts(home)] == ["one", "two"]


async def test_drain_lets_what_runs_come_to_its_end(home):
    reply = await home.chat.send(Question(C, ANN, "web:1", "one"))
    waiting = await home.chat.send(Question(C, ANN, "web:2", "two"))
    await until(lambda: home.engine.running)
    drain = asyncio.create_task(home.chat.drain(30))
    await asyncio.sleep(0)
    home.engine.step(10)
    await drain
    assert reply.finished == Finished("stop")
    assert waiting.finished is None


async def test_what_three_crashes_hit_gets_an_apology_and_what_is_too_old_a_word(tmp_path):
    async with house(tmp_path) as home:
        poison = await home.chat.send(Question(C, ANN, "web:1", "one"))
        old = await home.chat.send(Question(C, ANN, "web:2", "two", at=home.clock() - 7200))
        await home.chat.drain(0)
        for _ in range(3):
            await home.store.started(poison.turn.id, home.clock())
    async with house(tmp_path, options=Options(persona="assistant", max_age=3600)) as home:
        assert await home.chat.resume(["web:"]) == 0
        assert (await home.chat.reply(poison.turn.id, ANN)).finished == Finished("error", "gave_up")
        assert (await home.chat.reply(old.turn.id, ANN)).finished == Finished("error", "expired")


async def test_an_answer_with_a_place_is_unfinished_until_it_is_shown(tmp_path):
    async with house(tmp_path) as home:
        home.engine.release()
        reply = await home.chat.send(Question("telegram:1:2", ANN, "telegram:1", "one", place="chat 2"))
        await finish(reply)
    async with house(tmp_path) as home:
        (again,) = await home.chat.unfinished("telegram:")
        assert (again.text, again.finished) == ("a1 a2 a3 a4", Finished("stop"))
        assert home.gate.running == 0
        await again.placed(0, "message 5")
        await again.shown()
        assert await home.chat.unfinished("telegram:") == []
        assert (await home.chat.reply(reply.turn.id, ANN)).turn.refs == ("message 5",)


async def test_forget_cancels_what_runs_and_a_replay_is_not_answered_again(home):
    await home.ask(C, "secret one", event="web:1")
    running = await home.chat.send(Question(C, ANN, "web:2", "secret two"))
    await until(lambda: home.engine.running)
    assert await home.chat.forget(ANN) == 2
    assert running.finished is not None
    assert "secret" not in str(await home.chat.export(ANN))
    asked = len(home.engine.asked)
    again = await home.chat.send(Question(C, ANN, "web:1", "secret one"))
    assert again.text == ""
    assert len(home.engine.asked) == asked


async def test_a_conversation_is_titled_by_its_first_question_renamed_and_removed(home):
    await home.ask(C, "How do   shells\ngrow? " + "x" * 100)
    (kept,) = await home.chat.conversations(ANN)
    assert kept.title.startswith("How do shells grow? x")
    assert len(kept.title) <= 60
    await home.chat.rename(C, ANN, "Shells")
    assert (await home.chat.conversations(ANN))[0].title == "Shells"
    await home.chat.remove(C, ANN)
    assert await home.chat.conversations(ANN) == []
    with pytest.raises(NotFound):
        await home.chat.history(C, ANN)


async def test_the_turn_keeps_the_persona_it_was_asked_with(home):
    first = await home.chat.send(Question(C, ANN, "web:1", "one"))
    await home.chat.persona(C, ANN, "pirate")
    second = await home.chat.send(Question(C, ANN, "web:2", "two", language="ko"))
    home.engine.release()
    await finish(second)
    assert (first.turn.persona, second.turn.persona) == ("assistant", "pirate")
    assert home.engine.asked[0][0].role == "user"
    assert home.engine.asked[1][0].content == "해적처럼 말하세요."
    assert home.engine.samplings[1].max_tokens == 50
    assert home.engine.samplings[1].temperature == 1.5
    assert home.engine.samplings[0].as_advised == {"temperature", "top_p"}
    assert home.engine.samplings[1].as_advised == {"top_p"}, "what a persona says counts more than what is advised"
    with pytest.raises(NotFound):
        await home.chat.persona(C, ANN, "nobody")


async def test_the_language_that_a_person_chose_goes_before_the_platforms(home):
    await home.chat.language(ANN, "zh")
    reply = await home.chat.send(Question(C, ANN, "web:1", "one", language="ko"))
    assert reply.turn.language == "zh"
    assert await home.chat.language(ANN) == "zh"


async def test_changes_tell_every_watcher_which_conversation_moved(home):
    async with aclosing(home.chat.changes(ANN)) as changes:
        seen = asyncio.ensure_future(anext(changes))
        await asyncio.sleep(0)
        await home.chat.send(Question("web:bob:c", BOB, "web:0", "zero"))
        await home.chat.send(Question(C, ANN, "web:1", "one"))
        assert await seen == C
        await home.chat.persona("web:ann:d", ANN, "pirate")
        assert await anext(changes) == "web:ann:d"


async def test_a_paused_house_accepts_and_waits(home):
    home.chat.pause()
    home.engine.release()
    reply = await home.chat.send(Question(C, ANN, "web:1", "one"))
    async with aclosing(aiter(reply)) as events:
        event = await anext(events)
        assert isinstance(event, Queued)
        assert event.cause == "paused"
        home.chat.unpause()
        assert [e async for e in events][-1] == Finished("stop")


async def test_a_moved_place_takes_its_conversations_along(home):
    home.engine.release()
    reply = await home.chat.send(Question("telegram:1:-5:9", ANN, "telegram:1", "one"))
    await home.chat.move("telegram:1:-5:", "telegram:1:-1005:")
    await finish(reply)
    assert len(await home.chat.history("telegram:1:-1005:9", ANN)) == 1


async def test_somebody_becomes_the_owner_by_the_code_that_works_once(home):
    code = home.chat.claim_code()
    assert not await home.chat.claim("wrong", ANN)
    assert await home.chat.claim(code, ANN)
    assert home.chat.owns(ANN)
    assert not await home.chat.claim(code, BOB)
    assert home.chat.claim_code() is None


async def test_admitted_people_are_kept_over_a_restart(tmp_path):
    closed = People(open_to=())
    async with house(tmp_path, people=closed) as home:
        with pytest.raises(NotAllowed):
            await home.chat.send(Question(C, ANN, "web:1", "one"))
        await home.chat.allow("telegram:-5")
        await home.chat.send(Question(C, ANN, "web:1", "one", places=("telegram:-5",)))
        await home.chat.deny(ANN)
        with pytest.raises(NotAllowed):
            await home.chat.send(Question(C, ANN, "web:2", "two", places=("telegram:-5",)))
    async with house(tmp_path, people=People(open_to=())) as home:
        await home.people.load(home.store)
        with pytest.raises(NotAllowed):
            await home.chat.send(Question(C, ANN, "web:2", "two", places=("telegram:-5",)))
        await home.chat.send(Question("web:bob:c", BOB, "web:3", "three", places=("telegram:-5",)))


async def test_status_says_how_things_stand(tmp_path):
    async with house(tmp_path, limits=Limits(5, 1000, 0)) as home:
        await home.ask(C, "one")
        status = await home.chat.status(ANN, C)
        assert (status.ready, status.slots, status.messages_left, status.tokens_left) == (True, 1, 4, 995)
        assert (status.persona, status.owner, status.paused) == ("assistant", False, False)


async def test_every_edit_by_the_same_event_replaces_the_one_before(home):
    first = await home.chat.send(Question(C, ANN, "tg:1", "one", place="chat 7"))
    await first.placed(0, "message 9")
    second = await home.chat.edit(Revision("tg:1", ANN, "tg:1:a", "uno"))
    third = await home.chat.edit(Revision("tg:1", ANN, "tg:1:b", "eins"))
    assert second.finished == Finished("abort", "edited")
    home.engine.release()
    await finish(third)
    assert (third.turn.source, third.turn.refs) == (second.turn.id, ("message 9",))
    assert await texts(home) == [("eins", "a1 a2 a3 a4")]
    await home.chat.delete("tg:1", ANN)
    assert [prompt for prompt, _ in await texts(home) if prompt] == []


async def test_an_event_names_the_edited_question_when_it_is_stopped(home):
    await home.chat.send(Question(C, ANN, "tg:1", "one"))
    edited = await home.chat.edit(Revision("tg:1", ANN, "tg:1:a", "uno"))
    assert await home.chat.cancel("tg:1", ANN) is not None
    assert edited.finished == Finished("abort", "stopped")


async def test_a_deleted_question_goes_with_all_its_answers_edits_and_continuations(tmp_path):
    async with house(tmp_path, engine=SteppedEngine(words=80)) as home:
        home.engine.release()
        await home.chat.persona(C, ANN, "pirate")
        first = await home.chat.send(Question(C, ANN, "tg:0", "before"))
        await finish(first)
        asked = await home.chat.send(Question(C, ANN, "tg:1", "secret"))
        await finish(asked)
        again = await home.chat.regenerate(Revision(asked.turn.id, ANN, "tg:press"))
        await finish(again)
        await finish(await home.chat.proceed(Revision(again.turn.id, ANN, "tg:more")))
        await home.chat.delete("tg:1", ANN)
        assert "secret" not in str(await home.chat.export(ANN))
        await finish(await home.chat.send(Question(C, ANN, "tg:2", "after")))
        assert [m.content for m in home.engine.asked[-1] if m.role == "user"] == ["before", "after"]
        assert home.engine.asked[-1][2].content == first.text


async def test_the_message_of_an_ended_answer_still_being_shown_goes_to_its_edit(home):
    home.engine.release()
    old = await home.chat.send(Question(C, ANN, "tg:1", "one", place="chat 7"))
    await finish(old)
    new = await home.chat.edit(Revision("tg:1", ANN, "tg:1:a", "uno"))
    await old.placed(0, "message 9")
    assert old.successor is new
    assert new.turn.refs == ("message 9",)


async def test_a_reply_asked_for_by_an_old_look_at_the_store_still_ends(home):
    home.engine.release()
    reply = await home.chat.send(Question(C, ANN, "web:1", "one"))
    before = reply.turn
    await finish(reply)
    await until(lambda: home.chat.live(before.id) is None)
    del reply
    assert await finish(await home.chat._turns.reply(before)) == "a1 a2 a3 a4"


async def test_undo_after_continue_takes_back_the_question_and_continue_makes_no_second_one(tmp_path):
    async with house(tmp_path, engine=SteppedEngine(words=80)) as home:
        home.engine.release()
        await home.chat.persona(C, ANN, "pirate")
        first = await home.ask(C, "one")
        more = await home.chat.proceed(Revision(first.turn.id, ANN, "web:more"))
        await finish(more)
        assert (await home.chat.undo(C, ANN)).prompt == "one", "the question, not what lengthens its answer"
        assert await home.chat.history(C, ANN) == []
        again = await home.chat.proceed(Revision(first.turn.id, ANN, "web:more again"))
        assert again.turn.id == more.turn.id


async def test_undo_ends_a_continuation_that_runs(tmp_path):
    async with house(tmp_path, engine=SteppedEngine(words=80)) as home:
        await home.chat.persona(C, ANN, "pirate")
        first = await home.chat.send(Question(C, ANN, "web:1", "one"))
        await until(lambda: home.engine.running)
        home.engine.step(50)
        await finish(first)
        more = await home.chat.proceed(Revision(first.turn.id, ANN, "web:more"))
        await until(lambda: home.engine.running)
        assert (await home.chat.undo(C, ANN, "web:undo")).id == first.turn.id
        assert more.finished == Finished("abort", "stopped")
        assert (await home.chat.undo(C, ANN, "web:undo")).id == first.turn.id
        assert await home.chat.history(C, ANN) == []


async def test_an_edited_turn_that_a_crash_left_open_is_not_taken_up_beside_its_edit(tmp_path):
    async with house(tmp_path) as home:
        old = await home.chat.send(Question(C, ANN, "web:1", "one"))
        await home.chat.drain(0)
        decided = {"kind": "edit", "source": old.turn.id, "parent": None, "asked": home.clock()}
        taken = question("web:2", conversation=C, prompt="uno", **decided)
        await home.store.accept(taken, None)
    async with house(tmp_path) as home:
        assert await home.chat.resume(["web:"]) == 1
        assert (await home.chat.reply(old.turn.id, ANN)).finished == Finished("abort", "edited")
        home.engine.release()
        (open_,) = await home.chat.unfinished("web:")
        assert await finish(open_) == "a1 a2 a3 a4"


async def test_a_text_forgotten_in_mid_accept_does_not_come_back(home):
    home.engine.release()
    old = await home.ask(C, "secret")
    await home.chat.forget(ANN)
    decided = {"kind": "regenerate", "source": old.turn.id, "asked": home.clock()}
    again = question("web:2", conversation=C, prompt="secret", **decided)
    with pytest.raises(NotFound):
        await home.store.accept(again, None)


async def test_history_ends_where_other_peoples_private_turns_begin(home):
    home.engine.release()
    await finish(await home.chat.send(Question("d:bob", BOB, "e:0", "private")))
    public = await home.chat.send(Question("d:bob", BOB, "e:1", "one", scope="d:7"))
    await finish(public)
    await finish(await home.chat.send(Question("d:7:ann", ANN, "e:2", "and?", scope="d:7", parent=public.turn.id)))
    assert [turn.prompt for turn in await home.chat.history("d:7:ann", ANN)] == ["one", "and?"]


async def test_no_text_of_a_person_is_in_the_log_when_the_database_fails(home, caplog):
    def fail(connection):
        connection.exec_driver_sql("create trigger no before insert on turns begin select raise(abort, 'no'); end")

    await home.store._database.write(fail)
    call = asyncio.create_task(home.chat.send(Question(C, ANN, "web:1", "secret words")))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.wait({call})
    await until(lambda: caplog.records)
    assert "secret" not in caplog.text


async def test_who_was_told_a_place_is_told_when_the_turn_has_come(home):
    await home.chat.send(Question(C, ANN, "web:1", "one"))
    second = await home.chat.send(Question("web:bob:c", BOB, "web:2", "two"))
    async with aclosing(aiter(second)) as events:
        assert (await anext(events)).ahead == 1
        await home.chat.cancel(C, ANN)
        assert await anext(events) == Queued(0, 0.0, "thinking")


async def test_a_public_answer_does_not_see_what_was_asked_in_private_and_a_private_one_sees_all(
    tmp_path: Path,
) -> None:
    async with house(tmp_path) as home:
        for text, scope in (("open", "web:room"), ("secret", ""), ("again open", "web:room"), ("again secret", "")):
            reply = await home.chat.send(Question("web:ann:1", "web:ann", f"web:{text}", text, scope=scope))
            await finish(reply, home.engine)
    seen = [[message.content for message in asked if message.role == "user"] for asked in home.engine.asked]
    assert seen == [
        ["open"],
        ["open", "secret"],
        ["open", "again open"],
        ["open", "secret", "again open", "again secret"],
    ]


async def test_limits_named_for_a_role_hold_instead_of_everybodys(tmp_path: Path) -> None:
    limits = Limits(1, 0, 0, named={"web:role": Limits(2, 0, 0), "web:ann": Limits(0, 0, 0)})
    async with house(tmp_path, limits=limits) as home:

        async def ask(user: str, *places: str) -> Reply:
            event = f"web:{user}:{len(home.engine.asked)}"
            reply = await home.chat.send(Question(f"{user}:1", user, event, "q", places=places))
            await finish(reply, home.engine)
            return reply

        await ask("web:bob")
        with pytest.raises(TooFast):
            await ask("web:bob")
        again = await ask("web:bob", "web:other", "web:role")
        assert (await home.chat.status("web:bob", places=("web:role",))).messages_left == 0
        with pytest.raises(TooFast):
            await home.chat.regenerate(Revision(again.turn.id, "web:bob", "web:press", places=("web:role",)))
        for _ in range(5):
            await ask("web:ann")
        assert (await home.chat.status("web:ann")).messages_left is None
