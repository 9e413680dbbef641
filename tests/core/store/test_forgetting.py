"""What is forgotten is in no file any more; what has to stay of it stays."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.errors import TooFast
from core.limits import Limits, Spend
from core.store.database import Database
from core.store.erasing import Erasing
from core.store.schema import PERSON, TEXT, Attachments, Items, Words, get_meta, set_meta, turns
from core.store.store import Store
from tests.support.store_samples import ANN, BOB, DAY, NOON, answer, ask, holding, question

MARK = "Muschelgeheimnis소라"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.open(tmp_path, clock=lambda: NOON) as store:
        yield store


async def tell(store: Store, event: str, mark: str = MARK, **changes: object) -> int:
    """Fill a turn with the mark wherever words can be."""
    words = {name: f"{mark} {name}" for name in ("prompt", "place", "scope", "title", "persona")}
    turn = await ask(store, event, **{**words, **changes})
    await store.placed(turn.id, 0, f"{mark} ref")
    await answer(store, turn.id, f"{mark} reply " * 500, cause=None)
    return turn.id


async def test_forgetting_blanks_all_that_is_a_persons(store: Store, tmp_path: Path) -> None:
    first = await tell(store, "1")
    second = await tell(store, "2")
    await store.set_language(ANN, "ko")
    bobs = await ask(store, "3", user=BOB, conversation="web:bob:1", parent=second)
    assert await store.forget(ANN) == 2
    assert not store.erasing
    assert holding(tmp_path, MARK, ANN) == []
    blank = await store.turn(second)
    assert blank is not None
    assert (blank.prompt, blank.reply, blank.ids, blank.place, blank.scope, blank.refs) == ("", "", None, "", "", ())
    assert (blank.user, blank.conversation, blank.persona, blank.language, blank.seed) == ("", "", "", "", 0)
    assert (blank.deleted, blank.shown, blank.finish_reason) == (True, True, "stop")
    assert [turn.id for turn in await store.path(bobs.id)] == [first, second, bobs.id]
    assert await store.turn(bobs.id) == bobs
    assert await store.conversations(ANN) == []
    assert await store.language(ANN) is None
    assert await store.export(ANN) == {"user": ANN, "language": None, "conversations": [], "marks": {}}
    assert await store.forget(ANN) == 0


async def test_a_replay_of_a_forgotten_event_is_not_new(store: Store) -> None:
    turn = await tell(store, "web:1")
    await store.forget(ANN)
    again, fresh = await store.accept(question("web:1", prompt=MARK), None)
    assert (again.id, again.prompt, again.deleted, fresh) == (turn, "", True, False)


async def test_events_are_kept_as_hashes_only(store: Store, tmp_path: Path) -> None:
    await ask(store, "web:a-very-special-event")
    assert holding(tmp_path, "a-very-special-event") == []
    with sqlite3.connect(tmp_path / "conch.db") as connection:
        kept = connection.execute("SELECT hash FROM events").fetchall()
    connection.close()
    assert kept == [(hashlib.sha256(b"web:a-very-special-event").digest(),)]


async def test_forgetting_is_no_fresh_budget(store: Store) -> None:
    limits = Limits(messages_per_minute=2, tokens_per_day=0, characters=0)

    def check(spends: list[Spend]) -> None:
        limits.check(spends, NOON, 100)

    for event in ("1", "2"):
        await store.accept(question(event), check)  # type: ignore[arg-type]
    spent = await store.spends(ANN, NOON)
    await store.forget(ANN)
    assert await store.spends(ANN, NOON) == spent
    assert await store.spends(BOB, NOON) == []
    with pytest.raises(TooFast):
        await store.accept(question("3"), check)  # type: ignore[arg-type]


async def test_after_a_day_nothing_links_a_forgotten_turn_to_its_person(store: Store, tmp_path: Path) -> None:
    turn = await tell(store, "1")
    await store.forget(ANN)
    payer = store._payer(ANN)
    assert holding(tmp_path, payer) == ["conch.db"]
    await store.expire(NOON + DAY - 1)
    assert len(await store.spends(ANN, NOON)) == 1
    await store.expire(NOON + DAY + 1)
    await store.erased()
    assert await store.spends(ANN, NOON) == []
    assert holding(tmp_path, payer) == []
    blank = await store.turn(turn)
    assert blank is not None
    assert (blank.cost, blank.asked, blank.accepted, blank.started) == (0, 0.0, 0.0, None)
    assert (await store.accept(question("1"), None))[1] is False


async def test_what_another_pays_for_counts_for_them_alone_and_after_a_day_for_nobody(
    store: Store, tmp_path: Path
) -> None:
    first = await ask(store, "1")
    kept = await ask(store, "2", kind="regenerate", source=first.id, payer=BOB)
    gone = await ask(store, "3", conversation="web:ann:2", payer=BOB)
    assert await store.payers() == {kept.id: store._payer(BOB), gone.id: store._payer(BOB)}
    await store.remove("web:ann:2")
    assert await store.forget(BOB) == 0
    assert (len(await store.spends(ANN, NOON)), len(await store.spends(BOB, NOON))) == (1, 2)
    await store.expire(NOON + DAY + 1)
    await store.erased()
    assert holding(tmp_path, store._payer(BOB), store._payer(ANN)) == []
    assert (len(await store.spends(ANN, NOON)), len(await store.spends(BOB, NOON))) == (1, 0)
    assert await store.turn(kept.id) == kept
    blank = await store.turn(gone.id)
    assert blank is not None
    assert (blank.cost, blank.asked, blank.accepted, blank.started, blank.finished) == (0, 0.0, 0.0, None, 0.0)
    await store.forget(ANN)
    await store.expire(NOON + DAY + 2)
    blank = await store.turn(kept.id)
    assert blank is not None
    assert (blank.cost, blank.asked, blank.accepted) == (0, 0.0, 0.0)


async def test_the_hash_of_a_person_differs_from_database_to_database(store: Store, tmp_path: Path) -> None:
    async with Store.open(tmp_path / "other") as other:
        assert store._payer(ANN) != other._payer(ANN)


async def test_an_answer_that_ends_after_its_person_was_forgotten_leaves_only_its_figures(
    store: Store, tmp_path: Path
) -> None:
    turn = await ask(store, "1", prompt=MARK)
    await store.forget(ANN)
    assert await store.pending(["web:"]) == []
    for change in (store.placed(turn.id, 0, MARK), store.refs(turn.id, [MARK])):
        assert (await change).refs == ()
    end = await answer(store, turn.id, MARK, cost=8)
    assert (end.reply, end.ids, end.finish_reason, end.cause, end.cost) == ("", None, "abort", "deleted", 8)
    assert (await store.spends(ANN, NOON)) == [Spend(NOON, 8)]
    assert await store.unshown("") == []
    assert holding(tmp_path, MARK) == []


async def test_a_deleted_turn_keeps_its_place_and_loses_its_text_and_the_title_made_of_it(
    store: Store, tmp_path: Path
) -> None:
    turn = await tell(store, "1", place="here", scope="", persona=None)
    deleted = await store.delete(turn)
    assert (deleted.prompt, deleted.reply, deleted.ids, deleted.deleted, deleted.shown) == ("", "", None, True, True)
    assert (deleted.user, deleted.place, deleted.refs) == (ANN, "here", (f"{MARK} ref",))
    kept = await store.conversation("web:ann:1")
    assert kept is not None
    assert (kept.title, kept.head) == ("", turn)
    assert len(await store.spends(ANN, NOON)) == 1
    await store.refs(turn, ())
    await store.expire(NOON)
    await store.erased()
    assert holding(tmp_path, MARK) == []


async def test_a_title_of_a_persons_own_outlives_the_first_question(store: Store) -> None:
    turn = await tell(store, "1")
    await store.rename("web:ann:1", "Shells")
    await store.delete(turn)
    kept = await store.conversation("web:ann:1")
    assert kept is not None
    assert kept.title == "Shells"


async def test_what_is_deleted_unanswered_will_not_be_answered(store: Store) -> None:
    turn = await ask(store, "1")
    deleted = await store.delete(turn.id)
    assert (deleted.finish_reason, deleted.cause) == ("abort", "deleted")
    assert await store.pending(["web:"]) == await store.unshown("web:") == []


async def test_a_removed_conversation_is_gone_with_its_text_and_still_counts(store: Store, tmp_path: Path) -> None:
    await tell(store, "1", mark="Schneckengeheimnis", conversation="web:ann:2")
    other = await tell(store, "2")
    await store.remove("web:ann:2")
    assert [kept.key for kept in await store.conversations(ANN)] == ["web:ann:1"]
    kept = await store.turn(other)
    assert kept is not None
    assert kept.prompt == f"{MARK} prompt"
    assert len(await store.spends(ANN, NOON)) == 2
    await store.expire(NOON)
    await store.erased()
    assert holding(tmp_path, "Schneckengeheimnis") == []
    await store.remove("web:ann:9")


async def test_retention_forgets_what_is_old_and_keeps_what_is_not(tmp_path: Path) -> None:
    now = NOON
    async with Store.open(tmp_path, retention_days=7, clock=lambda: now) as store:
        old = await tell(store, "1", persona=None)
        await tell(store, "2", conversation="web:ann:2", asked=NOON)
        now += 5 * DAY
        new = await ask(store, "3", prompt="Still fresh", asked=now)
        assert await store.expire(now) == 0
        assert await store.expire(NOON + 7 * DAY + 1) == 2
        await store.erased()
        assert holding(tmp_path, MARK) == []
        assert [kept.key for kept in await store.conversations(ANN)] == ["web:ann:1"]
        assert [(turn.id, turn.deleted) for turn in await store.path(new.id)] == [(old, True), (new.id, False)]
        assert (await store.accept(question("1"), None))[1] is False
    now += 7 * DAY + 1
    async with Store.open(tmp_path, retention_days=7, clock=lambda: now) as store:
        await store.erased()
        assert holding(tmp_path, "Still fresh") == []
        assert await store.conversations(ANN) == []


async def test_without_retention_nothing_is_ever_old(store: Store) -> None:
    turn = await ask(store, "1")
    assert await store.expire(NOON + 10_000 * DAY) == 0
    assert await store.turn(turn.id) == turn


async def test_the_text_stays_in_the_log_only_while_another_program_reads(tmp_path: Path) -> None:
    async with Store.open(tmp_path, patience=0.0) as store:
        await store.erased()
        await tell(store, "1")
        other = sqlite3.connect(tmp_path / "conch.db", isolation_level=None)
        other.execute("BEGIN")
        assert MARK in other.execute("SELECT prompt FROM turns").fetchone()[0]
        assert await store.forget(ANN) == 1
        assert store.erasing
        assert holding(tmp_path, MARK) != []
        await ask(store, "2", user=BOB, conversation="web:bob:1")  # nobody else has to wait for it
        other.execute("ROLLBACK")
        other.close()
        await store.erased()
        assert not store.erasing
        assert holding(tmp_path, MARK) == []


async def test_what_could_not_be_erased_before_the_end_is_erased_at_the_next_start(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "conch.db", isolation_level=None)
    async with Store.open(tmp_path, patience=0.0) as store:
        await store.erased()
        await tell(store, "1")
        other.execute("BEGIN")
        other.execute("SELECT prompt FROM turns").fetchall()
        await store.forget(ANN)
    assert holding(tmp_path, MARK) != []
    other.execute("ROLLBACK")
    async with Store.open(tmp_path) as store:
        await store.erased()
        assert holding(tmp_path, MARK) == []
    other.close()


@pytest.mark.parametrize("seed", range(3))
async def test_rows_that_sqlite_has_moved_between_pages_leave_no_copies(tmp_path: Path, seed: int) -> None:
    """Rows that grow in any order move; with secure_delete alone text stays in the free part of the pages they left."""
    dice = random.Random(seed)
    people = ["Anneliese", "Bartholomew", "Cunegonde"]
    async with Store.open(tmp_path, patience=0.0) as store:
        asked = []
        for i in range(100):
            person = dice.choice(people)
            key = f"web:{person}"
            turn = await ask(store, str(i), user=key, conversation=key, prompt=person * 20, place=person * 10)
            asked.append((turn.id, person * 20))
        for number, reply in dice.sample(asked, len(asked)):
            await answer(store, number, reply)
        for person in people:
            await store.forget(f"web:{person}")
        await store.erased()
        assert holding(tmp_path, *people) == []


async def test_rebuilding_leaves_the_writer_alone_ten_times_as_long_as_it_took(tmp_path: Path) -> None:
    times = iter([0.0, 60.0, 61.0, 659.0, 661.0, 662.0])

    async def delete_something(database: Database) -> None:
        await database.write(lambda connection: set_meta(connection, "unclean", "1"))

    async with Database.open(tmp_path) as database:
        erasing = Erasing(lambda work: database._submit(work, bare=True), times.__next__)
        await delete_something(database)
        assert await erasing.now(0.0)
        await delete_something(database)
        assert not await erasing.now(0.0)
        assert erasing.owed
        await erasing.done()
        assert not erasing.owed
        assert list(times) == []
        assert await database.read(lambda connection: get_meta(connection, "unclean")) == ""


def test_each_column_that_can_hold_somebodys_words_says_what_forgetting_leaves_of_it() -> None:
    holds = [column for column in turns.c if isinstance(column.type, Words | Items | Attachments)]
    assert {column.name for column in holds if not column.info.keys() & {TEXT, PERSON}} == {"cause"}
