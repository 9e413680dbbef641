"""The gate's promises one by one."""

from __future__ import annotations

import asyncio
import gc
import math
import random
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean

import pytest

from core.errors import QueueFull
from core.events import Queued
from core.gate.gate import TOLD_AT_ONCE, Gate, Ticket


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gate(clock: Clock) -> Gate:
    return Gate(1, waiting=100, waiting_per_person=50, clock=clock)


async def wait(ticket: Ticket, told: list[Queued] | None = None) -> None:
    """Until admitted; ``told`` gets what it was told meanwhile."""
    async for queued in ticket:
        if told is not None:
            told.append(queued)


async def steps() -> None:
    """The loop takes enough steps for whatever the gate has to say about a short line."""
    for _ in range(10):
        await asyncio.sleep(0)


def serve(gate: Gate, clock: Clock, ticket: Ticket, tokens: int, seconds: float = 0.0) -> None:
    """Runs ``ticket``, which must have been admitted."""
    assert ticket.admitted
    assert not ticket.left
    clock.now += seconds
    ticket.leave(tokens)


def order(gate: Gate, clock: Clock, waiting: list[Ticket], tokens: Callable[[Ticket], int]) -> list[str]:
    """The conversations of ``waiting`` in the order in which they are admitted if each answer takes ``tokens``."""
    waiting, begun = list(waiting), []
    while waiting:
        [ticket] = [ticket for ticket in waiting if ticket.admitted]
        waiting.remove(ticket)
        begun.append(ticket.conversation)
        serve(gate, clock, ticket, tokens(ticket))
    return begun


async def test_with_one_slot_it_is_a_lock(gate: Gate) -> None:
    inside: list[str] = []

    async def ask(conversation: str) -> None:
        ticket = gate.join(conversation, conversation, 10)
        try:
            await wait(ticket)
            inside.append(conversation)
            assert len(inside) == gate.running == 1
            await asyncio.sleep(0)
            inside.remove(conversation)
        finally:
            ticket.leave(10)

    await asyncio.gather(*(ask(f"{i}") for i in range(50)))
    assert gate.running == gate.waiting == 0


async def test_a_free_slot_is_given_at_once_and_nothing_is_told(gate: Gate) -> None:
    ticket = gate.join("a", "a", 10)
    told: list[Queued] = []
    assert ticket.admitted
    assert (ticket.ahead, ticket.seconds) == (0, 0.0)
    await wait(ticket, told)
    assert told == []


async def test_a_place_is_told_at_once_and_then_only_when_it_falls(gate: Gate) -> None:
    running = gate.join("a", "a", 10)
    second, third = gate.join("b", "b", 10), gate.join("c", "c", 10)
    told: list[Queued] = []
    waiting = asyncio.create_task(wait(third, told))
    await steps()
    assert told == [Queued(2)]
    late = gate.join("d", "d", 10)
    await steps()
    assert told == [Queued(2)]
    running.leave()
    await steps()
    assert told == [Queued(2), Queued(1)]
    late.leave()
    second.leave()
    await waiting
    assert told == [Queued(2), Queued(1)]


async def test_who_comes_later_and_goes_first_is_not_shown_as_a_step_back(gate: Gate, clock: Clock) -> None:
    serve(gate, clock, gate.join("much", "much-0", 100), 100)
    running = gate.join("other", "other", 10)
    told: list[Queued] = []
    patient = gate.join("much", "much-1", 10)
    waiting = asyncio.create_task(wait(patient, told))
    await steps()
    first, second = gate.join("little", "little", 10), gate.join("less", "less", 10)
    assert patient.ahead == 3
    running.leave(10)
    await steps()
    first.leave(10)
    await steps()
    second.leave(10)
    await waiting
    assert [queued.ahead for queued in told] == [1]


