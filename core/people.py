"""Who may speak, and who owns: what the settings say, and what was granted while running."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable

from core.errors import NotAllowed
from core.store import Store


class People:
    """People and places, written ``platform:<id>``. ``open_to`` are the platforms that admit whoever reaches them."""

    def __init__(
        self,
        *,
        owners: Iterable[str] = (),
        allowed: Iterable[str] = (),
        exempt: Iterable[str] = (),
        blocked: Iterable[str] = (),
        open_to: Iterable[str] = ("web", "console"),
    ) -> None:
        self._owners, self._allowed = frozenset(owners), frozenset(allowed)
        self._exempt, self._blocked = frozenset(exempt), frozenset(blocked)
        self._open_to = frozenset(open_to)
        self._granted: dict[str, str] = {}
        self._code: str | None = None

    async def load(self, store: Store) -> None:
        """Read what was granted in earlier runs."""
        self._granted = await store.grants()

    def owns(self, user: str) -> bool:
        """Is this one of the owners?"""
        return user in self._owners or self._granted.get(user) == "owner"

    def exempt(self, user: str) -> bool:
        """Do the limits pass this person by? Owners are exempt."""
        return user in self._exempt or self.owns(user)

    def check(self, user: str, places: Iterable[str] = ()) -> None:
        """Raises NotAllowed unless the person is admitted, by themselves or by one of the places they speak in."""
        names = (user, *places)
        if any(name in self._blocked or self._granted.get(name) == "denied" for name in names):
            raise NotAllowed
        if self.owns(user) or user.partition(":")[0] in self._open_to:
            return
        if not any(name in self._allowed or self._granted.get(name) == "allowed" for name in names):
            raise NotAllowed

    async def grant(self, store: Store, who: str, role: str) -> None:
        """Admit, deny or make an owner; kept over restarts. ``role``: owner, allowed or denied."""
        await store.grant(who, role)
        self._granted[who] = role

    def claim_code(self) -> str | None:
        """A one-time code by which somebody becomes the owner; None when there is an owner already."""
        if self._owners or "owner" in self._granted.values():
            return None
        self._code = self._code or secrets.token_urlsafe(16)
        return self._code

    async def claim(self, store: Store, code: str, user: str) -> bool:
        """Make ``user`` the owner if ``code`` is the one that ``claim_code`` gave; a code works once."""
        if self._code is None or not hmac.compare_digest(code.encode(), self._code.encode()):
            return False
        self._code = None
        await self.grant(store, user, "owner")
        return True
