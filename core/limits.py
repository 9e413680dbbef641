"""What one person may ask: messages per minute, tokens per day, characters per question. Pure: no clock, no storage."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from core.errors import BudgetSpent, Empty, TooFast, TooLong

MINUTE = 60.0
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Spend:
    """A turn of the person: ``asked`` is its event's own time in Unix seconds, ``cost`` in tokens."""

    asked: float
    cost: int


@dataclass(frozen=True, slots=True)
class Limits:
    """0 means no limit. The windows slide: no minute of the events' own times holds more than ``messages_per_minute``.

    An event that comes late, with an own time before what was already accepted, is counted in every window that it
    falls into, so coming out of order wins nothing. ``named`` are those of some people and places, by their names.
    """

    messages_per_minute: int
    tokens_per_day: int
    characters: int
    named: Mapping[str, Limits] = field(default_factory=dict)

    def of(self, names: Iterable[str]) -> Limits:
        """The limits of somebody with these names (theirs, and those of their roles and places): instead of these, the
        widest of those that are ``named``."""
        own = [self.named[name] for name in names if name in self.named]
        if not own:
            return self
        return replace(
            self,
            messages_per_minute=_widest(limits.messages_per_minute for limits in own),
            tokens_per_day=_widest(limits.tokens_per_day for limits in own),
        )

    def check(self, spends: Sequence[Spend], at: float, cost: int) -> None:
        """Whether an event of time ``at`` that may take ``cost`` tokens is accepted after ``spends`` (in any order).

        Raises TooFast or BudgetSpent with the seconds after which the same event, asked again then, is accepted if
        nothing else came; the cause is the one that lasts longest. An answer dearer than the whole day's budget is
        accepted once nothing is spent: else it never would be.
        """
        minute, day = self._windows(spends)
        slower, richer = minute.free(at, 1), day.free(at, cost)
        then = max(slower, richer)
        if then == at:
            return
        while (later := max(minute.free(then, 1), day.free(then, cost))) > then:
            then = later
        seconds = then - at
        while at + seconds < then:
            seconds = math.nextafter(seconds, math.inf)
        raise BudgetSpent(seconds) if richer >= slower else TooFast(seconds)

    def check_length(self, text: str, *, alone: bool = True) -> None:
        """Raises Empty where there is nothing but white space, TooLong above ``characters`` code points.

        ``alone``: the words are all that there is of the question. What is quoted, and files, have no part in this.
        """
        if alone and not text.strip():
            raise Empty
        if self.characters and len(text) > self.characters:
            raise TooLong(self.characters)

    def left(self, spends: Sequence[Spend], at: float) -> tuple[int | None, int | None]:
        """Messages left in this minute and tokens left today, at time ``at``; None where there is no limit."""
        minute, day = self._windows(spends)
        return (
            max(0, self.messages_per_minute - minute.taken(at)) if self.messages_per_minute else None,
            max(0, self.tokens_per_day - day.taken(at)) if self.tokens_per_day else None,
        )

    def _windows(self, spends: Sequence[Spend]) -> tuple[_Sliding, _Sliding]:
        ordered = sorted(spends, key=lambda spend: spend.asked)
        times = [spend.asked for spend in ordered]
        return (
            _Sliding(MINUTE, self.messages_per_minute, times, [1] * len(times)),
            _Sliding(DAY, self.tokens_per_day, times, [spend.cost for spend in ordered]),
        )


def _widest(amounts: Iterable[int]) -> int:
    each = list(amounts)
    return 0 if 0 in each else max(each)


class _Sliding:
    """At most ``most`` of something within any ``span`` seconds; 0 = no limit."""

    def __init__(self, span: float, most: int, times: Sequence[float], amounts: Sequence[int]) -> None:
        self._span, self._most, self._times = span, most, times
        self._ends = [time + span for time in times]
        self._sums = [0, *accumulate(amounts)]

    def taken(self, at: float) -> int:
        """What shares a window with ``at``: everything less than ``span`` before it or after it."""
        first = bisect_right(self._ends, at)
        return self._sums[max(first, bisect_left(self._times, at + self._span))] - self._sums[first]

    def free(self, at: float, amount: int) -> float:
        """The first moment, not before ``at``, at which ``amount`` more fits; all of them fit where there is no limit.

        Nothing leaves a window but at an end, so the first end that is enough is the first moment.
        """
        room = self._most - min(amount, self._most)
        if not self._most or self.taken(at) <= room:
            return at
        return next(end for end in self._ends[bisect_right(self._ends, at) :] if self.taken(end) <= room)
