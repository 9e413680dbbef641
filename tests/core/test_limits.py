"""What one person may ask, against a plain count over every window."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from core.errors import BudgetSpent, Empty, TooFast, TooLong, Wait
from core.limits import DAY, MINUTE, Limits, Spend

NOW = 1_790_000_000.25

times = (
    st.floats(-100, 2 * DAY)
    | st.floats(-2 * MINUTE, 2 * MINUTE)
    | st.sampled_from([0.0, MINUTE, DAY, 1e-6, MINUTE - 1e-6])
)
histories = st.lists(st.builds(Spend, times.map(lambda ago: NOW - ago), st.integers(0, 400)), max_size=25)
limits = st.builds(
    Limits,
    messages_per_minute=st.integers(0, 6),
    tokens_per_day=st.just(0) | st.integers(1, 1500),
    characters=st.just(0),
)


def accepted(limits: Limits, spends: list[Spend], at: float, cost: int) -> bool:
    try:
        limits.check(spends, at, cost)
    except Wait:
        return False
    return True


def every_window_holds(limits: Limits, spends: list[Spend]) -> bool:
    """No minute has more messages, no day more tokens, whenever it begins; but one answer dearer than a whole day's
    budget may stand alone among turns that cost nothing."""
    for first in spends:
        minute = [spend for spend in spends if first.asked <= spend.asked < first.asked + MINUTE]
        day = [spend.cost for spend in spends if first.asked <= spend.asked < first.asked + DAY and spend.cost]
        if limits.messages_per_minute and len(minute) > limits.messages_per_minute:
            return False
        if limits.tokens_per_day and len(day) > 1 and sum(day) > limits.tokens_per_day:
            return False
    return True


@given(limits, histories, st.integers(1, 400), st.floats(0, 0.999))
@example(Limits(1, 0, 0), [Spend(NOW - 59.999999, 0)], 1, 0.875)
@example(Limits(1, 100, 0), [Spend(NOW - DAY + 100, 100), Spend(NOW + 70, 0)], 1, 0.9)
def test_after_exactly_the_told_seconds_it_is_accepted_and_not_one_bit_earlier(
    limits: Limits, spends: list[Spend], cost: int, share: float
) -> None:
    assume(not accepted(limits, spends, NOW, cost))
    with pytest.raises(Wait) as refused:
        limits.check(spends, NOW, cost)
    then = NOW + refused.value.seconds
    just_before = math.nextafter(then, 0)
    assert then > NOW
    assert refused.value.seconds == then - NOW, "the told seconds are the time between, without rounding"
    assert accepted(limits, spends, then, cost)
    assert not accepted(limits, spends, just_before, cost)
    # Of a time of a few bits a share just below the whole rounds up to the whole.
    assert not accepted(limits, spends, min(NOW + share * refused.value.seconds, just_before), cost)


@given(limits, st.lists(st.tuples(st.floats(0, 3 * DAY) | st.floats(0, 300), st.integers(0, 400)), max_size=40))
@example(Limits(messages_per_minute=0, tokens_per_day=1, characters=0), [(0.0, 0), (0.0, 2), (0.0, 0), (1.0, 1)])
def test_whatever_comes_in_whatever_order_no_window_ever_holds_too_much(
    limits: Limits, wanted: list[tuple[float, int]]
) -> None:
    spends: list[Spend] = []
    for asked, cost in wanted:
        if accepted(limits, spends, asked, cost):
            spends.append(Spend(asked, cost))
    assert every_window_holds(limits, spends)


@given(limits, histories, st.integers(1, 400), st.randoms())
def test_the_order_in_which_the_turns_are_given_is_nothing(
    limits: Limits, spends: list[Spend], cost: int, chance: random.Random
) -> None:
    shuffled = list(spends)
    chance.shuffle(shuffled)
    assert accepted(limits, spends, NOW, cost) == accepted(limits, shuffled, NOW, cost)
    assert limits.left(spends, NOW) == limits.left(shuffled, NOW)


@given(limits, histories, st.integers(0, 400))
def test_what_is_left_is_what_is_accepted(limits: Limits, spends: list[Spend], cost: int) -> None:
    messages, tokens = limits.left(spends, NOW)
    assert (messages is None) == (limits.messages_per_minute == 0)
    assert (tokens is None) == (limits.tokens_per_day == 0)
    assume(tokens is None or cost <= limits.tokens_per_day)
    fits = (messages is None or messages >= 1) and (tokens is None or tokens >= cost)
    if tokens == 0 and cost == 0:
        return  # what is overspent already is not told apart from what is just spent
    assert accepted(limits, spends, NOW, cost) == fits


def test_zero_is_no_limit() -> None:
    limits = Limits(0, 0, 0)
    spends = [Spend(NOW, 10**9)] * 1000
    limits.check(spends, NOW, 10**9)
    limits.check_length("x" * 10**6)
    assert limits.left(spends, NOW) == (None, None)


def test_the_minute_slides_with_the_events_own_times() -> None:
    limits = Limits(2, 0, 0)
    spends = [Spend(NOW - 50, 1), Spend(NOW - 10, 1)]
    with pytest.raises(TooFast) as refused:
        limits.check(spends, NOW, 1)
    assert refused.value.seconds == 10
    assert refused.value.details == {"seconds": 10}
    limits.check(spends, NOW + 10, 1)


def test_a_message_of_an_hour_ago_that_arrives_now_counts_where_it_belongs() -> None:
    """After an outage the platform delivers what was written in it."""
    limits = Limits(1, 0, 0)
    now = [Spend(NOW, 1)]
    limits.check(now, NOW - 3600, 1)
    with pytest.raises(TooFast):
        limits.check(now, NOW - 59, 1)


def test_the_days_tokens_come_back_a_day_after_they_were_spent() -> None:
    limits = Limits(0, 100, 0)
    spends = [Spend(NOW - DAY + 60, 30), Spend(NOW - 100, 60)]
    limits.check(spends, NOW, 10)
    with pytest.raises(BudgetSpent) as refused:
        limits.check(spends, NOW, 20)
    assert refused.value.seconds == 60
    assert limits.left(spends, NOW) == (None, 10)


def test_of_two_reasons_the_one_that_lasts_longer_is_told() -> None:
    limits = Limits(1, 100, 0)
    with pytest.raises(BudgetSpent) as refused:
        limits.check([Spend(NOW - 30, 100)], NOW, 10)
    assert refused.value.seconds == DAY - 30
    with pytest.raises(TooFast) as fast:
        limits.check([Spend(NOW - DAY + 10, 95), Spend(NOW - 30, 1)], NOW, 10)
    assert fast.value.seconds == 30


def test_an_answer_dearer_than_the_whole_day_is_accepted_once_nothing_is_spent() -> None:
    limits = Limits(0, 100, 0)
    limits.check([], NOW, 500)
    limits.check([Spend(NOW - DAY, 500)], NOW, 500)
    with pytest.raises(BudgetSpent):
        limits.check([Spend(NOW - DAY + 1, 1)], NOW, 500)


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\u3000"])
def test_nothing_but_white_space_is_no_question(text: str) -> None:
    with pytest.raises(Empty):
        Limits(0, 0, 5).check_length(text)


def test_the_length_is_counted_in_characters_of_any_script() -> None:
    limits = Limits(0, 0, 5)
    for text in ("12345", "안녕하세요", "你好世界吗", "👍👍👍👍👍"):
        limits.check_length(text)
        with pytest.raises(TooLong) as refused:
            limits.check_length(text + "!")
        assert refused.value.details == {"limit": 5}


def test_of_several_named_limits_the_widest_of_each_holds_and_characters_are_everybodys() -> None:
    slow, rich = Limits(1, 900, 0), Limits(50, 10, 0)
    limits = Limits(5, 100, 8, named={"a": slow, "b": rich, "c": Limits(0, 5, 0)})
    assert limits.of(["x"]) is limits
    assert (limits.of(["a"]).messages_per_minute, limits.of(["a"]).tokens_per_day) == (1, 900)
    both = limits.of(["x", "a", "b"])
    assert (both.messages_per_minute, both.tokens_per_day, both.characters) == (50, 900, 8)
    assert limits.of(["a", "c"]).messages_per_minute == 0