async def test_what_happens_in_one_step_of_the_loop_is_told_once(gate: Gate) -> None:
    tickets = [gate.join(f"{i}", f"{i}", 10) for i in range(6)]
    told: list[Queued] = []
    waiting = asyncio.create_task(wait(tickets[5], told))
    await steps()
    for ticket in tickets[1:4]:
        ticket.leave()
    await steps()
    assert [queued.ahead for queued in told] == [5, 2]
    tickets[0].leave()
    tickets[4].leave()
    await waiting


async def test_while_the_model_loads_it_says_so_and_the_place_is_by_the_line_alone() -> None:
    gate = Gate(0, waiting=10, waiting_per_person=10)
    first, second = gate.join("a", "a", 10), gate.join("b", "b", 10)
    told: list[Queued] = []
    waiting = asyncio.create_task(wait(second, told))
    await steps()
    assert told == [Queued(1, None, "loading")]
    assert first.ahead == 0
    gate.resize(1)
    await steps()
    assert first.admitted
    assert told == [Queued(1, None, "loading"), Queued(1)]
    first.leave()
    await waiting


async def test_a_pause_is_told_and_lets_what_runs_go_on(gate: Gate) -> None:
    running, ticket = gate.join("a", "a", 10), gate.join("b", "b", 10)
    told: list[Queued] = []
    waiting = asyncio.create_task(wait(ticket, told))
    await steps()
    gate.pause()
    await steps()
    assert gate.running == 1
    running.leave(10)
    await steps()
    assert not ticket.admitted
    gate.unpause()
    await waiting
    assert [(queued.ahead, queued.cause) for queued in told] == [(1, None), (1, "paused"), (0, "paused")]


def test_fewer_slots_than_running_turns_end_none_and_admit_none_until_they_have_ended() -> None:
    gate = Gate(3, waiting=10, waiting_per_person=10)
    running = [gate.join(f"{i}", f"{i}", 10) for i in range(3)]
    ticket = gate.join("x", "x", 10)
    gate.resize(1)
    assert gate.running == 3
    assert ticket.ahead == 1
    running[0].leave(10)
    running[1].leave(10)
    assert not ticket.admitted
    running[2].leave(10)
    assert ticket.admitted


def test_a_conversation_keeps_its_order_and_runs_one_turn_at_a_time() -> None:
    gate = Gate(2, waiting=10, waiting_per_person=10)
    first, second, third = (gate.join("a", "a", 10) for _ in range(3))
    assert (first.admitted, second.admitted, third.admitted) == (True, False, False)
    assert (second.ahead, third.ahead) == (1, 2)
    first.leave(10)
    assert (second.admitted, third.admitted) == (True, False)


def test_another_conversation_goes_on_while_one_is_blocked() -> None:
    gate = Gate(2, waiting=10, waiting_per_person=10)
    gate.join("a", "a-0", 10)
    blocked = gate.join("a", "a-0", 10)
    assert gate.join("a", "a-1", 10).admitted
    assert not blocked.admitted


def test_conversations_that_move_into_one_run_one_turn_at_a_time_in_the_order_of_coming() -> None:
    gate = Gate(3, waiting=10, waiting_per_person=10)
    running = [gate.join("ann", key, 10) for key in ("old:1", "new:1")]
    waiting = [gate.join("ann", key, 10) for key in ("new:1", "old:1", "new:1")]
    gate.move("old:", "new:")
    assert gate.running == 2
    for ticket in running:
        assert not any(ticket.admitted for ticket in waiting)
        ticket.leave(10)
    for ticket in waiting:
        assert [ticket.admitted for ticket in waiting].count(True) == waiting.index(ticket) + 1
        ticket.leave(10)
    assert (gate.waiting, gate.running) == (0, 0)


def test_next_is_who_has_least(gate: Gate, clock: Clock) -> None:
    serve(gate, clock, gate.join("much", "m", 1000), 300)
    serve(gate, clock, gate.join("little", "l", 1000), 200)
    running = gate.join("other", "o", 1000)
    waiting = [gate.join("much", "m", 1000), gate.join("little", "l", 1000), gate.join("none", "n", 1000)]
    running.leave(0)
    assert order(gate, clock, waiting, lambda ticket: 150) == ["n", "l", "m"]


