"""What each person has had of the GPU, in tokens. It knows no ticket: the gate says who comes, is admitted and goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping


class Accounts:
    """What each person has had, in tokens.

    People in line have a tag on a scale that only grows; ``_reached`` is the greatest tag that was admitted yet. The
    account is the tag seen from there: ``_level``, which halves with time, plus the distance to ``_reached``, which
    does not. People away have an account that halves, and are forgotten when less than one token is left of it.
    """

    def __init__(self, half_life: float, clock: Callable[[], float]) -> None:
        self._half_life, self._clock = half_life, clock
        self._tags: dict[str, float] = {}
        self._away: dict[str, tuple[float, float]] = {}
        self._reached = 0.0
        self._level, self._since = 0.0, clock()
        self._sweep_at = 64

    def __getitem__(self, user: str) -> float:
        """Tokens on the account of ``user`` now."""
        if user in self._tags:
            return max(0.0, self._level_now() + self._tags[user] - self._reached)
        account, since = self._away.get(user, (0.0, 0.0))
        return self._halved(account, since)

    def __len__(self) -> int:
        """How many people are remembered."""
        return len(self._tags) + len(self._away)

    @property
    def tags(self) -> Mapping[str, float]:
        """The order of those in line: least first."""
        return self._tags

    def come(self, user: str, head_start: float) -> None:
        """``user`` enters the line, at most ``head_start`` tokens below the level it has reached."""
        if user not in self._tags:
            lead = self[user] - self._level_now()
            self._away.pop(user, None)
            self._tags[user] = self._reached + max(lead, -head_start)

    def go(self, user: str) -> None:
        """``user`` has nothing in line any more."""
        account = self[user]
        del self._tags[user]
        if account >= 1:
            self._away[user] = account, self._clock()
        if len(self._away) > self._sweep_at:
            self._away = {who: had for who, had in self._away.items() if self._halved(*had) >= 1}
            self._sweep_at = 64 + 2 * len(self._away)

    def reach(self, user: str) -> None:
        """``user`` is admitted: the level of the line rises to theirs."""
        if (rise := self._tags[user] - self._reached) > 0:
            self._level, self._since = self._level_now() + rise, self._clock()
            self._reached = self._tags[user]

    def charge(self, user: str, tokens: float) -> None:
        """More (or, as a correction, less) on the account of ``user``, who is in line."""
        self._tags[user] += tokens

    def _level_now(self) -> float:
        return self._halved(self._level, self._since)

    def _halved(self, account: float, since: float) -> float:
        return account * math.exp2(-max(0.0, self._clock() - since) / self._half_life)
