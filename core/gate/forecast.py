"""How the line will move if nobody else comes: how many go before each ticket, and when its turn comes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from statistics import median
from typing import Generic, Protocol, TypeVar

from core.gate.accounts import Scale


class InLine(Protocol):
    """What a forecast needs to know of a ticket: whose it is, what it is charged, and when it was admitted."""

    @property
    def user(self) -> str: ...
    @property
    def conversation(self) -> str: ...
    @property
    def tokens(self) -> int: ...
    @property
    def number(self) -> int: ...
    @property
    def charged(self) -> int: ...
    @property
    def admitted_at(self) -> float | None: ...


T = TypeVar("T", bound=InLine)


@dataclass(frozen=True, slots=True)
class Place:
    """``before`` waiting tickets go first; ``due`` in seconds of the gate's clock, None while nothing is measured."""

    before: int
    due: float | None


class Forecast(Generic[T]):
    """The coming admissions by the gate's own rules, where every turn takes the usual time and costs the usual tokens.

    The usual is the median of ``recent`` (seconds, tokens); unmeasured, a turn costs what it is charged. ``lines`` are
    the waiting tickets of each conversation, first come first. n log n in the number of tickets.
    """

    def __init__(self, lines: Mapping[str, Iterable[T]], scale: Scale, recent: Sequence[tuple[float, int]]) -> None:
        self._spans = [seconds for seconds, _ in recent]
        self._usual = median(self._spans) if recent else 1.0
        self._cost = median(tokens for _, tokens in recent) if recent else math.inf
        self._scale = scale.copy()
        self._lines = {conversation: iter(line) for conversation, line in lines.items()}
        self._heads: dict[str, list[tuple[int, T]]] = {}  # person -> heap of what may go next
        self._order: list[tuple[float, int, str]] = []  # heap of (position, number, person); outdated ones are skipped
        self._moved: set[str] = set()  # people who have to be put into the order anew
        self._ends: list[tuple[float, int, T, float]] = []  # heap of (when, order, ticket, correction)
        self._count = count()

    def places(self, running: Mapping[str, T], slots: int, now: float) -> dict[T, Place]:
        """The place of every waiting ticket. ``slots`` 0 gives the order of one slot."""
        for ticket in running.values():
            elapsed = now - (now if ticket.admitted_at is None else ticket.admitted_at)
            self._run(ticket, now + self._remaining(elapsed), ticket.charged)
        for conversation in self._lines:
            if conversation not in running:
                self._step_up(conversation)
        places: dict[T, Place] = {}
        free, when = max(1, slots) - len(running), now
        while True:
            while free > 0 and (following := self._next()):
                places[following] = Place(len(places), when if self._spans else None)
                self._admit(following, when)
                free -= 1
            if not self._ends:
                return places
            when, _, ticket, correction = heappop(self._ends)
            free += 1
            self._scale.charge(ticket.user, correction)
            self._moved.add(ticket.user)
            self._step_up(ticket.conversation)

    def _remaining(self, elapsed: float) -> float:
        """Of a turn that has run for ``elapsed`` seconds: by those of the recent turns that ran longer."""
        longer = [span for span in self._spans if span > elapsed]
        return median(longer) - elapsed if longer else self._usual / 2

    def _admit(self, ticket: T, when: float) -> None:
        self._scale.admit(ticket.user, ticket.tokens, contended=True)  # if it is not, the order is nobody's business
        self._run(ticket, when + self._usual, ticket.tokens)
        self._moved.add(ticket.user)

    def _run(self, ticket: T, end: float, charged: float) -> None:
        heappush(self._ends, (end, next(self._count), ticket, min(0.0, self._cost - charged)))

    def _step_up(self, conversation: str) -> None:
        """The next of ``conversation`` may go."""
        line = self._lines.get(conversation)
        if line is not None and (ticket := next(line, None)) is not None:
            heappush(self._heads.setdefault(ticket.user, []), (ticket.number, ticket))
            self._moved.add(ticket.user)

    def _next(self) -> T | None:
        position = self._scale.position
        for user in self._moved:
            if heads := self._heads.get(user):
                heappush(self._order, (position(user), heads[0][0], user))
        self._moved.clear()
        while self._order:
            place, number, user = heappop(self._order)
            heads = self._heads[user]
            if heads and heads[0][0] == number and position(user) == place:
                return heappop(heads)[1]
        return None
