"""The gate: the async lock round the one GPU. Who is next, how many go before you, how long that takes.

It owns the line of waiting tickets, the tickets that run, and what each person has had. Only code on one event loop
calls it, and nothing in it awaits except a ticket's own iteration, so every change is whole.

**Who is next.** Each person has an account of GPU time in tokens, prompt computed + generated. A turn counts at once
with its ``max_tokens`` when it is admitted, with its prompt when that is known, and is corrected when it ends. Next is
the person with the least, among equals who came first. A conversation keeps its order and runs one turn at a time.

Accounts halve every ``half_life``, with two exceptions, without which the line would not be fair. People who are both
in line keep their distance: to halve the lead that somebody has just taken would give them more than their share, over
and over. And who comes back from an absence is level with the one admitted last: else a stranger with twenty questions
would be owed the GPU until he had had as much as those who have been here for an hour.

This is start-time fair queueing (Goyal, Vin and Cheng, 1996; with several slots Jin, Chase and Kaur, 2004) that
remembers debts. While two people wait, whatever came before, one never gets more than the other by more than ``slots``
+ 1 full answers.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import count, islice

from core.errors import QueueFull
from core.events import Queued
from core.gate.accounts import Accounts
from core.gate.forecast import Forecast, Place

REMEMBERED = 33
"""Turns whose service time and cost make the estimate: enough for a steady median, few enough to follow the load."""
TOLD_AT_ONCE = 64
"""Tickets woken in one step of the loop when places fall, so that a long line does not hold up everything else."""
FRESH = 1.0
"""Seconds for which a forecast is good if nothing happens but that time passes."""
REST_AFTER_TELLING = 4
"""Times what telling the whole line took, before it is told again: a fifth of the time is the most it takes."""


class Ticket:
    """A place in line. Iterate it to wait; ``leave`` it whatever happens."""

    def __init__(self, gate: Gate, user: str, conversation: str, tokens: int, number: int) -> None:
        self.user, self.conversation, self.tokens = user, conversation, tokens
        self.number = number
        """Order of coming; a ticket that took another's place has that one's."""
        self.admitted_at: float | None = None
        self.charged = 0
        self.left = False
        self.held = False
        """It keeps its place, and is not admitted: those behind it may go first meanwhile."""
        self._gate = gate
        self._moved = asyncio.Event()

    @property
    def admitted(self) -> bool:
        """Whether its turn has come (also after it left)."""
        return self.admitted_at is not None

    @property
    def ahead(self) -> int:
        """How many go first if nobody else comes; what runs now counts as one while it has to be waited for."""
        return self._gate.place(self).ahead

    @property
    def seconds(self) -> float | None:
        """About how long until it is admitted; None until a turn was measured, and while nothing moves."""
        return self._gate.place(self).seconds

    async def __aiter__(self) -> AsyncIterator[Queued]:
        """The place at once if it must wait, then whenever ``ahead`` falls or the cause changes; ends when admitted.

        A place never rises: who comes later and goes first is not shown as a step back. Several may iterate. Raises
        CancelledError if the ticket was left, like a future that was cancelled: nobody goes on without a place.
        """
        told: Queued | None = None
        while not self.admitted and not self.left:
            now = self._gate.place(self)
            if told is None or now.ahead < told.ahead or now.cause != told.cause:
                told = now if told is None or now.ahead <= told.ahead else Queued(told.ahead, now.seconds, now.cause)
                yield told
            else:
                self._gate.watch()
                await self._moved.wait()
        if self.left:
            raise asyncio.CancelledError("the ticket has left the line")

    def wake(self) -> None:
        """Those who iterate look again."""
        self._moved.set()
        self._moved.clear()

    def hold(self) -> bool:
        """Do not admit it before ``release``; False where its turn has come already, or it has left."""
        self.held = not self.admitted and not self.left
        return self.held

    def release(self) -> None:
        """It may be admitted."""
        if self.held:
            self.held = False
            self._gate.released()

    def started(self, computed: int) -> None:
        """The engine computes ``computed`` tokens of prompt for it: they count too."""
        self._gate.started(self, computed)

    def leave(self, tokens: int | None = None) -> None:
        """Gives the place or the slot back; at any point, any number of times, only the first counts.

        ``tokens`` = prompt computed + generated in truth; None = nothing was computed.
        """
        self._gate.leave(self, tokens)


class Gate:
    """At most ``slots`` turns at once, ``waiting`` tickets in line and ``waiting_per_person`` of one person.

    ``slots=1`` is a plain lock. ``half_life`` in seconds of ``clock``.
    """

    def __init__(
        self,
        slots: int,
        *,
        waiting: int,
        waiting_per_person: int,
        half_life: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.slots = slots
        self.paused = False
        self.accounts = Accounts(half_life, clock)
        self._bound, self._bound_per_person = waiting, waiting_per_person
        self._clock = clock
        self._numbers = count()
        self._lines: dict[str, deque[Ticket]] = {}  # conversation -> waiting, first come first
        self._running: dict[str, Ticket] = {}  # conversation -> ticket, in order of admission
        self._waiting = 0
        self._waiting_of: dict[str, int] = {}
        self._in_line: dict[str, int] = {}  # person -> tickets that wait or run
        self._recent: deque[tuple[float, int]] = deque(maxlen=REMEMBERED)  # (seconds, tokens) of turns that ended
        self._places: dict[Ticket, Place] | None = None
        self._places_until = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._telling, self._news = False, False

    @property
    def waiting(self) -> int:
        """How many tickets wait."""
        return self._waiting

    @property
    def running(self) -> int:
        """How many tickets hold a slot."""
        return len(self._running)

    @property
    def cause(self) -> str | None:
        """Why nothing moves, as a key of wording; None where it moves."""
        if self.slots == 0:
            return "loading"
        return "paused" if self.paused else None

    def join(
        self,
        user: str,
        conversation: str,
        tokens: int,
        *,
        past_bounds: bool = False,
        extra: int = 0,
        instead_of: Ticket | None = None,
        held: bool = False,
    ) -> Ticket:
        """A ticket for a turn of at most ``tokens`` generated tokens, admitted at once if it can be.

        ``past_bounds``: never refused. ``extra``: how many past the bounds are still accepted. ``instead_of``: a ticket
        of the same person and conversation; if it still waits, it is left, and the new one has its place and no bound.
        ``held``: not admitted before its ``release``.
        Raises QueueFull, and then nothing has changed.
        """
        if instead_of is not None and instead_of in self._lines.get(conversation, ()) and instead_of.user == user:
            return self._replace(instead_of, tokens, held)
        blocked = conversation in self._running or conversation in self._lines
        if not past_bounds and (blocked or self.paused or self.running >= self.slots):
            if self._waiting_of.get(user, 0) >= self._bound_per_person + extra:
                raise QueueFull(person=True)
            if self._waiting >= self._bound + extra:
                raise QueueFull
        ticket = Ticket(self, user, conversation, tokens, next(self._numbers))
        ticket.held = held
        self.accounts.come(user)
        if user not in self._waiting_of:
            self.accounts.scale.wait(user)
        self._in_line[user] = self._in_line.get(user, 0) + 1
        self._lines.setdefault(conversation, deque()).append(ticket)
        self._count_waiting(user, 1)
        self._places = None  # nobody else's place falls by it, so nobody is told
        self._admit()
        return ticket

    def resize(self, slots: int) -> None:
        """From now on ``slots`` at once; 0 admits nothing. What runs goes on, even if it is more than that."""
        self.slots = slots
        self._admit()
        self._tell()

    def move(self, old: str, new: str) -> None:
        """Conversations that begin with ``old`` begin with ``new`` now; of two that become one the order is kept."""
        for key in [key for key in self._lines if key.startswith(old)]:
            line, moved = self._lines.pop(key), new + key.removeprefix(old)
            for ticket in line:
                ticket.conversation = moved
            both = [*self._lines.get(moved, ()), *line]
            self._lines[moved] = deque(sorted(both, key=lambda ticket: ticket.number))
        for key in [key for key in self._running if key.startswith(old)]:
            moved = new + key.removeprefix(old)
            if moved not in self._running:
                self._running[moved] = self._running.pop(key)
                self._running[moved].conversation = moved
        self._tell()

    def pause(self) -> None:
        """Admits nothing new; what runs goes on."""
        self.paused = True
        self._tell()

    def unpause(self) -> None:
        """Admits again."""
        self.paused = False
        self._admit()
        self._tell()

    def released(self) -> None:
        """A ticket that was held may be admitted."""
        self._admit()
        self._tell()

    def started(self, ticket: Ticket, computed: int) -> None:
        """See ``Ticket.started``."""
        if ticket.admitted and not ticket.left:
            self.accounts.scale.charge(ticket.user, computed)
            ticket.charged += computed
            self._places = None

    def leave(self, ticket: Ticket, tokens: int | None) -> None:
        """See ``Ticket.leave``."""
        if ticket.left:
            return
        ticket.left = True
        if ticket.admitted_at is None:
            self._take_out(ticket)
        else:
            del self._running[ticket.conversation]
            self.accounts.scale.charge(ticket.user, (tokens or 0) - ticket.charged)
            if tokens is not None:
                self._recent.append((self._clock() - ticket.admitted_at, tokens))
        self._in_line[ticket.user] -= 1
        if not self._in_line[ticket.user]:
            del self._in_line[ticket.user]
            self.accounts.go(ticket.user)
        ticket.wake()
        self._admit()
        self._tell()

    def place(self, ticket: Ticket) -> Queued:
        """Where ``ticket`` stands now; ``Queued(0, 0.0)`` if it does not wait."""
        if ticket.admitted or ticket.left:
            return Queued(0, 0.0)
        now = self._clock()
        if self._places is None or now >= self._places_until:
            forecast = Forecast(self._lines, self.accounts.scale, self._recent)
            self._places = forecast.places(self._running, self.slots, now)
            self._places_until = now + FRESH
        place = self._places[ticket]
        busy = self.slots <= self.running > 0 or ticket.conversation in self._running
        seconds = None if place.due is None or self.cause else max(0.0, place.due - now)
        return Queued(place.before + busy, seconds, self.cause)

    def watch(self) -> None:
        """Somebody of the running loop waits to be told of changes."""
        if (loop := asyncio.get_running_loop()) is not self._loop:
            self._loop, self._telling = loop, False

    def _replace(self, old: Ticket, tokens: int, held: bool) -> Ticket:
        ticket = Ticket(self, old.user, old.conversation, tokens, old.number)
        ticket.held = held
        line = self._lines[old.conversation]
        line[line.index(old)] = ticket
        old.left = True
        old.wake()
        self._places = None
        if old.held and not held:
            self._admit()
        return ticket

    def _take_out(self, ticket: Ticket) -> None:
        line = self._lines[ticket.conversation]
        line.remove(ticket)
        if not line:
            del self._lines[ticket.conversation]
        self._count_waiting(ticket.user, -1)

    def _count_waiting(self, user: str, more: int) -> None:
        self._waiting += more
        self._waiting_of[user] = self._waiting_of.get(user, 0) + more
        if not self._waiting_of[user]:
            del self._waiting_of[user]

    def _admit(self) -> None:
        """Fills the free slots."""
        scale = self.accounts.scale
        while not self.paused and self.running < self.slots:
            waiting = (line[0] for conversation, line in self._lines.items() if conversation not in self._running)
            heads = [head for head in waiting if not head.held]
            if not heads:
                return
            ticket = min(heads, key=lambda head: (scale.position(head.user), head.number))
            self._take_out(ticket)
            ticket.admitted_at = self._clock()
            ticket.charged = ticket.tokens
            self._running[ticket.conversation] = ticket
            contended = self._waiting > self._waiting_of.get(ticket.user, 0)
            self.accounts.admit(ticket.user, ticket.tokens, contended=contended)
            self._places = None
            ticket.wake()

    def _tell(self) -> None:
        """Places may have fallen: those who iterate look again, once however much happens in one step of the loop."""
        self._places = None
        self._news = True
        if self._loop is not None and not self._telling and not self._loop.is_closed():
            self._telling = True
            self._loop.call_soon(self._tell_all)

    def _tell_all(self) -> None:
        self._news = False
        self._tell_some(iter([ticket for line in self._lines.values() for ticket in line]), time.monotonic())

    def _tell_some(self, rest: Iterator[Ticket], began: float) -> None:
        loop = asyncio.get_running_loop()
        batch = list(islice(rest, TOLD_AT_ONCE))
        for ticket in batch:
            ticket.wake()
        if batch:
            loop.call_soon(self._tell_some, rest, began)
        elif self._news:
            loop.call_later(REST_AFTER_TELLING * (time.monotonic() - began), self._tell_all)
        else:
            self._telling = False
