"""The gate against a slow, plain model of its rules: every order of joining, leaving, cancelling, resizing, pausing."""

from __future__ import annotations

import asyncio
import copy
import math
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from core.errors import QueueFull
from core.events import Queued
from core.gate.gate import REMEMBERED, Gate, Ticket

WAITING, PER_PERSON = 6, 3


@dataclass(eq=False)
class Wish:
    """What the model knows of a ticket."""

    user: str
    conversation: str
    tokens: int
    number: int
    state: str = "waiting"
    since: float = 0.0
    charged: int = 0
    held: bool = False


@dataclass
class Model:
    """The rules, written down plainly: every question is answered by going through everybody.

    ``lead``: tokens above the greatest start so far, of people in line; ``floor``: what the greatest start was when
    they began to wait, seen from there too. ``level``: what it has come to with time. ``away``: accounts of the others.
    """

    slots: int
    half_life: float
    now: float = 0.0
    paused: bool = False
    line: list[Wish] = field(default_factory=list)  # waiting or running, by number
    lead: dict[str, float] = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)
    away: dict[str, float] = field(default_factory=dict)
    level: float = 0.0
    recent: list[tuple[float, int]] = field(default_factory=list)
    begun: list[Wish] = field(default_factory=list)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        factor = 2 ** (-seconds / self.half_life)
        self.level *= factor
        self.away = {user: account * factor for user, account in self.away.items()}

    def waiting(self) -> list[Wish]:
        return [wish for wish in self.line if wish.state == "waiting"]

    def running(self) -> list[Wish]:
        return [wish for wish in self.begun if wish.state == "running"]

    def eligible(self) -> list[Wish]:
        busy = {wish.conversation for wish in self.running()}
        first: dict[str, Wish] = {}
        for wish in self.waiting():
            first.setdefault(wish.conversation, wish)
        return [wish for wish in first.values() if wish.conversation not in busy and not wish.held]

    def account(self, user: str) -> float:
        if user in self.lead:
            return max(0.0, self.level + self.lead[user])
        return self.away.get(user, 0.0)

    def join(self, wish: Wish) -> None:
        if wish.user not in self.lead:
            self.lead[wish.user] = self.away.pop(wish.user, 0.0) - self.level
        if not any(other.user == wish.user for other in self.waiting()):
            self.floor[wish.user] = 0.0
        self.line.append(wish)
        self.admit()

    def position(self, user: str) -> float:
        return max(self.lead[user], self.floor[user])

    def admit(self) -> None:
        while not self.paused and len(self.running()) < self.slots and self.eligible():
            wish = min(self.eligible(), key=lambda wish: (self.position(wish.user), wish.number))
            wish.state, wish.since, wish.charged = "running", self.now, wish.tokens
            self.begun.append(wish)
            contended = any(other.user != wish.user for other in self.waiting())
            start = self.position(wish.user) if contended else self.lead[wish.user]
            self.lead[wish.user] = start + wish.tokens
            if start > 0:
                self.level += start
                for user in self.lead:
                    self.lead[user] -= start
                    self.floor[user] -= start

    def leave(self, wish: Wish, tokens: int | None) -> None:
        if wish.state == "running":
            self.lead[wish.user] += (tokens or 0) - wish.charged
            if tokens is not None:
                self.recent = [*self.recent, (self.now - wish.since, tokens)][-REMEMBERED:]
        wish.state = "left"
        self.line.remove(wish)
        if not any(other.user == wish.user for other in self.line):
            account = self.account(wish.user)
            del self.lead[wish.user], self.floor[wish.user]
            if account >= 1:
                self.away[wish.user] = account
        self.admit()

    def foresee(self) -> list[tuple[int, float | None]]:
        """For each waiting wish: how many are admitted before it, and in how many seconds, if all is as usual."""
        ahead = copy.deepcopy(self)
        waiting = ahead.waiting()
        usual = median(seconds for seconds, _ in self.recent) if self.recent else 1.0
        cost = median(tokens for _, tokens in self.recent) if self.recent else math.inf
        ends: list[tuple[float, Wish]] = []
        for wish in ahead.running():
            elapsed = self.now - wish.since
            longer = [seconds for seconds, _ in self.recent if seconds > elapsed]
            ends.append((self.now + (median(longer) - elapsed if longer else usual / 2), wish))
        ahead.slots, ahead.paused = max(1, self.slots), False
        for wish in ahead.line:
            wish.held = False  # nobody knows for how long
        then: dict[int, tuple[int, float | None]] = {}

        def note() -> None:
            begun = len(ahead.begun)
            ahead.admit()
            for wish in ahead.begun[begun:]:
                then[id(wish)] = len(then), ahead.now - self.now if self.recent else None
                ends.append((ahead.now + usual, wish))

        note()
        while ends:
            end = min(ends, key=lambda end: end[0])  # the first of equals
            ends.remove(end)
            ahead.now = end[0]
            end[1].state = "left"
            ahead.line.remove(end[1])
            ahead.lead[end[1].user] -= max(0.0, end[1].charged - cost)
            note()
        return [then[id(wish)] for wish in waiting]


