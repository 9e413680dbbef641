"""Who asks: the client's address behind one's own proxies, the session of a browser, the access key of the house.

A session is a cookie that we signed; its id is a hash of it, so nothing that is kept or logged lets anybody in. The
cookies' names end with a mark of the data folder, because browsers share cookies between the ports of one host.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import Scope

from core.errors import StoreError

KEY_FILE = "access-key"
SECRET_FILE = "web-secret"
LONGEST_COOKIE_SECONDS = 400 * 86_400
"""What browsers keep at most (RFC 6265bis, 5.5)."""
ADDRESSES_KEPT = 10_000


# The key and the secret, in the data folder.


def kept_key(folder: Path) -> str | None:
    """The access key, if one was made. Raises StoreError where it cannot be read."""
    return _read(folder / KEY_FILE)


def needs_key(wanted: str, *, alone: bool, hosts: Sequence[str], trusted_proxies: Sequence[str]) -> bool:
    """Must visitors show the access key? ``wanted`` is the setting; ``alone``: nobody but this machine reaches the
    address that is listened on. A name of its own, or a proxy, lets others in all the same."""
    return wanted == "always" or (wanted == "auto" and not (alone and not hosts and not trusted_proxies))


def make_key(folder: Path) -> tuple[str, bool]:
    """The access key, and whether it was made just now. Raises StoreError where it cannot be kept."""
    return _kept(folder / KEY_FILE)


def files(folder: Path) -> dict[str, str]:
    """The key and the secret by the names of their files, as far as they are there: without the secret nobody's browser
    would be known again. Raises StoreError where one cannot be read."""
    return {name: text for name in (KEY_FILE, SECRET_FILE) if (text := _read(folder / name))}


def put_back(folder: Path, kept: Mapping[str, str]) -> None:
    """Write what ``files`` gave, but no key over another one: that was made because the old one had got about."""
    for name, text in kept.items():
        if name != KEY_FILE or not _read(folder / name):
            _write(folder / name, text)


def _kept(file: Path) -> tuple[str, bool]:
    if found := _read(file):
        return found, False
    made = secrets.token_urlsafe(32)
    _write(file, made)
    return made, True


def _write(file: Path, text: str) -> None:
    draft = file.with_name(f"{file.name}.new")
    try:
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(text + "\n")
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror or error}. Give Conch room there.") from error


def _read(file: Path) -> str | None:
    try:
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
        return file.read_text(encoding="ascii").strip() or None
    except FileNotFoundError:
        return None
    except OSError as error:
        why = error.strerror or str(error)
        raise StoreError(f"{file} cannot be read: {why}. Only Conch's system user may read it.") from error
    except UnicodeDecodeError as error:
        raise StoreError(f"{file} does not hold what Conch wrote. Remove it; the next start makes it anew.") from error


# Where a request comes from.


@dataclass(frozen=True, slots=True)
class Caller:
    """``host`` is the authority that the browser shows (lower case, None where it is missing or given twice);
    ``here`` is the address and port of ours that the connection came in on."""

    address: str
    scheme: str
    host: str | None
    here: tuple[str, int]


class Proxies:
    """One's own proxies, whose X-Forwarded-* headers are believed; anybody else's are not looked at."""

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ip_network(network, strict=False) for network in networks]

    def caller(self, scope: Scope) -> Caller:
        """Who sent this request, and by which name they know us."""
        headers = Headers(scope=scope)
        peer = (scope.get("client") or ("", 0))[0]
        server = scope.get("server") or ("", 0)
        here = (server[0], server[1] or 0)
        scheme = str(scope.get("scheme", "http"))
        host = _only(headers.getlist("host"))
        if not self.trusts(peer):
            return Caller(peer, scheme, host, here)
        proto = _items(headers.getlist("x-forwarded-proto"))
        forwarded = _items(headers.getlist("x-forwarded-host"))
        return Caller(
            self._client(peer, _items(headers.getlist("x-forwarded-for"))),
            proto[-1].lower() if proto and proto[-1].lower() in ("http", "https") else scheme,
            forwarded[-1].lower() if forwarded else host,
            here,
        )

    def trusts(self, text: str) -> bool:
        """Is this the address of one of them?"""
        address = _address(text)
        return address is not None and any(address in network for network in self._networks)

    def _client(self, peer: str, chain: list[str]) -> str:
        """The last address of the chain that is not a proxy of ours."""
        for address in reversed(chain):
            if not self.trusts(peer):
                break
            peer = address
        return peer


def _only(values: list[str]) -> str | None:
    return values[0].strip().lower() if len(values) == 1 else None


def _items(values: list[str]) -> list[str]:
    return [item.strip() for value in values for item in value.split(",") if item.strip()]


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


# Limits per address.


class Allowance:
    """``count`` events per ``seconds`` and address, or IPv6 network of 64 bits; 0 = no limit. Forgets the stalest."""

    def __init__(self, count: int, seconds: float, clock: Callable[[], float]) -> None:
        self._count, self._seconds, self._clock = count, seconds, clock
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str) -> float:
        """Seconds until the next is allowed; 0 = now."""
        times = self._times.get(party(address))
        now = self._clock()
        while times and times[0] <= now - self._seconds:
            times.popleft()
        if not self._count or not times or len(times) < self._count:
            return 0.0
        return times[0] + self._seconds - now

    def count(self, address: str) -> None:
        """One has happened."""
        if not self._count:
            return
        key = party(address)
        self._times.setdefault(key, deque(maxlen=self._count)).append(self._clock())
        self._times.move_to_end(key)
        while len(self._times) > ADDRESSES_KEPT:
            self._times.popitem(last=False)


def party(text: str) -> str:
    """Whom an address stands for: itself, or the IPv6 network of 64 bits that one household is given."""
    address = _address(text)
    return str(IPv6Network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address or text)


# Cookies.


class Cookies:
    """Makes and reads the two cookies: the session, and the proof that its browser was given the access key."""

    def __init__(self, folder: Path, key: str | None) -> None:
        secret, _ = _kept(folder / SECRET_FILE)
        self._secret = secret.encode()
        self._key = key
        self._mark = hashlib.sha256(b"name" + self._secret).hexdigest()[:8]

    def session(self, headers: Headers, *, secure: bool) -> str | None:
        """The id of the browser's session; None where it has none of ours."""
        value = self._read(headers, "conch", secure=secure)
        token, _, seal = (value or "").partition(".")
        return _id(value) if value and self._same(seal, self._seal("session", token)) else None

    def new_session(self) -> tuple[str, str]:
        """A cookie's value, and the id of its session."""
        token = secrets.token_urlsafe(24)
        value = f"{token}.{self._seal('session', token)}"
        return value, _id(value)

    def session_header(self, headers: Headers, value: str | None, *, secure: bool) -> str:
        """The Set-Cookie header that gives the browser ``value``, or keeps what it has for longer."""
        return self._header("conch", value or self._read(headers, "conch", secure=secure) or "", secure=secure)

    def admitted(self, headers: Headers, *, secure: bool) -> bool:
        """May this browser come in? Always, where the house has no key."""
        if self._key is None:
            return True
        bearer = headers.get("authorization", "").partition(" ")
        if bearer[0].lower() == "bearer" and self.opens(bearer[2].strip()):
            return True
        return self._same(self._read(headers, "conch_access", secure=secure) or "", self._seal("access", self._key))

    def opens(self, key: str) -> bool:
        """Is it the key?"""
        return self._key is not None and self._same(key, self._key)

    def access_header(self, *, secure: bool) -> str:
        """The Set-Cookie header that lets a browser in which has shown the key."""
        return self._header("conch_access", self._seal("access", self._key or ""), secure=secure)

    def _seal(self, kind: str, text: str) -> str:
        return hmac.new(self._secret, f"{kind}:{text}".encode(), hashlib.sha256).hexdigest()

    @staticmethod
    def _same(given: str, true: str) -> bool:
        return hmac.compare_digest(given.encode(), true.encode())

    def _name(self, kind: str, *, secure: bool) -> str:
        return f"{'__Host-' if secure else ''}{kind}_{self._mark}"

    def _read(self, headers: Headers, kind: str, *, secure: bool) -> str | None:
        return cookie_parser(headers.get("cookie", "")).get(self._name(kind, secure=secure))

    def _header(self, kind: str, value: str, *, secure: bool) -> str:
        name = self._name(kind, secure=secure)
        end = "; Secure" if secure else ""
        return f"{name}={value}; Path=/; Max-Age={LONGEST_COOKIE_SECONDS}; HttpOnly; SameSite=Strict{end}"


def _id(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()[:32]
