"""Who may speak, and who owns: what the settings say, and what was granted while running."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable

from core.errors import NotAllowed
from core.store.store import Store

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Of a code that people read to each other: none that looks like another."""
CODE_LENGTH = 6
ASKING_KEPT = 1000
"""Of strangers who asked to be admitted: the newest."""
_ASKS = "code:"


def made_code() -> str:
    """A code for one stranger."""
    return "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))


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
        new_code: Callable[[], str] = made_code,
    ) -> None:
        self._owners, self._allowed = frozenset(owners), frozenset(allowed)
        self._exempt, self._blocked = frozenset(exempt), frozenset(blocked)
        self._open_to, self._new_code = frozenset(open_to), new_code
        self._hosts: set[str] = set()
        self._granted: dict[str, str] = {}
        self._asking: dict[str, str] = {}  # code -> who asks, the oldest first
        self._claim: str | None = None

    async def load(self, store: Store) -> None:
        """Read what was granted in earlier runs."""
        kept = await store.grants()
        self._granted = {who: role for who, role in kept.items() if not role.startswith(_ASKS)}
        self._asking = {role.removeprefix(_ASKS): who for who, role in kept.items() if role.startswith(_ASKS)}

    def host(self, user: str) -> None:
        """A platform says that this person runs the bot there: an owner for as long as Conch runs."""
        self._hosts.add(user)

    def owns(self, user: str) -> bool:
        """Is this one of the owners?"""
        return user in self._owners or user in self._hosts or self._granted.get(user) == "owner"

    def exempt(self, user: str) -> bool:
        """Do the limits pass this person by? Owners are exempt."""
        return user in self._exempt or self.owns(user)

    def shut_out(self, *names: str) -> bool:
        """Is one of these people and places blocked, not merely unknown?"""
        return any(name in self._blocked or self._granted.get(name) == "denied" for name in names)

    def check(self, user: str, places: Iterable[str] = ()) -> None:
        """Raises NotAllowed unless the person is admitted, by themselves or by one of the places they speak in."""
        names = (user, *places)
        if self.shut_out(*names):
            raise NotAllowed
        if self.owns(user) or user.partition(":")[0] in self._open_to:
            return
        if not any(name in self._allowed or self._granted.get(name) == "allowed" for name in names):
            raise NotAllowed

    async def grant(self, store: Store, who: str, role: str) -> None:
        """Admit, deny or make an owner; kept over restarts. ``role``: owner, allowed or denied."""
        await store.grant(who, role)
        self._granted[who] = role
        self._asking = {code: asking for code, asking in self._asking.items() if asking != who}

    async def revoke(self, store: Store, who: str) -> None:
        """As if nothing had ever been granted to this person or place, nor asked by them."""
        await store.revoke(who)
        self._granted.pop(who, None)
        self._asking = {code: asking for code, asking in self._asking.items() if asking != who}

    async def move(self, store: Store, old: str, new: str) -> None:
        """A place has another id now: what it may, by the settings too, goes along, and so does the code it was given.

        What was decided of the new one since stays.
        """
        role = "denied" if self.shut_out(old) else self._granted.get(old)
        if role is None and old in self._allowed:
            role = "allowed"
        codes = [code for code, asking in self._asking.items() if asking == old]
        if role is not None and new not in self._granted:
            await self.grant(store, new, role)
        elif codes and role is None and new not in self._granted:
            await store.grant(new, f"{_ASKS}{codes[0]}")
            self._asking.update(dict.fromkeys(codes, new))
        if old in self._granted or codes:
            await self.revoke(store, old)

    async def ask(self, store: Store, who: str) -> str:
        """The code by which an owner admits this person or place: the same whenever they ask, also after a restart."""
        for code, asking in self._asking.items():
            if asking == who:
                return code
        while (code := self._new_code()) in self._asking:
            pass
        if len(self._asking) >= ASKING_KEPT:
            await self.revoke(store, next(iter(self._asking.values())))
        await store.grant(who, f"{_ASKS}{code}")
        self._asking[code] = who
        return code

    async def forget(self, store: Store, who: str) -> None:
        """Somebody who is forgotten asks for nothing any more; what an owner has decided of them stays."""
        if who in self._asking.values():
            await self.revoke(store, who)

    def asking(self, code: str) -> str | None:
        """Who was given this code."""
        return self._asking.get(code.strip().upper())

    def claim_code(self) -> str | None:
        """A one-time code by which somebody becomes the owner; None when there is an owner already."""
        if self._owners or "owner" in self._granted.values():
            return None
        self._claim = self._claim or secrets.token_urlsafe(16)
        return self._claim

    async def claim(self, store: Store, code: str, user: str) -> bool:
        """Make ``user`` the owner if ``code`` is the one that ``claim_code`` gave; a code works once."""
        if self._claim is None or not hmac.compare_digest(code.encode(), self._claim.encode()):
            return False
        self._claim = None
        await self.grant(store, user, "owner")
        return True
