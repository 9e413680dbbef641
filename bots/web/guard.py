"""What stands before every page and every call: which name we were called by, from which page, how much at once.

Browsers send a person's cookies along with whatever another site makes them ask for. So a call must name us by a name
that is ours (no other site's name may be pointed here), must come from a page of ours, and must be JSON.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bots.talk.wording import Wording
from bots.web.access import Caller, Proxies

LONGEST_BODY = 64 * 1024
LONGEST_QUESTION = 1024 * 1024
"""Bytes of a call of the page where the longest question has no limit of its own."""
LONGEST_HEADERS = 16 * 1024
LONGEST_HOOK = 1024 * 1024
HOOKS = "/hooks/"
"""Called by other programs, under whatever name; no browser's cookie counts there, so no browser can be misused."""
PROBES = ("/healthz", "/readyz")
"""Asked by machines under whatever name; they tell nothing of people."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; font-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Denied(Exception):
    """A request that goes no further. ``cause`` names its sentence, ``web-<cause>``, which ``values`` fill in."""

    def __init__(self, status: int, cause: str, **values: object) -> None:
        super().__init__(cause)
        self.status, self.cause, self.values = status, cause, values


def names(host: str, port: int, hosts: Iterable[str]) -> frozenset[str]:
    """The authorities by which a browser may know us: loopback's, that of ``host``, and those that were configured.

    A configured name may carry its own port, as behind a proxy; without one it is good on any port that we have.
    """
    ours = {"127.0.0.1", "localhost", "[::1]", authority(host)}
    found = {spelled for name in ours for spelled in _spelled(name, port)}
    for name in (name.lower() for name in hosts):
        found |= {name} if ":" in name else {name, f"{name}:{port}"}
    return frozenset(found)


def _spelled(name: str, port: int) -> set[str]:
    """Browsers leave the port out where the scheme implies it."""
    return {name, f"{name}:{port}"} if port in (80, 443) else {f"{name}:{port}"}


def authority(host: str) -> str:
    """``host`` as an address bar shows it: IPv6 in brackets."""
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return host.lower()
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or f"[{address}]")
    return str(address)


class Guard:
    """The outermost layer. What it lets through has ``scope["caller"]``; whatever goes out has the headers."""

    def __init__(
        self, app: ASGIApp, proxies: Proxies, names: frozenset[str], wording: Wording, characters: int
    ) -> None:
        """``characters`` is the longest question; 0 = no limit."""
        self._app, self._proxies, self._names, self._wording = app, proxies, names, wording
        self._longest = longest_call(characters)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"there is no {scope['type']} here")
        caller = scope["caller"] = self._proxies.caller(scope)
        answering = _Answering(send)
        try:
            self._check(scope, caller)
            longest = LONGEST_HOOK if scope["path"].startswith(HOOKS) else self._longest
            await self._app(scope, _bounded(receive, longest), answering)
        except Denied as denied:
            if answering.started:
                raise
            await denial(scope, denied, self._wording)(scope, receive, answering)

    def _check(self, scope: Scope, caller: Caller) -> None:
        """Raises Denied for what no page of ours would send."""
        headers = Headers(scope=scope)
        if sum(len(name) + len(value) for name, value in scope["headers"]) > LONGEST_HEADERS:
            raise Denied(431, "too-much")
        if scope["path"] in PROBES:
            return
        if scope["path"].startswith(HOOKS):
            _check_length(headers, LONGEST_HOOK)
            return
        if not self._ours(caller):
            raise Denied(403, "unknown-host", host=(caller.host or "?")[:100])
        if scope["method"] in ("GET", "HEAD"):
            if scope["path"].startswith("/api/") and headers.get("sec-fetch-site", "none") not in _NEAR:
                raise Denied(403, "foreign-page")
            return
        if scope["method"] != "POST":
            raise Denied(405, "bad-request")
        if not _same_origin(headers.getlist("origin"), caller) or headers.get("sec-fetch-site", "none") not in _NEAR:
            raise Denied(403, "foreign-page")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Denied(415, "bad-request")
        _check_length(headers, self._longest)

    def _ours(self, caller: Caller) -> bool:
        """An address that the connection itself came in on is a name as well: no other site can have that."""
        here, port = caller.here
        return caller.host in self._names or (
            caller.host is not None and caller.host in _spelled(authority(here), port)
        )


_NEAR = ("same-origin", "none")


def _same_origin(origins: list[str], caller: Caller) -> bool:
    """One origin, the host that was asked, and no plainer a scheme. (A proxy that we were not told of may add TLS.)"""
    scheme, _, host = origins[0].lower().partition("://") if len(origins) == 1 else ("", "", "")
    return host == caller.host and scheme in (caller.scheme, "https")


def longest_call(characters: int) -> int:
    """Bytes that a call of the page may have where a question has at most so many characters (0: no limit)."""
    return max(LONGEST_BODY, 4 * characters + 4096) if characters else LONGEST_QUESTION


def _check_length(headers: Headers, most: int) -> None:
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most:
        raise Denied(413, "too-much")


def _bounded(receive: Receive, most: int) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > most:
            raise Denied(413, "too-much")
        return message

    return bounded


class _Answering:
    """Adds our headers to whatever is sent, and knows whether anything was."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(raw=list(message.get("headers", [])))
            for name, value in _HEADERS.items():
                headers[name] = value
            headers.setdefault("cache-control", "no-store")
            message = {**message, "headers": headers.raw}
        await self._send(message)


def language_of(scope: Scope, wording: Wording) -> str:
    """The page's language: it sends the one that was chosen, else the browser its owner's."""
    return wording.choose(Headers(scope=scope).get("accept-language", "").split(","))


def denial(scope: Scope, denied: Denied, wording: Wording) -> Response:
    """The answer to a request that goes no further: for the page's own calls as JSON, else as a line of text."""
    values: dict[str, Any] = denied.values
    sentence = wording(language_of(scope, wording), f"web-{denied.cause}", **values)
    headers = {"retry-after": str(max(1, round(values["seconds"])))} if "seconds" in values else {}
    if scope["path"].startswith("/api/"):
        return JSONResponse({"cause": denied.cause, "sentence": sentence}, denied.status, headers)
    return PlainTextResponse(sentence + "\n", denied.status, headers)
