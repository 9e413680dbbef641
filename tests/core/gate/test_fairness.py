"""One person floods, nine are polite: what the nine still get. The real gate in a simulated world."""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations, count, cycle
from typing import Literal, NamedTuple, Protocol

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.gate.gate import Gate

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
        return account * math.exp2((since - self.clock()) / 600)

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


class Event(NamedTuple):
    """``asks``, then ``begins`` (of an answer of ``tokens``), then ``ends``."""

    when: float
    what: Literal["asks", "begins", "ends"]
    user: str
    tokens: int = 0
    waited: float = 0.0


def live(make: Make, slots: int, habits: Iterable[Habit], until: float) -> list[Event]:
    """All that happens in ``until`` seconds, in order; the time is simulated, a token takes the same in each slot."""
    clock = Clock()
    line = make(slots, clock)
    order = count()
    coming: list[tuple[float, int, Callable[[], None]]] = []
    waiting: dict[Place, tuple[Habit, float]] = {}
    log: list[Event] = []

    def at(when: float, what: Callable[[], None]) -> None:
        heapq.heappush(coming, (when, next(order), what))

    def ask(habit: Habit) -> None:
        log.append(Event(clock.now, "asks", habit.user))
        waiting[line.join(habit.user, habit.conversation, FULL)] = habit, clock.now

    def begin(place: Place) -> None:
        habit, asked = waiting.pop(place)
        tokens = habit.answer()
        log.append(Event(clock.now, "begins", habit.user, tokens, clock.now - asked))
        at(clock.now + tokens * SECONDS_PER_TOKEN, lambda: finish(place, habit, tokens))

    def finish(place: Place, habit: Habit, tokens: int) -> None:
        log.append(Event(clock.now, "ends", habit.user, tokens))
        place.leave(tokens)
        at(clock.now + habit.think(), lambda: ask(habit))

    for habit in habits:
        at(habit.begin, lambda habit=habit: ask(habit))  # type: ignore[misc]
    while coming[0][0] <= until:
        clock.now, _, what = heapq.heappop(coming)
        what()
        for place in [place for place in waiting if place.admitted]:
            begin(place)
    # Who still waits has waited until now, and is not forgotten.
    return log + [Event(math.inf, "begins", habit.user, 0, until - asked) for habit, asked in waiting.values()]


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


def wait95(log: list[Event], since: float = 0.0) -> float:
    """The nine's 95th percentile wait."""
    waits = sorted(
        event.waited for event in log if event.what == "begins" and event.user in NINE and event.when > since
    )
    return waits[math.ceil(0.95 * len(waits)) - 1]


def over_a_tenth(log: list[Event]) -> float:
    """The tokens that the flooder got above a tenth of everybody's, counting answers that began in one stretch of time
    in which each of the nine waited or was answered; of all such stretches the worst."""
    there: Counter[str] = Counter()
    excess, least, most, before = 0.0, 0.0, 0.0, 0.0
    for event in log:
        if event.when > before and len(there) < len(NINE):  # who asks again at once was not away
            excess = least = 0.0
        before = event.when
        if event.what == "begins":
            excess += event.tokens * (event.user == FLOODER) - event.tokens / 10
        elif event.user in NINE:
            there[event.user] += 1 if event.what == "asks" else -1
            there += Counter()
        if len(there) == len(NINE):
            most, least = max(most, excess - least), min(least, excess)
    return most


def broken(make: Make, slots: int, think: float, *, begin: float = 0.0, seed: int = 1, until: float = HOUR) -> set[str]:
    """Which of the two promises ``make``'s gate breaks."""
    alone = live(make, slots, nine(think, seed), until)
    flooded = live(make, slots, [*nine(think, seed), *flood(begin)], until)
    bound = 2 * wait95(alone) + FULL * SECONDS_PER_TOKEN
    return {
        *(["wait"] if wait95(flooded, since=begin) > bound else []),
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
    log = live(Halving, 1, [*nine(0, 1), *flood(HOUR / 3)], HOUR)
    assert over_a_tenth(log) > 4 * FULL


def test_who_asked_much_while_nobody_else_did_is_soon_served_among_others() -> None:
    alone = [Habit("early", f"early-{i}", lambda: FULL, lambda: 0.0) for i in range(4)]
    late = [Habit("late", f"late-{i}", lambda: FULL, lambda: 0.0, HOUR) for i in range(4)]
    log = live(conch, 1, [*alone, *late], HOUR * 1.1)
    begun = [event.user for event in log if event.what == "begins" and HOUR < event.when < math.inf]
    assert all({first, second} == {"early", "late"} for first, second in zip(begun[1::2], begun[2::2], strict=False))


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
        answer, pause = partial(next, cycle(answers)), partial(float, think)
        habits += [Habit(f"{who}", f"{who}-{i}", answer, pause, begin) for i in range(conversations)]
    log = live(conch, slots, habits, 600)
    for one, other in combinations(range(len(people)), 2):
        assert lead(log, f"{one}", f"{other}") <= (slots + 1) * FULL
        assert lead(log, f"{other}", f"{one}") <= (slots + 1) * FULL


def lead(log: list[Event], one: str, other: str) -> int:
    """The most that ``one`` was given above ``other`` within a stretch of time in which ``other`` always waited."""
    waiting, ahead, least, most = 0, 0, 0, 0
    for event in log:
        if event.user == one and event.what == "begins":
            ahead += event.tokens
        if event.user == other and event.what == "begins":
            ahead -= event.tokens
            waiting -= 1
        if event.user == other and event.what == "asks":
            waiting += 1
            if waiting == 1:
                ahead = least = 0
        if waiting:
            most, least = max(most, ahead - least), min(least, ahead)
    return most