def test_among_equals_first_come_is_first_served(gate: Gate, clock: Clock) -> None:
    running = gate.join("other", "o", 1000)
    waiting = [gate.join(user, user, 1000) for user in "badc"]
    running.leave(0)
    assert order(gate, clock, waiting, lambda ticket: 150) == ["b", "a", "d", "c"]


def test_many_conversations_of_one_person_share_that_persons_part(gate: Gate, clock: Clock) -> None:
    running = gate.join("other", "o", 1000)
    waiting = [gate.join("a", f"a{i}", 1000) for i in range(4)] + [gate.join("b", f"b{i}", 1000) for i in range(2)]
    running.leave(0)
    assert order(gate, clock, waiting, lambda ticket: 100) == ["a0", "b0", "a1", "b1", "a2", "a3"]


def test_a_running_turn_counts_with_its_max_tokens_until_it_ends(clock: Clock) -> None:
    gate = Gate(2, waiting=10, waiting_per_person=10, clock=clock)
    running = gate.join("a", "a0", 1000)
    other = gate.join("o", "o", 2000)
    late, later = gate.join("a", "a1", 1000), gate.join("b", "b", 1000)
    assert gate.accounts["a"] == 1000
    other.leave(0)
    assert (late.admitted, later.admitted) == (False, True)
    running.started(500)
    assert gate.accounts["a"] == 1500
    running.leave(520)
    assert late.admitted
    assert gate.accounts["a"] == 1520


def test_prompt_and_answer_count_and_nothing_computed_is_free(gate: Gate, clock: Clock) -> None:
    ticket = gate.join("a", "a", 1000)
    ticket.started(40)
    ticket.leave(60)
    assert gate.accounts["a"] == 60
    gate.join("b", "b", 1000).leave()
    assert gate.accounts["b"] == 0


def test_accounts_halve_every_ten_minutes_and_then_are_forgotten(gate: Gate, clock: Clock) -> None:
    serve(gate, clock, gate.join("a", "a", 1000), 1000)
    clock.now += 600
    assert gate.accounts["a"] == pytest.approx(500)
    clock.now += 300
    assert gate.accounts["a"] == pytest.approx(500 / 2**0.5)
    serve(gate, clock, gate.join("b", "b", 1000), 400)
    running = gate.join("o", "o", 1000)
    waiting = [gate.join("b", "b", 1000), gate.join("a", "a", 1000)]
    running.leave(0)
    assert order(gate, clock, waiting, lambda ticket: 100) == ["a", "b"]


def test_memory_does_not_grow_with_the_people_who_ever_came(gate: Gate, clock: Clock) -> None:
    for i in range(5000):
        serve(gate, clock, gate.join(f"{i}", f"{i}", 1000), 1000, seconds=60)
    assert len(gate.accounts) < 500


def test_who_had_nothing_is_not_remembered(gate: Gate) -> None:
    gate.join("a", "a", 1000).leave()
    assert len(gate.accounts) == 0


def test_what_nobody_else_wanted_takes_nobodys_part(gate: Gate, clock: Clock) -> None:
    """Five short answers in an idle hour are more than one long one, whoever came when."""
    for _ in range(5):
        serve(gate, clock, gate.join("a", "a", 1000), 200)
    serve(gate, clock, gate.join("b", "b", 1000), 500)
    assert gate.accounts["a"] == pytest.approx(1000)
    assert gate.accounts["b"] == pytest.approx(500)
    running = gate.join("o", "o", 1000)
    waiting = [gate.join("a", "a", 1000), gate.join("b", "b", 1000)]
    running.leave(0)
    assert order(gate, clock, waiting, lambda ticket: 100) == ["b", "a"]


def test_ones_own_questions_are_nobody_else(gate: Gate, clock: Clock) -> None:
    for _ in range(5):
        serve(gate, clock, gate.join("a", "a", 1000), 200)
    waiting = [gate.join("b", f"b{i}", 1000) for i in range(4)]
    assert order(gate, clock, waiting, lambda ticket: 100) == ["b0", "b1", "b2", "b3"]
    assert gate.accounts["b"] == pytest.approx(400)


