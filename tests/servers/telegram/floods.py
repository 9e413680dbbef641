"""Flood control as Telegram's: calls counted where they arrive, for each chat, each group and over all."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Rules:
    """Private chats: one call a second, with ``burst`` calls saved up at most. Groups: so many in any minute. All
    together: so many in any second. Bans last ``ban`` seconds."""

    per_second: float = 1.0
    burst: float = 3.0
    per_minute: int = 20
    over_all: int = 30
    ban: float = 5.0


@dataclass
class Floods:
    """Who has called how often. ``refused`` were too many, ``ignored`` came although they were told to wait."""

    rules: Rules = field(default_factory=Rules)
    calls: int = 0
    refused: int = 0
    ignored: int = 0
    _saved: dict[int, tuple[float, float]] = field(default_factory=dict)  # private chat -> calls saved up, since when
    _minutes: defaultdict[int, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    _second: deque[float] = field(default_factory=deque)
    _banned: dict[int, float] = field(default_factory=dict)

    def ban(self, chat: int, seconds: float, now: float) -> None:
        """From now on the chat is to be left alone for so long."""
        self._banned[chat] = now + seconds

    def take(self, chat: int, now: float) -> int | None:
        """A call arrives; the seconds to wait where it is one too many."""
        self.calls += 1
        if (until := self._banned.get(chat, -math.inf)) > now:
            self.ignored += 1
            return self._refused(chat, until - now, now)
        while self._second and self._second[0] <= now - 1.0:
            self._second.popleft()
        if len(self._second) >= self.rules.over_all:
            return self._refused(chat, 1.0, now)
        if not (self._group(chat, now) if chat < 0 else self._private(chat, now)):
            return self._refused(chat, self.rules.ban, now)
        self._second.append(now)
        return None

    def _refused(self, chat: int, seconds: float, now: float) -> int:
        self.refused += 1
        told = math.ceil(seconds)
        self.ban(chat, told, now)
        return told

    def _private(self, chat: int, now: float) -> bool:
        saved, since = self._saved.get(chat, (self.rules.burst, now))
        saved = min(self.rules.burst, saved + (now - since) * self.rules.per_second)
        self._saved[chat] = saved - (saved >= 1), now
        return saved >= 1

    def _group(self, chat: int, now: float) -> bool:
        minute = self._minutes[chat]
        while minute and minute[0] <= now - MINUTE:
            minute.popleft()
        if len(minute) >= self.rules.per_minute:
            return False
        minute.append(now)
        return True
