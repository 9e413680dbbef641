"""Turns, conversations and people, as the store keeps them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import NotFound, NotYours, StoreError, TooFast
from core.limits import Spend
from core.messages import Conversation
from core.store.store import Store
from tests.support.store_samples import ANN, BOB, DAY, NOON, answer, ask, question


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.open(tmp_path, clock=lambda: NOON) as store:
        yield store


async def test_a_question_comes_back_as_it_was_accepted(store: Store) -> None:
    new = question("web:e", prompt="소라가 뭐예요? 🐚", place='{"chat": 5}', refs=("7",), scope="here", title="Conch")
    turn, fresh = await store.accept(new, None)
    assert fresh
    assert (turn.prompt, turn.place, turn.refs, turn.scope) == (new.question.text, new.question.place, ("7",), "here")
    assert (turn.user, turn.conversation, turn.persona, turn.seed) == (ANN, "web:ann:1", "assistant", 7)
    assert (turn.asked, turn.accepted, turn.cost, turn.attempts) == (NOON, NOON, 100, 0)
    assert (turn.finish_reason, turn.reply, turn.ids, turn.shown, turn.deleted) == (None, "", None, False, False)
    assert await store.turn(turn.id) == await store.find("web:e") == turn


async def test_what_no_database_can_hold_is_replaced_sign_by_sign(store: Store) -> None:
    turn = await ask(store, "web:\ud800", prompt="a\x00b\ud83dc")
    assert turn.prompt == "a\ufffdb\ufffdc"
    assert await store.find("web:\ud800") == turn
    assert await store.find("web:\ufffd") is None


async def test_nothing_is_found_under_an_unknown_number_event_or_key(store: Store) -> None:
    assert [await store.turn(1), await store.find("web:e"), await store.conversation("web:ann:1")] == [None] * 3
    assert [await store.path(1), await store.children(1), await store.conversations(ANN)] == [[]] * 3
    for change in (store.started(1, NOON), store.unstarted(1), store.shown(1), store.placed(1, 0, "a")):
        with pytest.raises(NotFound):
            await change
    for change in (store.refs(1, ()), answer(store, 1), store.delete(1)):
        with pytest.raises(NotFound):
            await change
    for change in (store.set_head("web:ann:1", None), store.rename("web:ann:1", "a"), store.set_persona("a", "b")):
        with pytest.raises(NotFound):
            await change


async def test_a_turn_that_there_is_not_can_be_neither_parent_nor_source_nor_head(store: Store) -> None:
    await ask(store, "web:1")
    for changes in ({"parent": 9}, {"kind": "edit", "source": 9}, {"conversation": "web:ann:2", "parent": 9}):
        with pytest.raises(NotFound):
            await store.accept(question("web:2", **changes), None)
    with pytest.raises(NotFound):
        await store.set_head("web:ann:1", 9)
    assert await store.conversation("web:ann:2") is None


async def test_each_question_follows_the_newest_one(store: Store) -> None:
    first, second = await ask(store, "web:1"), await ask(store, "web:2")
    assert (first.parent, second.parent) == (None, first.id)
    assert await store.path(second.id) == [first, second]
    assert await store.children(first.id) == [second]
    kept = await store.conversation("web:ann:1")
    assert kept == Conversation("web:ann:1", ANN, "", "assistant", second.id, NOON, NOON)


async def test_a_question_may_name_its_parent_and_leave_the_head_alone(store: Store) -> None:
    first, second = await ask(store, "web:1"), await ask(store, "web:2")
    aside = await ask(store, "web:3", parent=first.id, source=second.id, kind="edit", move_head=False)
    apart = await ask(store, "web:4", parent=None, move_head=False)
    assert (aside.parent, aside.source, apart.parent) == (first.id, second.id, None)
    kept = await store.conversation("web:ann:1")
    assert kept is not None
    assert kept.head == second.id


async def test_the_head_may_be_set_and_cleared(store: Store) -> None:
    first, _ = await ask(store, "web:1"), await ask(store, "web:2")
    await store.set_head("web:ann:1", first.id)
    assert (await ask(store, "web:3")).parent == first.id
    await store.set_head("web:ann:1", None)
    assert (await ask(store, "web:4")).parent is None


async def test_the_same_event_gives_the_turn_that_it_has(store: Store) -> None:
    turn = await ask(store, "web:1")
    again, fresh = await store.accept(question("web:1", prompt="other words", conversation="web:ann:9"), None)
    assert (again, fresh) == (turn, False)
    assert await store.conversation("web:ann:9") is None
    assert len(await store.spends(ANN, NOON)) == 1


@pytest.mark.parametrize("kind", ["regenerate", "proceed"])
async def test_a_second_press_finds_what_the_first_one_made(store: Store, kind: str) -> None:
    first = await ask(store, "web:1")
    made = await ask(store, "web:2", kind=kind, source=first.id)
    again, fresh = await store.accept(question("web:3", kind=kind, source=first.id), None)
    assert (again, fresh) == (made, False)
    assert await store.find("web:3") == made
    assert len(await store.spends(ANN, NOON)) == 2


async def test_a_press_under_an_answer_that_is_still_shown_makes_another_once_the_first_has_ended(store: Store) -> None:
    first = await ask(store, "web:1")
    await store.placed(first.id, 0, "chat:7")
    made = await ask(store, "web:2", kind="regenerate", source=first.id)
    again, fresh = await store.accept(question("web:3", kind="regenerate", source=first.id), None)
    assert (again.id, fresh) == (made.id, False)
    await answer(store, made.id)
    await ask(store, "web:4", kind="regenerate", source=first.id, take_over=True)
    await answer(store, made.id + 1)
    again, fresh = await store.accept(question("web:5", kind="regenerate", source=first.id), None)
    assert (again.id, fresh) == (made.id + 1, False)


async def test_a_press_after_what_the_first_one_made_was_deleted_makes_another(store: Store) -> None:
    first = await ask(store, "web:1")
    made = await ask(store, "web:2", kind="regenerate", source=first.id)
    await store.delete(made.id)
    await ask(store, "web:3", kind="regenerate", source=first.id)


async def test_two_edits_of_one_question_are_two_turns(store: Store) -> None:
    first = await ask(store, "web:1")
    edits = [await ask(store, f"web:edit{i}", kind="edit", source=first.id) for i in range(2)]
    assert edits[0].id != edits[1].id


async def test_nobody_writes_into_a_conversation_of_somebody_else(store: Store) -> None:
    await ask(store, "web:1")
    with pytest.raises(NotYours):
        await store.accept(question("web:2", user=BOB), None)
    with pytest.raises(NotYours):
        await store.create("web:ann:1", BOB, "Mine")
    assert await store.find("web:2") is None


async def test_a_refusal_by_the_limits_leaves_nothing_behind(store: Store) -> None:
    def too_fast(spends: Sequence[Spend]) -> None:
        raise TooFast(3.0)

    with pytest.raises(TooFast):
        await store.accept(question("web:1"), too_fast)
    assert await store.find("web:1") is None
    assert await store.conversation("web:ann:1") is None


async def test_the_limits_see_a_day_of_spending_by_the_events_own_times(store: Store) -> None:
    seen: list[Sequence[Spend]] = []
    for event, asked in [("1", NOON - DAY), ("2", NOON - DAY + 1), ("3", NOON - 5), ("4", NOON + 5), ("5", NOON - 9)]:
        await ask(store, event, asked=asked)
    await ask(store, "bob", conversation="web:bob:1", user=BOB)
    turn = await store.find("3")
    assert turn is not None
    await answer(store, turn.id, cost=8)
    await store.accept(question("6"), seen.append)
    spends = [Spend(NOON - DAY + 1, 100), Spend(NOON - 9, 100), Spend(NOON - 5, 8), Spend(NOON + 5, 100)]
    assert seen == [spends]
    assert await store.spends(ANN, NOON) == [*spends[:3], Spend(NOON, 100), spends[3]]


async def test_an_answer_is_kept_with_its_figures(store: Store) -> None:
    turn = await ask(store, "web:1")
    begun = await store.started(turn.id, NOON + 0.5)
    assert (begun.attempts, begun.started) == (1, NOON + 0.5)
    end = await answer(store, turn.id, "A shell.", ids=(4, 5), reason="length", cause="why", left_out=2, shown=True)
    assert (end.reply, end.ids, end.finish_reason, end.cause) == ("A shell.", (4, 5), "length", "why")
    assert (end.prompt_tokens, end.computed_tokens, end.reply_tokens, end.cost, end.left_out) == (9, 5, 3, 8, 2)
    assert (end.finished, end.shown) == (NOON + 1, True)
    assert await store.turn(turn.id) == end


async def test_the_first_end_stays(store: Store) -> None:
    turn = await ask(store, "web:1")
    first = await answer(store, turn.id, "one")
    assert await answer(store, turn.id, "two", ids=None) == first


async def test_what_was_edited_before_its_end_has_nothing_left_to_show(store: Store) -> None:
    turn = await ask(store, "web:1", refs=("m1",))
    edit = await ask(store, "web:2", kind="edit", source=turn.id, take_over=True)
    assert (edit.refs, (await store.turn(turn.id)).refs) == (("m1",), ())  # type: ignore[union-attr]
    assert [one.id for one in await store.pending(["web:"])] == [turn.id, edit.id]
    assert (await answer(store, turn.id, shown=False)).shown
    assert await store.unshown("web:") == []


async def test_an_attempt_that_a_shutdown_ended_does_not_count(store: Store) -> None:
    turn = await ask(store, "web:1")
    await store.started(turn.id, NOON)
    await store.unstarted(turn.id)
    assert await store.turn(turn.id) == replace(turn, started=NOON)


async def test_the_messages_of_an_answer_are_kept_part_by_part(store: Store) -> None:
    turn = await ask(store, "web:1")
    assert (await store.placed(turn.id, 0, "m1")).refs == ("m1",)
    assert (await store.placed(turn.id, 2, "m3")).refs == ("m1", "", "m3")
    assert (await store.placed(turn.id, 1, "m2")).refs == ("m1", "m2", "m3")
    assert (await store.refs(turn.id, ["x"])).refs == ("x",)


async def test_what_is_pending_or_not_shown_is_given_by_prefix_in_order_of_acceptance(store: Store) -> None:
    keys = ["web:a", "telegram:1", "web:b", "WEB:c", "discord:1"]
    made = [await ask(store, key, conversation=key) for key in keys]
    assert [turn.conversation for turn in await store.pending(["web:", "telegram:"])] == keys[:3]
    assert await store.pending([]) == await store.pending(["web_"]) == []
    assert await store.unshown("web:") == []
    await answer(store, made[2].id)
    await answer(store, made[0].id)
    assert [turn.conversation for turn in await store.unshown("web:")] == ["web:a", "web:b"]
    assert await store.pending(["web:"]) == []
    await store.shown(made[0].id)
    assert [turn.conversation for turn in await store.unshown("web:")] == ["web:b"]


async def test_conversations_come_with_the_one_asked_in_last_first(tmp_path: Path) -> None:
    now = NOON
    async with Store.open(tmp_path, clock=lambda: now) as store:
        for key in ("a", "b", "a", "c"):
            now += 1
            await ask(store, f"{key}{now}", conversation=key)
        assert [(kept.key, kept.created, kept.updated) for kept in await store.conversations(ANN)] == [
            ("c", NOON + 4, NOON + 4),
            ("a", NOON + 1, NOON + 3),
            ("b", NOON + 2, NOON + 2),
        ]
        assert await store.conversations(BOB) == []


async def test_a_conversation_takes_its_title_from_the_first_question_unless_it_has_one(store: Store) -> None:
    await ask(store, "1", title="First")
    await ask(store, "2", title="Second")
    await store.create("web:ann:2", ANN, "")
    await ask(store, "3", conversation="web:ann:2", title="Third")
    await store.create("web:ann:3", ANN, "Mine")
    await store.create("web:ann:3", ANN, "Other")
    await ask(store, "4", conversation="web:ann:3", title="Fourth")
    titles = {kept.key: kept.title for kept in await store.conversations(ANN)}
    assert titles == {"web:ann:1": "First", "web:ann:2": "Third", "web:ann:3": "Mine"}
    await store.rename("web:ann:1", "조개")
    kept = await store.conversation("web:ann:1")
    assert kept is not None
    assert kept.title == "조개"


async def test_a_turn_is_answered_by_its_own_persona_the_conversations_or_the_usual_one(store: Store) -> None:
    assert (await ask(store, "1")).persona == "assistant"
    assert (await ask(store, "2", persona="pirate")).persona == "pirate"
    assert (await ask(store, "3")).persona == "assistant"
    await store.set_persona("web:ann:1", "cook")
    assert (await ask(store, "4")).persona == "cook"
    await store.create("web:ann:2", ANN, "")
    assert (await ask(store, "5", conversation="web:ann:2")).persona == "assistant"


async def test_a_renamed_place_takes_its_conversations_along(store: Store) -> None:
    turn = await ask(store, "1", conversation="telegram:7:-5:ann")
    await ask(store, "2", conversation="telegram:7:-55:ann")
    await store.move("telegram:7:-5:", "telegram:7:-1005:")
    assert {kept.key for kept in await store.conversations(ANN)} == {"telegram:7:-1005:ann", "telegram:7:-55:ann"}
    assert [moved.conversation for moved in await store.path(turn.id)] == ["telegram:7:-1005:ann"]


async def test_moving_onto_a_conversation_that_is_there_keeps_the_turns_of_both(store: Store) -> None:
    old, new = await ask(store, "1", conversation="old:ann"), await ask(store, "2", conversation="new:ann")
    await store.move("old:", "new:")
    kept = await store.conversation("new:ann")
    assert kept is not None
    assert kept.head == new.id
    assert await store.conversation("old:ann") is None
    moved = await store.turn(old.id)
    assert moved is not None
    assert moved.conversation == "new:ann"
    await store.create("old:ann", ANN, "")
    await store.set_head("new:ann", None)
    last = await ask(store, "3", conversation="old:ann")
    await store.move("old:", "new:")
    assert (await ask(store, "4", conversation="new:ann")).parent == last.id


async def test_moving_never_gives_a_conversation_to_somebody_else(store: Store) -> None:
    await ask(store, "1", conversation="old:x")
    await ask(store, "2", conversation="new:x", user=BOB)
    with pytest.raises(NotYours):
        await store.move("old:", "new:")
    assert len(await store.conversations(ANN)) == len(await store.conversations(BOB)) == 1


async def test_a_language_is_kept_per_person(store: Store) -> None:
    assert await store.language(ANN) is None
    for code in ("ko", "zh"):
        await store.set_language(ANN, code)
        assert await store.language(ANN) == code
    assert await store.language(BOB) is None


async def test_grants_are_kept_and_taken_back(store: Store) -> None:
    await store.grant("telegram:1", "allowed")
    await store.grant("telegram:1", "denied")
    await store.grant("discord:2", "owner")
    assert await store.grants() == {"telegram:1": "denied", "discord:2": "owner"}
    await store.revoke("telegram:1")
    await store.revoke("telegram:9")
    assert await store.grants() == {"discord:2": "owner"}


async def test_small_values_are_kept(store: Store) -> None:
    assert await store.get("mark") is None
    for value in ("1", "2"):
        await store.put("mark", value)
        assert await store.get("mark") == value


async def test_everything_of_a_person_can_be_exported_as_json(store: Store) -> None:
    await store.set_language(ANN, "ko")
    first = await ask(store, "1", prompt="What?", title="What", place="here")
    await store.placed(first.id, 0, "m1")
    await answer(store, first.id, "That.")
    await ask(store, "2", prompt="And?")
    await ask(store, "3", conversation="web:ann:2", prompt="Else?")
    await ask(store, "4", conversation="web:bob:1", user=BOB, prompt="Secret")
    told = json.loads(json.dumps(await store.export(ANN)))
    assert "Secret" not in json.dumps(told)
    assert (told["user"], told["language"]) == (ANN, "ko")
    assert [(kept["key"], kept["title"]) for kept in told["conversations"]] == [
        ("web:ann:1", "What"),
        ("web:ann:2", ""),
    ]
    turns = told["conversations"][0]["turns"]
    assert [(turn["prompt"], turn["reply"], turn["refs"], turn["ids"]) for turn in turns] == [
        ("What?", "That.", ["m1"], [1, 2, 3]),
        ("And?", "", [], None),
    ]
    assert (turns[0]["asked"], turns[0]["finished"]) == (
        "2027-01-15T08:00:00.000+00:00",
        "2027-01-15T08:00:01.000+00:00",
    )
    assert turns[1]["finished"] is None
    nothing = {"user": "web:nobody", "language": None, "conversations": [], "marks": {}}
    assert await store.export("web:nobody") == nothing


async def test_figures_are_counted_without_names(store: Store) -> None:
    first = await ask(store, "1")
    await answer(store, first.id)
    await ask(store, "2")
    await ask(store, "3", conversation="web:bob:1", user=BOB)
    figures = await store.stats()
    assert figures.pop("bytes") > 0
    assert figures == {"turns": 3, "unanswered": 2, "people": 2, "tokens": 3, "conversations": 2}


async def test_what_was_kept_is_there_after_a_restart(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        turn = await ask(store, "1")
        await store.put("mark", "1")
    async with Store.open(tmp_path) as store:
        assert await store.find("1") == turn
        assert await store.get("mark") == "1"
        assert [pending.id for pending in await store.pending(["web:"])] == [turn.id]


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        pass
    with pytest.raises(StoreError, match="closed"):
        await store.turn(1)
    with pytest.raises(StoreError, match="closed"):
        await store.put("mark", "1")
    with pytest.raises(StoreError, match="closed"):
        await store.backup(tmp_path / "copy")


async def test_a_caller_who_goes_away_loses_nothing_that_was_begun(store: Store) -> None:
    asking = asyncio.create_task(store.accept(question("1"), None))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await store.put("mark", "after it in the same line")
    assert await store.find("1") is not None