def test_who_comes_back_from_an_absence_is_not_owed_what_others_had_meanwhile(gate: Gate, clock: Clock) -> None:
    for _ in range(20):
        serve(gate, clock, gate.join("regular", "r", 1000), 1000)
    running = gate.join("regular", "r", 1000)
    waiting = [gate.join("regular", "r", 1000) for _ in range(3)] + [gate.join("new", f"n{i}", 1000) for i in range(4)]
    running.leave(1000)
    assert order(gate, clock, waiting, lambda ticket: 1000) == ["n0", "r", "n1", "r", "n2", "r", "n3"]


def test_what_was_missed_while_waiting_is_kept(clock: Clock) -> None:
    """Who waits for the turn before it, while others go on, does not lose that as if it had been away."""
    gate = Gate(2, waiting=100, waiting_per_person=100, clock=clock)
    before = gate.join("a", "a", 1000)
    gate.join("a", "a", 1000)
    others = [gate.join("b", "b", 1000) for _ in range(4)]
    for turn in others[:3]:
        serve(gate, clock, turn, 1000)
    newcomer, mine = gate.join("c", "c", 1000), gate.join("a", "a-too", 1000)
    before.leave(10)
    assert gate.accounts["a"] == pytest.approx(1010)
    serve(gate, clock, others[3], 1000)
    assert (newcomer.admitted, mine.admitted) == (False, True)


def test_what_was_not_asked_for_is_not_kept(clock: Clock) -> None:
    """As above, but nothing waits while the others go on: who then asks more is level with them."""
    gate = Gate(2, waiting=100, waiting_per_person=100, clock=clock)
    before = gate.join("a", "a", 1000)
    others = [gate.join("b", "b", 1000) for _ in range(5)]
    for turn in others[:3]:
        serve(gate, clock, turn, 1000)
    gate.join("a", "a", 1000)
    before.leave(10)
    assert gate.accounts["a"] == gate.accounts["b"] == pytest.approx(4000)


def test_the_line_is_bounded_in_all_and_per_person() -> None:
    gate = Gate(1, waiting=3, waiting_per_person=2)
    running = gate.join("a", "a", 10)
    gate.join("a", "a", 10)
    gate.join("a", "a", 10)
    with pytest.raises(QueueFull) as full:
        gate.join("a", "a", 10)
    assert full.value.cause == "queue_full_person"
    gate.join("b", "b", 10)
    with pytest.raises(QueueFull) as full:
        gate.join("b", "b", 10)
    assert full.value.cause == "queue_full"
    assert (gate.waiting, gate.running) == (3, 1)
    gate.join("b", "b", 10, extra=1)
    gate.join("a", "a", 10, past_bounds=True)
    assert gate.waiting == 5
    running.leave(10)
    with pytest.raises(QueueFull):
        gate.join("c", "c", 10)


def test_a_line_without_room_still_admits_to_a_free_slot() -> None:
    gate = Gate(1, waiting=0, waiting_per_person=0)
    ticket = gate.join("a", "a", 10)
    with pytest.raises(QueueFull):
        gate.join("b", "b", 10)
    ticket.leave()
    assert gate.join("b", "b", 10).admitted


def test_a_refused_join_leaves_no_trace() -> None:
    gate = Gate(0, waiting=0, waiting_per_person=0)
    with pytest.raises(QueueFull):
        gate.join("a", "a", 10)
    assert len(gate.accounts) == gate.waiting == 0