@dataclass(eq=False)
class Watcher:
    """A task that iterates a ticket, and what it must have been told."""

    task: asyncio.Task[None]
    told: list[tuple[int, str | None]]
    expected: list[tuple[int, str | None]] = field(default_factory=list)


class GateMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.tickets: list[tuple[Ticket, Wish]] = []
        self.watchers: list[tuple[Ticket, Watcher]] = []
        self.number = 0
        self.news = False

    @initialize(slots=st.integers(0, 2), half_life=st.sampled_from([math.inf, 8.0]))
    def begin(self, slots: int, half_life: float) -> None:
        self.model = Model(slots, half_life)
        self.gate = Gate(
            slots,
            waiting=WAITING,
            waiting_per_person=PER_PERSON,
            half_life=half_life,
            clock=lambda: self.model.now,
        )

    def live(self) -> list[tuple[Ticket, Wish]]:
        return [(ticket, wish) for ticket, wish in self.tickets if wish.state != "left"]

    def pick(self, data: Any, among: list[tuple[Ticket, Wish]]) -> tuple[Ticket, Wish]:
        which: int = data.draw(st.integers(0, len(among) - 1))
        return among[which]

    @rule(
        user=st.sampled_from("abc"),
        which=st.integers(0, 1),
        tokens=st.sampled_from([100, 1000, 4000]),
        past_bounds=st.integers(0, 5).map(lambda n: n == 0),
        extra=st.sampled_from([0, 0, 0, 1, 2]),
        held=st.integers(0, 3).map(lambda n: n == 0),
    )
    def join(self, user: str, which: int, tokens: int, past_bounds: bool, extra: int, held: bool) -> None:
        conversation = f"{user}{which}"
        waiting = self.model.waiting()
        mine = [wish for wish in waiting if wish.user == user]
        busy = any(wish.conversation == conversation for wish in self.model.line)
        must_wait = busy or self.model.paused or len(self.model.running()) >= self.model.slots
        refused: str | None = None
        try:
            ticket = self.gate.join(user, conversation, tokens, past_bounds=past_bounds, extra=extra, held=held)
        except QueueFull as full:
            refused = full.cause
        else:
            wish = Wish(user, conversation, tokens, self.number, held=held)
            self.number += 1
            self.tickets.append((ticket, wish))
            self.model.join(wish)
        if past_bounds or not must_wait:
            assert refused is None
        elif len(mine) >= PER_PERSON + extra:
            assert refused == "queue_full_person"
        else:
            assert refused == ("queue_full" if len(waiting) >= WAITING + extra else None)

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), tokens=st.sampled_from([100, 1000]), held=st.booleans())
    def edit(self, data: Any, tokens: int, held: bool) -> None:
        """The new question has the place of the old one; of one that no longer waits it has nothing."""
        old, wish = self.pick(data, self.tickets)
        if wish.state != "waiting":
            return
        ticket = self.gate.join(wish.user, wish.conversation, tokens, instead_of=old, held=held)
        new = Wish(wish.user, wish.conversation, tokens, wish.number, held=held)
        self.model.line[self.model.line.index(wish)] = new
        wish.state = "left"
        self.tickets.append((ticket, new))
        assert old.left
        self.model.admit()
        assert ticket.admitted == (new.state == "running")

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def hold(self, data: Any) -> None:
        """Of one that waits its turn does not come; of others it is too late."""
        ticket, wish = self.pick(data, self.tickets)
        assert ticket.hold() == (wish.state == "waiting")
        wish.held = wish.state == "waiting"

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def release(self, data: Any) -> None:
        ticket, wish = self.pick(data, self.tickets)
        self.news |= wish.held
        ticket.release()
        wish.held = False
        self.model.admit()

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), tokens=st.one_of(st.none(), st.integers(0, 1500)))
    def leave(self, data: Any, tokens: int | None) -> None:
        """Also of those that have left: the second time changes nothing."""
        ticket, wish = self.pick(data, self.live() or self.tickets)
        ticket.leave(tokens)
        if wish.state != "left":
            self.model.leave(wish, tokens)
            self.news = True

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def leave_twice(self, data: Any) -> None:
        ticket, wish = self.pick(data, self.tickets)
        if wish.state == "left":
            ticket.leave(1000)

    @precondition(lambda self: self.tickets)
    @rule(data=st.data(), computed=st.integers(0, 500))
    def started(self, data: Any, computed: int) -> None:
        ticket, wish = self.pick(data, self.tickets)
        ticket.started(computed)
        if wish.state == "running":
            self.model.lead[wish.user] += computed
            wish.charged += computed

    @rule(slots=st.integers(0, 3))
    def resize(self, slots: int) -> None:
        self.gate.resize(slots)
        self.model.slots = slots
        self.model.admit()
        self.news = True

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        (self.gate.pause if paused else self.gate.unpause)()
        self.model.paused = paused
        self.model.admit()
        self.news = True

    @precondition(lambda self: self.model.now < 20 * 8)
    @rule(steps=st.integers(1, 3))
    def time_passes(self, steps: int) -> None:
        """In steps that halve exactly, so that the model's sums are those of the gate to the last bit."""
        self.model.pass_time(steps * (8 if math.isfinite(self.model.half_life) else 1))

    @precondition(lambda self: self.tickets)
    @rule(data=st.data())
    def watch(self, data: Any) -> None:
        ticket, _ = self.pick(data, self.live() or self.tickets)
        told: list[tuple[int, str | None]] = []

        async def iterate() -> None:
            async for queued in ticket:
                assert isinstance(queued, Queued)
                told.append((queued.ahead, queued.cause))

        self.watchers.append((ticket, Watcher(self.loop.create_task(iterate()), told)))

    @precondition(lambda self: self.watchers)
    @rule(data=st.data())
    def cancel_a_watcher(self, data: Any) -> None:
        """Whether its task has begun, waits, or was admitted and has not noticed: the ticket is its owner's."""
        self.watchers.pop(data.draw(st.integers(0, len(self.watchers) - 1)))[1].task.cancel()

    @precondition(lambda self: self.watchers)
    @rule(data=st.data(), tokens=st.one_of(st.none(), st.integers(0, 1000)))
    def cancel_a_watcher_and_leave(self, data: Any, tokens: int | None) -> None:
        ticket, watcher = self.watchers.pop(data.draw(st.integers(0, len(self.watchers) - 1)))
        watcher.task.cancel()
        ticket.leave(tokens)
        wish = next(wish for other, wish in self.tickets if other is ticket)
        if wish.state != "left":
            self.model.leave(wish, tokens)
            self.news = True

    @rule()
    def settle(self) -> None:
        """The loop runs until nobody has anything to say."""
        self.loop.run_until_complete(self.quiet())
        cause = "loading" if self.model.slots == 0 else "paused" if self.model.paused else None
        ahead = self.places()
        for ticket, watcher in self.watchers:
            if ticket in ahead:
                place = ahead[ticket][0]
                if not watcher.expected:
                    watcher.expected.append((place, cause))
                elif self.news and (place < watcher.expected[-1][0] or cause != watcher.expected[-1][1]):
                    watcher.expected.append((min(place, watcher.expected[-1][0]), cause))
                assert not watcher.task.done()
            else:
                assert watcher.task.done()
                assert watcher.task.cancelled() == ticket.left
            assert watcher.told == watcher.expected
        self.news = False
        self.watchers = [(ticket, watcher) for ticket, watcher in self.watchers if not watcher.task.done()]

    async def quiet(self) -> None:
        await asyncio.sleep(0)
        while self.gate._telling:  # noqa: ASYNC110 - no event says that the gate has nothing more to say
            await asyncio.sleep(0)
        await asyncio.sleep(0)

    def places(self) -> dict[Ticket, tuple[int, float | None]]:
        """By the model: ``ahead`` and ``seconds`` of every ticket that waits."""
        running = self.model.running()
        busy = bool(running) and len(running) >= self.model.slots
        of = {id(wish): ticket for ticket, wish in self.tickets}
        still = self.model.slots == 0 or self.model.paused
        return {
            of[id(wish)]: (
                before + (busy or any(wish.conversation == other.conversation for other in running)),
                None if still else seconds,
            )
            for wish, (before, seconds) in zip(self.model.waiting(), self.model.foresee(), strict=True)
        }

    @invariant()
    def the_gate_is_what_the_model_says(self) -> None:
        states = {ticket: wish.state for ticket, wish in self.tickets}
        for ticket, state in states.items():
            assert ticket.left == (state == "left")
            if state != "left":
                assert ticket.admitted == (state == "running")
        assert self.gate.waiting == sum(state == "waiting" for state in states.values())
        assert self.gate.running == sum(state == "running" for state in states.values())
        for user in "abc":
            assert math.isclose(self.gate.accounts[user], self.model.account(user), abs_tol=1e-6)

    @invariant()
    def places_are_those_of_a_simulation(self) -> None:
        for ticket, (ahead, seconds) in self.places().items():
            assert ticket.ahead == ahead
            assert ticket.seconds is None if seconds is None else math.isclose(ticket.seconds or 0.0, seconds)

    @invariant()
    def no_slot_is_free_while_somebody_may_go(self) -> None:
        running = [wish for _, wish in self.live() if wish.state == "running"]
        assert len({wish.conversation for wish in running}) == len(running)
        if not self.model.paused and len(running) < self.model.slots:
            assert not self.model.eligible()

    def teardown(self) -> None:
        for _, watcher in self.watchers:
            watcher.task.cancel()
        if hasattr(self, "gate"):
            for ticket, _ in self.tickets:
                ticket.leave()
            self.loop.run_until_complete(self.quiet())
            assert self.gate.waiting == self.gate.running == 0
            gate = vars(self.gate)
            assert not any(gate[name] for name in ("_lines", "_running", "_waiting_of", "_in_line"))
            assert not self.gate.accounts.scale.tags
            before = [self.gate.accounts[user] for user in "abc"]
            self.model.now += 8
            assert all(self.gate.accounts[user] <= had for user, had in zip("abc", before, strict=True))
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


GateMachine.TestCase.settings = settings(stateful_step_count=40)
TestEveryOrderOfEvents = GateMachine.TestCase
