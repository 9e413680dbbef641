"""Who may speak: strangers with their codes, places, and owners, over restarts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest

from core.chat.people import ASKING_KEPT, People
from core.errors import Draining, NotAllowed, NotFound
from core.messages import Question
from core.store.store import Store
from tests.support.whole_core import finish, house

STRANGER, FRIEND, GROUP = "telegram:1", "telegram:2", "telegram:-100"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with Store.open(tmp_path) as store:
        yield store


def numbered() -> People:
    """People whose codes are numbers in a row."""
    numbers = count(1)
    return People(open_to=("web",), new_code=lambda: f"CODE{next(numbers)}")


async def test_a_stranger_gets_one_code_however_often_they_ask_also_after_a_restart(store: Store) -> None:
    people = numbered()
    code = await people.ask(store, STRANGER)
    assert await people.ask(store, STRANGER) == code
    assert await people.ask(store, FRIEND) != code
    again = People()
    await again.load(store)
    assert await again.ask(store, STRANGER) == code
    assert again.asking(f" {code.lower()} ") == STRANGER
    with pytest.raises(NotAllowed):
        again.check(STRANGER)


async def test_a_code_is_good_until_somebody_has_decided(store: Store) -> None:
    people = numbered()
    code = await people.ask(store, STRANGER)
    await people.grant(store, STRANGER, "allowed")
    people.check(STRANGER)
    assert people.asking(code) is None
    again = People()
    await again.load(store)
    again.check(STRANGER)


async def test_codes_that_are_made_are_easy_to_read_and_differ() -> None:
    people = People()
    codes = {people._new_code() for _ in range(50)}
    assert len(codes) == 50
    assert all(len(code) == 6 and not set(code) & set("01OI") for code in codes)


async def test_only_so_many_strangers_are_remembered(store: Store) -> None:
    people = numbered()
    for number in range(ASKING_KEPT + 3):
        await people.ask(store, f"telegram:{number}")
    kept = await store.grants()
    assert len(kept) == ASKING_KEPT
    assert "telegram:2" not in kept
    assert "telegram:3" in kept


async def test_what_a_place_may_moves_with_it(store: Store) -> None:
    people = numbered()
    await people.grant(store, GROUP, "allowed")
    await people.move(store, GROUP, "telegram:-200")
    people.check(STRANGER, ["telegram:-200"])
    with pytest.raises(NotAllowed):
        people.check(STRANGER, [GROUP])
    assert await store.grants() == {"telegram:-200": "allowed"}


async def test_what_the_settings_say_of_a_place_moves_with_it_over_restarts(store: Store) -> None:
    settings = {"allowed": [GROUP], "blocked": ["telegram:-101"]}
    people = People(**settings)
    await people.move(store, GROUP, "telegram:-200")
    await people.move(store, "telegram:-101", "telegram:-201")
    for known in (people, People(**settings)):
        await known.load(store)
        known.check(STRANGER, ["telegram:-200"])
        assert known.shut_out("telegram:-201")
    await people.grant(store, "telegram:-200", "denied")
    await people.move(store, GROUP, "telegram:-200")
    assert people.shut_out("telegram:-200"), "what was decided since stays"


async def test_the_code_of_a_place_that_has_moved_admits_it_where_it_is(store: Store) -> None:
    people = numbered()
    code = await people.ask(store, GROUP)
    await people.move(store, GROUP, "telegram:-200")
    again = numbered()
    await again.load(store)
    for known in (people, again):
        assert known.asking(code) == "telegram:-200"
        assert await known.ask(store, "telegram:-200") == code
    assert await store.grants() == {"telegram:-200": f"code:{code}"}


async def test_blocked_is_more_than_unknown(store: Store) -> None:
    people = People(blocked=[GROUP], open_to=("telegram",))
    assert not people.shut_out(STRANGER)
    people.check(STRANGER)
    await people.grant(store, STRANGER, "denied")
    assert people.shut_out(STRANGER)
    assert people.shut_out(FRIEND, GROUP)


async def test_an_owner_admits_and_shuts_out_by_code_or_by_name(tmp_path: Path) -> None:
    async with house(tmp_path, people=People(open_to=())) as home:
        code = await home.chat.ask_admission(STRANGER)
        with pytest.raises(NotAllowed):
            await home.chat.send(Question("telegram:c", STRANGER, "e1", "hello"))
        assert await home.chat.allow(code) == STRANGER
        await finish(await home.chat.send(Question("telegram:c", STRANGER, "e1", "hello")), home.engine)
        assert await home.chat.deny(STRANGER) == STRANGER
        with pytest.raises(NotAllowed):
            await home.chat.send(Question("telegram:c", STRANGER, "e2", "hello"))
        with pytest.raises(NotFound):
            await home.chat.allow(code)


async def test_who_asks_to_be_forgotten_asks_for_nothing_any_more(tmp_path: Path) -> None:
    async with house(tmp_path, people=People(open_to=())) as home:
        await home.chat.ask_admission(STRANGER)
        await home.chat.allow(FRIEND)
        for who in (STRANGER, FRIEND):
            await home.chat.forget(who)
        assert await home.store.grants() == {FRIEND: "allowed"}


async def test_what_refuses_for_the_time_being_goes_on_with_what_it_has(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        before = await home.chat.send(Question("web:ann:c", "web:ann", "e1", "one"))
        home.chat.refuse()
        with pytest.raises(Draining):
            await home.chat.send(Question("web:ann:c", "web:ann", "e2", "two"))
        assert await finish(before, home.engine) == "a1 a2 a3 a4"
        home.chat.unpause()
        await home.ask("web:ann:c", "three")