async def test_an_edited_question_takes_over_the_place_even_when_the_line_is_full() -> None:
    gate = Gate(1, waiting=3, waiting_per_person=2)
    running = gate.join("x", "x", 10)
    old, after, other = gate.join("a", "a", 10), gate.join("a", "a", 10), gate.join("b", "b", 10)
    waiting = asyncio.create_task(wait(old))
    await steps()
    new = gate.join("a", "a", 10, instead_of=old)
    assert (new.ahead, other.ahead, after.ahead) == (1, 2, 3)
    with pytest.raises(asyncio.CancelledError):
        await waiting
    old.leave(10)
    assert gate.waiting == 3
    running.leave(0)
    assert new.admitted
    assert not after.admitted


def test_an_edited_question_that_no_longer_waits_has_no_place_to_take_over(gate: Gate) -> None:
    old = gate.join("a", "a", 10)
    new = gate.join("a", "a", 10, instead_of=old)
    assert (old.left, new.admitted) == (False, False)
    old.leave(10)
    assert new.admitted
    new.leave(10)
    assert gate.join("a", "a", 10, instead_of=new).admitted


def test_nobody_takes_over_the_place_of_somebody_else(gate: Gate) -> None:
    gate.join("x", "x", 10)
    theirs = gate.join("a", "a", 10)
    for user, conversation in (("b", "a"), ("a", "b")):
        assert gate.join(user, conversation, 10, instead_of=theirs).ahead > theirs.ahead
    assert not theirs.left


def test_leaving_is_idempotent_at_every_point(gate: Gate) -> None:
    running, waiting = gate.join("a", "a", 10), gate.join("b", "b", 10)
    for _ in range(3):
        waiting.leave(5)
    assert gate.waiting == 0
    for tokens in (7, None, 100):
        running.leave(tokens)
    running.started(1000)
    assert gate.accounts["a"] == pytest.approx(7)
    assert gate.accounts["b"] == 0
    assert gate.running == 0


async def test_a_ticket_that_was_left_raises_like_a_future_that_was_cancelled(gate: Gate) -> None:
    gate.join("x", "x", 10)
    ticket = gate.join("a", "a", 10)
    waiting = asyncio.create_task(wait(ticket))
    await steps()
    ticket.leave()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(asyncio.CancelledError):
        await wait(ticket)


async def test_a_ticket_may_be_left_before_anybody_iterates_it(gate: Gate) -> None:
    ticket = gate.join("a", "a", 10)
    ticket.leave()
    assert gate.running == 0
    with pytest.raises(asyncio.CancelledError):
        await wait(ticket)


@pytest.mark.parametrize("step", range(8))
async def test_a_task_cancelled_at_any_step_leaves_no_trace(gate: Gate, step: int) -> None:
    """Also between its admission and its own next step: the ticket is admitted in step 3, the task notices later."""
    running = gate.join("x", "x", 10)
    ticket = gate.join("a", "a", 10)

    async def ask() -> None:
        await wait(ticket)
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    task = asyncio.create_task(ask())
    task.add_done_callback(lambda _: ticket.leave())  # a task that never began has no ``finally``
    for i in range(8):
        if i == 3:
            running.leave(10)
        if i == step:
            task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([task])
    await steps()
    assert gate.running == gate.waiting == 0
    assert gate.accounts["a"] == 0
    assert gate.join("b", "b", 10).admitted


async def test_it_may_be_iterated_again_and_by_several(gate: Gate) -> None:
    running, ticket = gate.join("x", "x", 10), gate.join("a", "a", 10)
    async for queued in ticket:
        assert queued == Queued(1)
        break
    one, two = asyncio.create_task(wait(ticket)), asyncio.create_task(wait(ticket))
    await steps()
    one.cancel()
    await steps()
    assert (one.cancelled(), two.done()) == (True, False)
    running.leave(10)
    await two
    await wait(ticket)
    assert ticket.admitted


async def test_a_ticket_that_is_gone_is_not_kept_in_memory(gate: Gate) -> None:
    gate.join("x", "x", 10)
    ticket = gate.join("a", "a", 10)
    waiting = asyncio.create_task(wait(ticket))
    await steps()
    waiting.cancel()
    ticket.leave()
    await steps()
    gone = weakref.ref(ticket)
    del ticket, waiting
    gc.collect()
    assert gone() is None


