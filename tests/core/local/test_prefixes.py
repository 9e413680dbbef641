"""What is kept of earlier requests: found again, shared, never mixed up, within its bounds."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.engine_steps import Lacking, watching
from tests.support.examples import examples

pytestmark = pytest.mark.torch


def rows_and_prefixes(here: int, away: int = 0) -> tuple[Any, Any]:
    import torch

    from core.local.kv_cache import Rows
    from core.local.prefixes import Prefixes

    rows = Rows(2, 3, 60, 1, 2, dtype=torch.float32, device=torch.device("cpu"))
    return rows, Prefixes(rows, here, away)


def write(rows: Any, row: int, ids: list[int]) -> None:
    """Keys and values that say of which ids, up to each place, they are."""
    import torch

    seen = 1.0
    for place, token in enumerate(ids):
        seen = (seen * 31 + token) % 9973
        rows.store[:, :, row, place] = torch.full((2, 2, 1, 2), seen)


def holds(rows: Any, row: int, ids: list[int]) -> bool:
    import torch

    other = torch.zeros_like(rows.store)
    mine = rows.store[:, :, row, : len(ids)].clone()
    rows.store, kept = other, rows.store
    write(rows, row, ids)
    expected, rows.store = rows.store[:, :, row, : len(ids)], kept
    return bool(torch.equal(mine, expected))


@settings(max_examples=examples(60))
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 60), st.integers(0, 30)), max_size=25),
    st.sampled_from([0, 96]),
)
def test_what_is_found_is_what_was_computed_and_blocks_are_counted_right(
    said: list[tuple[int, int, int]], away: int
) -> None:
    rows, prefixes = rows_and_prefixes(160, away)
    for family, length, branch in said:
        chance = random.Random(family)
        ids = [chance.randrange(50) for _ in range(length)]
        ids[branch:] = [token + family for token in ids[branch:]]
        prefix, alike = prefixes.best(ids)
        if prefix is not None:
            write(rows, 1, [99] * 60)
            prefixes.copy_in(prefix, 1, alike)
            assert holds(rows, 1, ids[:alike])
        write(rows, 0, ids)
        prefixes.keep(ids, 0)
        if length >= 8:
            assert prefixes.best(ids)[1] == length
        for pool in filter(None, (prefixes._here, prefixes._away)):
            held = [block for kept in prefixes._kept if kept.pool is pool for block in kept.blocks]
            assert sorted({*held, *pool.free}) == list(range(pool.store.shape[2]))
            assert not set(held) & set(pool.free)
            assert [pool._holders[block] for block in range(len(pool._holders))] == [
                held.count(block) for block in range(len(pool._holders))
            ]


def test_who_begins_alike_shares_blocks() -> None:
    rows, prefixes = rows_and_prefixes(96)
    persona = list(range(32))
    for tail in range(4):
        write(rows, 0, [*persona, 100 + tail, *[7] * 10])
        prefixes.keep([*persona, 100 + tail, *[7] * 10], 0)
    assert len(prefixes) == 4, "four of 43 tokens do not fit six blocks of 16, but for what they share"


def test_the_least_recently_used_goes_first() -> None:
    rows, prefixes = rows_and_prefixes(64)
    first, second, third = ([seed] * 32 for seed in (1, 2, 3))
    for ids in (first, second):
        write(rows, 0, ids)
        prefixes.keep(ids, 0)
    prefixes.copy_in(prefixes.best(first)[0], 1, 5)
    write(rows, 0, third)
    prefixes.keep(third, 0)
    assert [prefixes.best(ids)[1] for ids in (first, second, third)] == [32, 0, 32]


def test_what_is_longer_than_all_there_is_takes_nobodys_place() -> None:
    rows, prefixes = rows_and_prefixes(48)
    write(rows, 0, [1] * 32)
    prefixes.keep([1] * 32, 0)
    write(rows, 0, [2] * 60)
    prefixes.keep([2] * 60, 0)
    assert [prefixes.best(ids)[1] for ids in ([1] * 32, [2] * 60)] == [32, 0]


def test_no_more_is_copied_at_a_time_than_there_is_sure_to_be_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from core.local import prefixes as module

    rows, prefixes = rows_and_prefixes(64, 64)
    layer = rows.store[0, :, 0]
    monkeypatch.setattr(module, "AT_ONCE", layer.nbytes)
    picked = []

    def see(name: str, given: tuple[Any, ...]) -> None:
        if name == "index_select":
            store, axis, index = given
            picked.append(store[(slice(None),) * axis + (0,)].numel() * len(index))

    with watching(see):
        for seed in (1, 2):  # the first goes to the host's memory and comes back
            write(rows, 0, [seed] * 40)
            prefixes.keep([seed] * 40, 0)
        prefixes.copy_in(prefixes.best([1] * 40)[0], 1, 40)
    assert holds(rows, 1, [1] * 40)
    assert len(picked) == 4
    assert max(picked) <= layer.numel()


@pytest.mark.parametrize("operator", ["index_select", "index_put_"])
def test_what_there_is_no_memory_to_copy_is_not_kept_and_no_block_is_lost(operator: str) -> None:
    import torch

    rows, prefixes = rows_and_prefixes(64, 64)
    first, second = [1] * 40, [1] * 20 + [2] * 40
    write(rows, 0, first)
    prefixes.keep(first, 0)
    write(rows, 0, second)
    with watching(Lacking(operator)), pytest.raises(torch.OutOfMemoryError):
        prefixes.keep(second, 0)
    assert [prefixes.best(ids)[1] for ids in (first, second)] == [40, 20]
    assert sorted(prefixes._here.free + prefixes._kept[0].blocks) == list(range(4))
    assert len(prefixes._away.free) == 4
    prefixes.keep(second, 0)
    prefixes.copy_in(prefixes.best(second)[0], 1, 60)
    assert holds(rows, 1, second)


def test_a_longer_one_takes_the_place_of_its_beginning() -> None:
    rows, prefixes = rows_and_prefixes(160)
    for length in (20, 40, 60):
        write(rows, 0, [5] * length)
        prefixes.keep([5] * length, 0)
    assert len(prefixes) == 1
    prefixes.keep([5] * 30, 0)
    assert len(prefixes) == 1


def test_a_hosts_memory_is_used_only_if_it_is_faster_than_computing() -> None:
    _, prefixes = rows_and_prefixes(160, 160)
    assert prefixes.spill_pays(computing=60.0, count=64)
    assert prefixes.spills
    assert not prefixes.spill_pays(computing=0.0, count=64)
    assert not prefixes.spills
    assert not rows_and_prefixes(160)[1].spill_pays(computing=60.0, count=64)


def test_what_is_dropped_is_gone_and_nothing_more_is_kept() -> None:
    rows, prefixes = rows_and_prefixes(160)
    write(rows, 0, [5] * 40)
    prefixes.keep([5] * 40, 0)
    assert prefixes.drop()
    assert prefixes.best([5] * 40) == (None, 0)
    prefixes.keep([5] * 40, 0)
    assert len(prefixes) == 0
    assert not prefixes.drop()
