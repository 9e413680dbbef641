"""Who steps next: a chunk shared out, rows cut into runs, what two prompts have in common, what may come next."""

from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from core.local.lookup import LONGEST, Lookup
from core.local.schedule import common, lanes, shares


@given(st.lists(st.integers(0, 300), max_size=12), st.integers(1, 256))
def test_a_chunk_is_used_up_and_nobody_gets_more_than_they_need(unread: list[int], chunk: int) -> None:
    given_ = shares(unread, chunk)
    assert all(0 <= got <= need for got, need in zip(given_, unread, strict=True))
    assert sum(given_) == min(chunk, sum(unread))


def test_whoever_was_there_first_gets_half_and_then_the_shortest_come_first() -> None:
    assert shares([4000, 300, 20, 30], 256) == [128, 78, 20, 30]
    assert shares([0, 4000, 10], 256) == [0, 246, 10]
    assert shares([50, 0, 0], 256) == [50, 0, 0]
    assert shares([0, 0], 256) == [0, 0]


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=7, unique=True),
    st.lists(st.integers(1, 50), min_size=7, max_size=7),
)
def test_the_cut_into_runs_is_the_cheapest(rows: list[int], lengths: list[int]) -> None:
    asked = list(zip(sorted(rows), lengths, strict=False))
    call = 30

    def cost(cuts: tuple[int, ...]) -> int | None:
        total, edges = 0, [0, *cuts, len(asked)]
        for first, end in pairwise(edges):
            run = asked[first:end]
            if run[-1][0] - run[0][0] != len(run) - 1:
                return None
            total += call + max(length for _, length in run) * len(run)
        return total

    best = min(
        c for n in range(len(asked)) for cuts in combinations(range(1, len(asked)), n) if (c := cost(cuts)) is not None
    )
    found = lanes(asked, call)
    assert [first for first, _, _ in found] == [sum(count for _, count, _ in found[:i]) for i in range(len(found))]
    assert sum(count for _, count, _ in found) == len(asked)
    assert sum(call + count * length for _, count, length in found) == best


@given(st.lists(st.integers(0, 2), max_size=40), st.lists(st.integers(0, 2), max_size=40))
def test_what_two_have_in_common_is_counted_to_the_first_difference(one: list[int], other: list[int]) -> None:
    expected = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        expected += 1
    assert common(one, other) == expected


def test_what_followed_the_last_words_before_is_guessed_to_follow_again() -> None:
    text = list(range(10, 30))
    lookup = Lookup()
    assert lookup.draft(text, 10) == []
    assert lookup.draft([*text, 50, 12, 13, 14], 5) == [15, 16, 17, 18, 19]
    assert lookup.draft([*text, 50, 12, 13, 14], 1) == [], "too short to be worth it"


def test_the_last_place_counts_and_the_end_does_not_find_itself() -> None:
    lookup = Lookup()
    assert lookup.draft([1, 2, 3, 4, 5, 1, 2, 3, 8, 9, 1, 2, 3], 2) == [8, 9]
    assert Lookup().draft([7, 7, 7, 1, 2, 3], 4) == []


def test_guesses_grow_while_they_are_right_and_get_rare_while_they_are_wrong() -> None:
    text = [*range(100), *range(50)]
    lookup = Lookup()
    first = lookup.draft(text, 50)
    lookup.judge(len(first), len(first))
    second = lookup.draft([*text, *first], 50)
    assert len(first) < len(second) <= LONGEST
    for _ in range(3):
        lookup.judge(LONGEST, 0)
    tried = sum(bool(lookup.draft([*range(100), *range(40 + i)], 50)) for i in range(8))
    assert tried == 0