async def test_a_long_line_is_told_a_few_at_a_time() -> None:
    gate = Gate(1, waiting=1000, waiting_per_person=1000)
    running = gate.join("x", "x", 10)
    tickets = [gate.join(f"{i}", f"{i}", 10) for i in range(300)]
    heard: list[int] = []

    async def listen(ticket: Ticket) -> None:
        async for queued in ticket:
            heard.append(queued.ahead)

    tasks = [asyncio.create_task(listen(ticket)) for ticket in tickets]
    await steps()
    assert sorted(heard) == list(range(1, 301))
    running.leave(10)
    sizes: list[int] = []
    while not sizes or gate._telling:
        heard.clear()
        await asyncio.sleep(0)
        sizes.append(len(heard))
    assert sum(sizes) == 299
    assert max(sizes) == TOLD_AT_ONCE
    for task in tasks:
        task.cancel()


def measured(gate: Gate, clock: Clock, *seconds: float, tokens: int = 100) -> None:
    """Turns of these lengths have run."""
    for i, length in enumerate(seconds):
        serve(gate, clock, gate.join(f"before-{i}", f"before-{i}", tokens), tokens, length)


def test_without_a_measurement_no_time_is_told(gate: Gate) -> None:
    gate.join("x", "x", 10)
    assert gate.join("a", "a", 10).seconds is None


def test_the_time_is_the_median_of_recent_turns_for_each_that_goes_first(gate: Gate, clock: Clock) -> None:
    measured(gate, clock, 4, 90, 6)
    gate.join("x", "x", 100)
    tickets = [gate.join(user, user, 100) for user in "abc"]
    assert [ticket.seconds for ticket in tickets] == [6, 12, 18]


def test_what_has_already_run_is_not_waited_for_again(gate: Gate, clock: Clock) -> None:
    measured(gate, clock, 6, 6, 6)
    gate.join("x", "x", 100)
    clock.now += 4
    assert gate.join("a", "a", 100).seconds == 2


def test_a_turn_that_runs_longer_than_usual_is_measured_by_the_long_ones(gate: Gate, clock: Clock) -> None:
    measured(gate, clock, 6, 6, 20)
    gate.join("x", "x", 100)
    ticket = gate.join("a", "a", 100)
    clock.now += 10
    assert ticket.seconds == 10
    clock.now += 15
    assert ticket.seconds == 3  # longer than any: half of the usual


def test_slots_share_the_wait(clock: Clock) -> None:
    gate = Gate(2, waiting=10, waiting_per_person=10, clock=clock)
    measured(gate, clock, 6, 6, 6)
    gate.join("x", "x", 100)
    clock.now += 2
    gate.join("y", "y", 100)
    assert [gate.join(user, user, 100).seconds for user in "abcd"] == [4, 6, 10, 12]


def test_the_wait_for_ones_own_conversation_is_told_too(clock: Clock) -> None:
    gate = Gate(2, waiting=10, waiting_per_person=10, clock=clock)
    measured(gate, clock, 6, 6, 6)
    gate.join("a", "a", 100)
    assert gate.join("a", "a", 100).seconds == 6


def test_only_turns_that_computed_something_are_measured(gate: Gate, clock: Clock) -> None:
    measured(gate, clock, 6, 6, 6)
    for i in range(50):
        gate.join(f"{i}", f"{i}", 100).leave()
    gate.join("x", "x", 100)
    assert gate.join("a", "a", 100).seconds == 6


def test_while_nothing_moves_no_time_is_told(gate: Gate, clock: Clock) -> None:
    measured(gate, clock, 6, 6, 6)
    gate.pause()
    ticket = gate.join("a", "a", 100)
    assert ticket.seconds is None
    gate.resize(0)
    assert ticket.seconds is None


