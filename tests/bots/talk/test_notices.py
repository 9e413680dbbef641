"""A refusal is told once per cause and person."""

from __future__ import annotations

from bots.talk.notices import KEPT, Notices
from tests.support.whole_core import Clock


def test_the_same_cause_is_told_once_per_person_until_its_time_is_over() -> None:
    clock = Clock(0.0)
    notices = Notices(clock)
    assert notices.due("ann", "too_fast", 30)
    assert not notices.due("ann", "too_fast", 30)
    assert notices.due("ann", "queue_full")
    assert notices.due("bob", "too_fast", 30)
    clock.now = 30
    assert notices.due("ann", "too_fast", 30)


def test_after_something_was_accepted_the_next_refusal_is_news() -> None:
    notices = Notices(Clock(0.0))
    assert notices.due("ann", "queue_full")
    assert notices.due("bob", "queue_full")
    notices.over("ann")
    assert notices.due("ann", "queue_full")
    assert not notices.due("bob", "queue_full")


def test_it_does_not_remember_more_than_so_many() -> None:
    notices = Notices(Clock(0.0))
    for number in range(KEPT + 1):
        assert notices.due(f"p{number}", "cause")
    assert notices.due("p0", "cause")
    assert not notices.due(f"p{KEPT}", "cause")
