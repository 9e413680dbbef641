"""One person floods, nine are polite: what the nine still get. The real gate in a simulated world."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import combinations, count
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gate import Gate

FULL = 1000
"""Tokens of the flooder's answers: every one of them ``max_tokens``."""
POLITE = FULL // 10
SECONDS_PER_TOKEN = 1 / 40
NINE = [f"polite-{i}" for i in range(9)]
FLOODER = "flooder"
HOUR = 3600.0


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class Place(Protocol):
    @property
    def admitted(self) -> bool: ...

    def leave(self, tokens: int | None = None) -> None: ...


class Line(Protocol):
    def join(self, user: str, conversation: str, tokens: int) -> Place: ...


Make = Callable[[int, Clock], Line]


def conch(slots: int, clock: Clock) -> Line:
    """The real gate."""
    return Gate(slots, waiting=1000, waiting_per_person=1000, clock=clock)


@dataclass(eq=False)
class Rival:
    """A gate for comparison: slots, one turn of a conversation at a time, and next whoever ``account`` says."""

    slots: int
    clock: Clock
    line: list[RivalTicket] = field(default_factory=list)
    running: list[RivalTicket] = field(default_factory=list)

    def join(self, user: str, conversation: str, tokens: int) -> RivalTicket:
        self.line.append(ticket := RivalTicket(self, user, conversation, tokens))
        self.fill()
        return ticket

    def fill(self) -> None:
        while len(self.running) < self.slots:
            busy = {ticket.conversation for ticket in self.running}
            free = [ticket for ticket in self.line if ticket.conversation not in busy]
            if not free:
                return
            ticket = min(free, key=lambda ticket: self.account(ticket.user))
            self.line.remove(ticket)
            self.running.append(ticket)
            self.charge(ticket.user, ticket.tokens)
            ticket.admitted = True

    def account(self, user: str) -> float:
        raise NotImplementedError

    def charge(self, user: str, tokens: int) -> None:
        raise NotImplementedError


@dataclass(eq=False)
class RivalTicket:
    gate: Rival
    user: str
    conversation: str
    tokens: int
    admitted: bool = False

    def leave(self, tokens: int | None = None) -> None:
        self.gate.running.remove(self)
        self.gate.charge(self.user, (tokens or 0) - self.tokens)
        self.gate.fill()


class Fifo(Rival):
    """First come, first served."""

    def account(self, user: str) -> float:
        return 0.0

    def charge(self, user: str, tokens: int) -> None:
        pass


class Halving(Rival):
    """Least account first, where every account halves every ten minutes, whoever waits: the obvious rule."""

    def __init__(self, slots: int, clock: Clock) -> None:
        super().__init__(slots, clock)
        self.accounts: dict[str, tuple[float, float]] = {}

    def account(self, user: str) -> float:
        account, since = self.accounts.get(user, (0.0, 0.0))
        return account * 0.5 ** ((self.clock() - since) / 600)

    def charge(self, user: str, tokens: int) -> None:
        self.accounts[user] = self.account(user) + tokens, self.clock()


@dataclass(frozen=True)
class Habit:
    """How one conversation is led: begun at ``begin``; an answer takes ``answer()`` tokens, then follow ``think()``
    seconds of thinking."""

    user: str
    conversation: str
    answer: Callable[[], int]
    think: Callable[[], float]
    begin: float = 0.0


@dataclass(frozen=True)
class Turn:
    """``admitted`` and ``ended`` are infinite if that has not come."""

    user: str
    asked: float
    tokens: int = 0
    admitted: float = math.inf
    ended: float = math.inf


