"""Discord's rate limits, really counted: buckets per route and channel, and one limit over everything."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Limit:
    """At most ``calls`` in a window of ``seconds`` that begins with the first call in it."""

    calls: int
    seconds: float


@dataclass(frozen=True)
class Verdict:
    """``retry_after`` None: the call may pass. ``headers`` as Discord sends them."""

    headers: dict[str, str]
    retry_after: float | None = None
    everywhere: bool = False


@dataclass
class _Bucket:
    limit: Limit
    began: float = float("-inf")
    used: int = 0


DEFAULTS = {
    ("POST", "/channels/{channel_id}/messages"): Limit(5, 5.0),
    ("PATCH", "/channels/{channel_id}/messages/{message_id}"): Limit(5, 5.0),
    ("POST", "/channels/{channel_id}/typing"): Limit(5, 5.0),
    ("PATCH", "/webhooks/{webhook_id}/{webhook_token}/messages/@original"): Limit(5, 2.0),
}
OTHERS = EVERYWHERE = Limit(50, 1.0)


@dataclass
class Limits:
    """``wrongs`` are the calls that came while their caller had been told to wait."""

    clock: Callable[[], float]
    routes: dict[tuple[str, str], Limit] = field(default_factory=lambda: dict(DEFAULTS))
    others: Limit = OTHERS
    everywhere: Limit = EVERYWHERE
    refused: list[str] = field(default_factory=list)
    calls: int = 0
    wrongs: list[str] = field(default_factory=list)
    _buckets: dict[tuple[str, str, str], _Bucket] = field(default_factory=dict)
    _recent: deque[float] = field(default_factory=deque)
    _told: dict[tuple[str, str, str], float] = field(default_factory=dict)

    def lift(self) -> None:
        """No limits, but those that a test asks for."""
        self.routes = {}
        self.others = self.everywhere = Limit(100_000, 1.0)

    def take(self, method: str, template: str, major: str) -> Verdict:
        """Count a call. ``major`` is the channel, guild or webhook that it is about."""
        now = self.clock()
        self.calls += 1
        key = (method, template, major)
        if self._told.get(key, 0.0) > now + 0.01:  # the caller's clock may be that much off
            self.wrongs.append(f"{method} {template} of {major}: {self._told[key] - now:.2f} s too early")
        while self._recent and self._recent[0] <= now - self.everywhere.seconds:
            self._recent.popleft()
        if len(self._recent) >= self.everywhere.calls and not template.startswith(("/interactions", "/webhooks")):
            self.refused.append("everywhere")
            return Verdict({"X-RateLimit-Global": "true"}, self._recent[0] + self.everywhere.seconds - now, True)
        bucket = self._buckets.setdefault(key, _Bucket(self.routes.get((method, template), self.others)))
        if now - bucket.began >= bucket.limit.seconds:
            bucket.began, bucket.used = now, 0
        reset_after = bucket.began + bucket.limit.seconds - now
        allowed = bucket.used < bucket.limit.calls
        if allowed:
            bucket.used += 1
            self._recent.append(now)
        headers = {
            "X-RateLimit-Limit": str(bucket.limit.calls),
            "X-RateLimit-Remaining": str(bucket.limit.calls - bucket.used),
            "X-RateLimit-Reset": f"{now + reset_after:.3f}",
            "X-RateLimit-Reset-After": f"{reset_after:.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(f"{method} {template}".encode()).hexdigest()[:32],
        }
        if allowed:
            return Verdict(headers)
        self.refused.append(f"{method} {template}")
        self.told(method, template, major, reset_after)
        return Verdict({**headers, "X-RateLimit-Scope": "user"}, reset_after)

    def told(self, method: str, template: str, major: str, seconds: float) -> None:
        """The caller has been told to stay away for so long."""
        self._told[method, template, major] = self.clock() + seconds
