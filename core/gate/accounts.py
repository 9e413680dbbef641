"""What each person has had of the GPU, in tokens. It knows no ticket: the gate says who comes, is admitted and goes."""

from __future__ import annotations

import math
from collections.abc import Callable

NOTHING = 1.0
"""Tokens below which an account counts as empty."""


class Scale:
    """Where the people in line stand: each on a tag in tokens that only their own turns move, least goes first.

    ``reached`` is the greatest tag that a turn began at yet. Who begins to wait below it wanted nothing before, and is
    level with it: that earns a place at the front, but no stock of tokens to spend while others wait.
    """

    def __init__(self) -> None:
        self.tags: dict[str, float] = {}
        self.reached = 0.0
        self._floors: dict[str, float] = {}  # what the line had reached when they began to wait

    def copy(self) -> Scale:
        """Another that moves on its own."""
        other = Scale()
        other.tags, other.reached, other._floors = dict(self.tags), self.reached, dict(self._floors)
        return other

    def come(self, user: str, lead: float) -> None:
        """``user`` enters the line, ``lead`` tokens above what it has reached (or, negative, below)."""
        self.tags[user] = self.reached + lead

    def wait(self, user: str) -> None:
        """``user``, who is in line, did not wait and does now."""
        self._floors[user] = self.reached

    def go(self, user: str) -> None:
        """``user`` has nothing in line any more."""
        del self.tags[user], self._floors[user]

    def position(self, user: str) -> float:
        """The order of going: least first."""
        return max(self.tags[user], self._floors[user])

    def admit(self, user: str, tokens: float, *, contended: bool) -> float:
        """A turn of ``user`` begins and counts ``tokens``; gives by how much ``reached`` rose.

        While somebody else waits (``contended``) it is put on top of the position, otherwise of the person's own tag:
        what nobody else wanted takes nobody's part.
        """
        start = self.position(user) if contended else self.tags[user]
        self.tags[user] = start + tokens
        rise = max(0.0, start - self.reached)
        self.reached += rise
        return rise

    def charge(self, user: str, tokens: float) -> None:
        """``tokens`` more, or less as a correction, for a turn of ``user`` that runs or has just ended."""
        self.tags[user] += tokens


class Accounts:
    """Every account halves each ``half_life`` seconds of ``clock``; between people in line the distance stays.

    Of those in line it is told by ``scale``, which does not decay: an account is the level that the line has reached,
    which does, plus the distance of the person's tag from there. Those away have an account of their own, which is
    forgotten when it has decayed to ``NOTHING``.
    """

    def __init__(self, half_life: float, clock: Callable[[], float]) -> None:
        self._half_life, self._clock = half_life, clock
        self.scale = Scale()
        self._level = 0.0, clock()
        self._away: dict[str, tuple[float, float]] = {}
        self._sweep_at = 64

    def __getitem__(self, user: str) -> float:
        """Tokens on the account of ``user`` now, at least 0."""
        if user in self.scale.tags:
            return max(0.0, self._now(*self._level) + self.scale.tags[user] - self.scale.reached)
        return self._now(*self._away.get(user, (0.0, 0.0)))

    def __len__(self) -> int:
        """How many people are remembered."""
        return len(self.scale.tags) + len(self._away)

    def come(self, user: str) -> None:
        """``user`` enters the line, or is in it."""
        if user not in self.scale.tags:
            self.scale.come(user, self[user] - self._now(*self._level))
            self._away.pop(user, None)

    def admit(self, user: str, tokens: float, *, contended: bool) -> None:
        """See ``Scale.admit``."""
        if rise := self.scale.admit(user, tokens, contended=contended):
            self._level = self._now(*self._level) + rise, self._clock()

    def go(self, user: str) -> None:
        """``user`` has nothing in line any more."""
        account = self[user]
        self.scale.go(user)
        if account >= NOTHING:
            self._away[user] = account, self._clock()
        if len(self._away) > self._sweep_at:
            self._away = {who: had for who, had in self._away.items() if self._now(*had) >= NOTHING}
            self._sweep_at = 64 + 2 * len(self._away)

    def _now(self, tokens: float, since: float) -> float:
        return tokens * math.exp2(-max(0.0, self._clock() - since) / self._half_life)