def live(make: Make, slots: int, habits: Iterable[Habit], until: float) -> list[Turn]:
    """Every turn asked in ``until`` seconds; the time is simulated, a token takes the same time in each slot."""
    clock = Clock()
    line = make(slots, clock)
    order = count()
    events: list[tuple[float, int, Callable[[], None]]] = []
    waiting: dict[Place, tuple[Habit, float]] = {}
    running: dict[Place, Turn] = {}
    turns: list[Turn] = []

    def at(when: float, what: Callable[[], None]) -> None:
        heapq.heappush(events, (when, next(order), what))

    def ask(habit: Habit) -> None:
        waiting[line.join(habit.user, habit.conversation, FULL)] = habit, clock.now

    def begin(place: Place) -> None:
        habit, asked = waiting.pop(place)
        tokens = habit.answer()
        end = clock.now + tokens * SECONDS_PER_TOKEN
        running[place] = Turn(habit.user, asked, tokens, clock.now, end)
        at(end, lambda: finish(place, habit))

    def finish(place: Place, habit: Habit) -> None:
        turns.append(turn := running.pop(place))
        place.leave(turn.tokens)
        at(clock.now + habit.think(), lambda: ask(habit))

    for habit in habits:
        at(habit.begin, lambda habit=habit: ask(habit))  # type: ignore[misc]
    while events[0][0] <= until:
        clock.now, _, what = heapq.heappop(events)
        what()
        for place in [place for place in waiting if place.admitted]:
            begin(place)
    return turns + list(running.values()) + [Turn(habit.user, asked) for habit, asked in waiting.values()]


def nine(think: float, seed: int) -> list[Habit]:
    """Nine people with one conversation each, who think for about ``think`` of their answers."""
    chance = random.Random(seed)
    mean = think * POLITE * SECONDS_PER_TOKEN
    return [
        Habit(user, user, lambda: POLITE, lambda: chance.uniform(0.5, 1.5) * mean, chance.uniform(0, mean))
        for user in NINE
    ]


def flood(begin: float = 0.0) -> list[Habit]:
    """One person with twenty conversations who asks again at once."""
    return [Habit(FLOODER, f"flood-{i}", lambda: FULL, lambda: 0.0, begin) for i in range(20)]


def wait95(turns: list[Turn], until: float, since: float = 0.0) -> float:
    """The nine's 95th percentile wait; who still waits has waited until now."""
    waits = sorted(
        min(turn.admitted, until) - turn.asked for turn in turns if turn.user in NINE and turn.asked >= since
    )
    return waits[math.ceil(0.95 * len(waits)) - 1]


def over_a_tenth(turns: list[Turn]) -> float:
    """The tokens that the flooder got above a tenth of everybody's, counting answers that began in one stretch of time
    in which each of the nine had a question in line or an answer running; of all such stretches the worst."""
    moments: list[tuple[float, int, int, float]] = []  # when, what comes first, change of who is there, excess
    for turn in turns:
        if turn.user in NINE:
            moments += [(turn.asked, 0, 1, 0), (turn.ended, 2, -1, 0)]
        moments.append((turn.admitted, 1, 0, turn.tokens * (turn.user == FLOODER) - turn.tokens / 10))
    there, excess, least, most = 0, 0.0, 0.0, 0.0
    for _, _, come, more in sorted(moments):
        there += come
        if there >= len(NINE):  # at the moment when one asks again, both its questions count
            excess += more
            most, least = max(most, excess - least), min(least, excess)
        else:
            least = excess
    return most


def broken(make: Make, slots: int, think: float, *, begin: float = 0.0, seed: int = 1, until: float = HOUR) -> set[str]:
    """Which of the two promises ``make``'s gate breaks."""
    alone = live(make, slots, nine(think, seed), until)
    flooded = live(make, slots, [*nine(think, seed), *flood(begin)], until)
    bound = 2 * wait95(alone, until) + FULL * SECONDS_PER_TOKEN
    return {
        *(["wait"] if wait95(flooded, until, since=begin) > bound else []),
        *(["tenth"] if over_a_tenth(flooded) > FULL else []),
    }


@pytest.mark.parametrize("think", [0, 5, 10, 20])
@pytest.mark.parametrize("slots", [1, 2])
def test_a_flood_of_one_costs_the_nine_at_most_one_answer_and_gets_at_most_a_tenth(slots: int, think: int) -> None:
    assert broken(conch, slots, think) == set()