@pytest.mark.parametrize("slots", [1, 2, 3])
@pytest.mark.parametrize("seed", range(10))
def test_when_all_answers_are_alike_places_and_times_come_true_to_the_second(slots: int, seed: int) -> None:
    chance, clock = random.Random(seed), Clock()
    gate = Gate(slots, waiting=100, waiting_per_person=100, clock=clock)
    measured(gate, clock, *[8.0] * 5)
    running: list[tuple[float, Ticket]] = []
    waiting: list[Ticket] = []
    for _ in range(30):
        clock.now += chance.choice([0, 0, 0, 0, 1])
        finish(clock, running, waiting, until=clock.now)
        user = chance.choice("abcde")
        waiting.append(gate.join(user, f"{user}{chance.randrange(3)}", 1000))
        start(clock, running, waiting)
    now, told = clock.now, {ticket: (ticket.ahead, ticket.seconds) for ticket in waiting}
    begun = finish(clock, running, waiting, until=math.inf)
    assert [told[ticket] for ticket in begun] == [
        (place, (ticket.admitted_at or 0) - now) for place, ticket in enumerate(begun, start=1)
    ]


def start(clock: Clock, running: list[tuple[float, Ticket]], waiting: list[Ticket]) -> list[Ticket]:
    begun = [ticket for ticket in waiting if ticket.admitted]
    for ticket in begun:
        waiting.remove(ticket)
        running.append((clock.now + 8, ticket))
    return begun


def finish(clock: Clock, running: list[tuple[float, Ticket]], waiting: list[Ticket], *, until: float) -> list[Ticket]:
    """Ends what runs, each after 8 seconds with 100 tokens; gives those that were admitted, in order."""
    begun: list[Ticket] = []
    while running and min(running, key=lambda end: end[0])[0] <= until:
        end = min(running, key=lambda end: end[0])
        running.remove(end)
        clock.now = max(clock.now, end[0])
        end[1].leave(100)
        begun += start(clock, running, waiting)
    return begun


@pytest.mark.parametrize("slots", [1, 2, 4])
def test_with_answers_of_every_length_the_times_told_are_about_right(slots: int) -> None:
    """Told when they come, against what a simulated evening then brings."""
    chance, clock = random.Random(slots), Clock()
    gate = Gate(slots, waiting=1000, waiting_per_person=1000, clock=clock)

    def length() -> float:
        """Seconds of an answer, 9 on average, from 2 to 20."""
        return chance.gammavariate(3, 3)

    running: list[tuple[float, Ticket]] = []
    waiting: list[Ticket] = []
    told: dict[Ticket, tuple[float, float]] = {}
    next_comes = 0.0
    for i in range(600):
        next_comes += chance.expovariate(slots / 9.5)
        while running and (first := min(running, key=lambda end: end[0]))[0] <= next_comes:
            running.remove(first)
            clock.now = first[0]
            first[1].leave(100)
            running += [(clock.now + length(), ticket) for ticket in waiting if ticket.admitted]
            waiting = [ticket for ticket in waiting if not ticket.admitted]
        clock.now = next_comes
        ticket = gate.join(f"{i}", f"{i}", 200)
        if ticket.admitted:
            running.append((clock.now + length(), ticket))
        else:
            waiting.append(ticket)
            if ticket.seconds is not None:
                told[ticket] = clock.now, ticket.seconds
    waits = [
        (seconds, ticket.admitted_at - asked)
        for ticket, (asked, seconds) in told.items()
        if ticket.admitted_at is not None and ticket.admitted_at - asked > 5
    ]
    assert len(waits) > 100
    assert 0.7 < mean(seconds for seconds, _ in waits) / mean(wait for _, wait in waits) < 1.1
    assert mean(abs(seconds - wait) for seconds, wait in waits) < 0.35 * mean(wait for _, wait in waits)


def test_more_people_never_make_a_place_better() -> None:
    gate = Gate(1, waiting=100, waiting_per_person=100)
    gate.join("x", "x", 10)
    first = gate.join("a", "a", 10)
    places = []
    for i in range(10):
        gate.join(f"{i}", f"{i}", 10)
        places.append(first.ahead)
    assert all(before <= after for before, after in pairwise(places))