@pytest.mark.parametrize("think", [0, 5, 10, 20])
@pytest.mark.parametrize("slots", [1, 2])
def test_first_come_first_served_would_break_both_promises(slots: int, think: int) -> None:
    assert broken(Fifo, slots, think, until=HOUR / 2) == {"wait", "tenth"}


@pytest.mark.parametrize("think", [0, 10])
@pytest.mark.parametrize("slots", [1, 2])
def test_who_floods_after_an_absence_gets_no_more_than_who_was_always_there(slots: int, think: int) -> None:
    assert broken(conch, slots, think, begin=HOUR / 3) == set()


@pytest.mark.parametrize("slots", [1, 2])
def test_the_promises_hold_for_hours(slots: int) -> None:
    assert broken(conch, slots, 0, until=3 * HOUR) == set()


def test_halving_the_accounts_of_those_who_wait_would_give_the_flooder_more_every_hour() -> None:
    assert broken(Halving, 1, 0, until=3 * HOUR) == {"tenth"}


def test_without_a_level_for_those_who_come_back_a_late_flood_would_be_owed_many_answers() -> None:
    turns = live(Halving, 1, [*nine(0, 1), *flood(HOUR / 3)], HOUR)
    assert over_a_tenth(turns) > 4 * FULL


def test_who_asked_much_while_nobody_else_did_is_soon_served_among_others() -> None:
    alone = [Habit("early", f"early-{i}", lambda: FULL, lambda: 0.0) for i in range(4)]
    late = [Habit("late", f"late-{i}", lambda: FULL, lambda: 0.0, HOUR) for i in range(4)]
    turns = live(conch, 1, [*alone, *late], HOUR * 1.1)
    begun = [turn.user for turn in sorted(turns, key=lambda turn: turn.admitted) if HOUR < turn.admitted < math.inf]
    assert all({first, second} == {"early", "late"} for first, second in zip(begun[1::2], begun[2::2], strict=False))


@settings(max_examples=100, deadline=None)
@given(
    people=st.lists(
        st.tuples(
            st.integers(1, 4),  # conversations
            st.lists(st.integers(50, FULL), min_size=1, max_size=4),  # lengths of answers, in turn
            st.sampled_from([0.0, 0.0, 3.0, 40.0]),  # thinking
            st.sampled_from([0.0, 0.0, 100.0, 300.0]),  # coming
        ),
        min_size=2,
        max_size=5,
    ),
    slots=st.integers(1, 3),
)
def test_while_two_wait_neither_gets_more_than_the_other_by_more_than_an_answer_of_each(
    people: list[tuple[int, list[int], float, float]], slots: int
) -> None:
    habits = []
    for who, (conversations, answers, think, begin) in enumerate(people):
        turn = count()
        answer = lambda answers=answers, turn=turn: answers[next(turn) % len(answers)]  # noqa: E731
        habits += [
            Habit(f"{who}", f"{who}-{i}", answer, lambda think=think: think, begin) for i in range(conversations)
        ]
    turns = live(conch, slots, habits, 600)
    for one, other in combinations(range(len(people)), 2):
        assert lead(turns, f"{one}", f"{other}") <= (slots + 1) * FULL
        assert lead(turns, f"{other}", f"{one}") <= (slots + 1) * FULL


def lead(turns: list[Turn], one: str, other: str) -> float:
    """The most that ``one`` was given above ``other`` within a stretch of time in which ``other`` always waited."""
    moments: list[tuple[float, int, int, int]] = []
    for turn in turns:
        if turn.user == other:
            moments += [(turn.asked, 0, 1, 0), (turn.admitted, 1, 0, -turn.tokens), (turn.admitted, 2, -1, 0)]
        elif turn.user == one:
            moments.append((turn.admitted, 1, 0, turn.tokens))
    waiting, ahead, least, most = 0, 0, 0, 0
    for _, _, come, more in sorted(moments):
        waiting += come
        if waiting:
            ahead += more
            most, least = max(most, ahead - least), min(least, ahead)
        else:
            ahead = least = 0
    return most
