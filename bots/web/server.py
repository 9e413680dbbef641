"""The web page: listens, tells the page's files from its calls, and ends without leaving anybody waiting.

Who may call is decided in `guard` and `access`; what can be asked is in `api`; how an open page follows
what happens, in `feed`.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from types import MappingProxyType

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from bots.talk.wording import Say, Wording, refused
from bots.web.access import Cookies, Proxies, make_key, needs_key
from bots.web.addresses import outgoing_address, page_address
from bots.web.api import Api
from bots.web.assets import Assets
from bots.web.connections import ACCEPTED_AT_ONCE, Bounds, Connections, protocol
from bots.web.guard import HOOKS, LONGEST_HEADERS, Denied, Guard, authority, denial, language_of, names
from bots.web.request import body_of
from core import errors
from core.chat.chat import Chat
from core.errors import ConchError, Refused

HEARTBEAT_SECONDS = 15.0
"""Longest silence of a stream: below the 30 to 60 s after which proxies hang up."""
PACE_SECONDS = 0.1
"""Least time between two looks at a growing answer: ten a second read as smooth."""
QUEUED = 1024
"""Connections that the system keeps for us until we take them."""
IDLE_SECONDS = 30
"""How long a connection may rest between two requests."""
SHUTDOWN_SECONDS = 2
STATUS: Mapping[type[Refused], int] = {
    errors.Empty: 422,
    errors.Expired: 410,
    errors.NotAllowed: 403,
    errors.NotFound: 404,
    errors.NotYours: 404,
    errors.QueueFull: 429,
    errors.ShuttingDown: 503,
    errors.StoreFull: 507,
    errors.TooLong: 413,
    errors.Wait: 429,
}
"""HTTP status of a refusal; 409 for the others."""


Hook = Callable[[Mapping[str, str], bytes], Awaitable[int]]
"""What another program calls: gets the headers (names in lower case) and the body, gives the HTTP status."""


class AddressUnusable(ConchError):
    """The page's address cannot be listened on; the text is a sentence that says what to do."""


@dataclass(frozen=True, slots=True)
class WebOptions:
    """``folder`` is the data folder. ``key``: see ``needs_key``. ``characters`` is the longest question, ``language``
    that of the terminal; ``retention_days`` as in the store."""

    folder: Path
    host: str = "127.0.0.1"
    port: int = 8765
    key: str = "auto"
    hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    sessions_per_hour: int = 60
    characters: int = 0
    retention_days: int = 0
    language: str = "en"
    pace: float = PACE_SECONDS
    heartbeat: float = HEARTBEAT_SECONDS
    bounds: Bounds = field(default_factory=Bounds)


@dataclass(frozen=True, slots=True)
class WebFront:
    """``address`` is where the page is on this machine, ``shown`` how people find it. ``key`` is the access key, None
    where none is needed; it is ``new`` when it was made at this start, and then ``invitation``, the address with the
    key in it, is worth printing once."""

    address: str
    shown: str
    port: int
    key: str | None
    new: bool

    @property
    def invitation(self) -> str:
        """The address that lets a browser in."""
        return self.shown if self.key is None else f"{self.shown}?key={self.key}"


@asynccontextmanager
async def connect(
    chat: Chat,
    wording: Wording,
    options: WebOptions,
    *,
    health: Callable[[], Mapping[str, object]],
    metrics: Callable[[], bytes],
    ended: Callable[[], None] = lambda: None,
    hooks: Mapping[str, Hook] = MappingProxyType({}),
) -> AsyncIterator[WebFront]:
    """Serves the page until the block ends. ``health`` gives what /readyz tells (``ready`` among it), ``metrics``
    Prometheus' text. ``ended`` hears of a server that fails before its time. ``hooks`` are served at /hooks/<name>,
    also those that come into the mapping later; each must know its callers by itself.

    Raises AddressUnusable where it cannot listen, StoreError where a key cannot be kept.
    """
    say = wording.bind(options.language)
    listener = await _listen(options, say)
    try:
        address, port = listener.getsockname()[:2]
        alone = ip_address(address).is_loopback
        asks = needs_key(options.key, alone=alone, hosts=options.hosts, trusted_proxies=options.trusted_proxies)
        key, new = make_key(options.folder) if asks else (None, False)
        cookies = Cookies(options.folder, key)
        api = Api(
            chat,
            wording,
            cookies,
            sessions_per_hour=options.sessions_per_hour,
            characters=options.characters,
            retention_days=options.retention_days,
            pace=options.pace,
            heartbeat=options.heartbeat,
        )
        proxies = Proxies(options.trusted_proxies)
        app = Guard(
            _app(api, Assets(wording), wording, health, metrics, hooks),
            proxies,
            names(options.host, port, options.hosts),
            wording,
            options.characters,
        )
        here = f"http://{authority(outgoing_address(address))}:{port}/"
        shown = page_address(options.host, port, options.hosts, proxied=bool(options.trusted_proxies))
    except BaseException:
        listener.close()
        raise
    async with _serving(app, listener, Connections(options.bounds, proxies), api, ended):
        yield WebFront(here, shown, port, key, new)


# Listening.


async def _listen(options: WebOptions, say: Say) -> socket.socket:
    """A socket that listens already, so that whoever comes before the server is up waits and is not sent away."""
    listener = None
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, where = found[0]
        listener = _Listener(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if where[0] == "::" else 1)
        listener.bind(where)
        listener.listen()
        listener.setblocking(False)
    except OSError as error:
        if listener is not None:
            listener.close()
        key = {errno.EADDRINUSE: "web-port-taken", errno.EACCES: "web-port-forbidden"}.get(error.errno or 0)
        other = str(options.port % 65535 + 1)
        sentence = say(key or "web-host-unknown", host=options.host, port=str(options.port), other=other)
        raise AddressUnusable(sentence) from error
    return listener


class _Listener(socket.socket):
    """A listening socket for which the system keeps QUEUED connections, however few the loop takes at once: asyncio has
    one number for both."""

    def listen(self, _: int = QUEUED, /) -> None:
        super().listen(QUEUED)


class _Server(uvicorn.Server):
    """uvicorn in a house that hears the signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def _serving(
    app: ASGIApp, listener: socket.socket, connections: Connections, api: Api, ended: Callable[[], None]
) -> AsyncIterator[None]:
    server = _Server(
        uvicorn.Config(
            app,
            http=protocol(connections),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            h11_max_incomplete_event_size=LONGEST_HEADERS,
            backlog=ACCEPTED_AT_ONCE,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="web")
    serving.add_done_callback(lambda task: _told(task, ended))
    try:
        yield
    finally:
        api.streams.close()
        server.should_exit = True
        await asyncio.wait({serving})


def _told(serving: asyncio.Task[None], ended: Callable[[], None]) -> None:
    """A server that ended by itself is worth a line; the rest of the house goes on."""
    if not serving.cancelled() and (failure := serving.exception()):
        _log.error("the page's server has ended", exc_info=failure)
        ended()


# What is served.


def _app(
    api: Api,
    assets: Assets,
    wording: Wording,
    health: Callable[[], Mapping[str, object]],
    metrics: Callable[[], bytes],
    hooks: Mapping[str, Hook],
) -> Starlette:
    async def index(request: Request) -> Response:
        key = request.query_params.get("key")
        if key is None or request.headers.get("sec-fetch-dest", "document") != "document":
            return assets.index(request)  # a key counts where a person goes, not where a page makes a browser ask
        return _enter(api, request, key)

    async def alive(_: Request) -> Response:
        return JSONResponse({"alive": True})

    async def ready(_: Request) -> Response:
        state = health()
        return JSONResponse(state, 200 if state["ready"] else 503)

    async def figures(request: Request) -> Response:
        if not api.admitted(request):
            raise Denied(401, "key-needed")
        return Response(metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def called(request: Request) -> Response:
        hook = hooks.get(request.path_params["name"])
        if hook is None:
            return Response(status_code=404)
        return Response(status_code=await hook(dict(request.headers), await body_of(request)))

    async def denied(request: Request, failure: Exception) -> Response:
        assert isinstance(failure, Denied)
        return denial(request.scope, failure, wording)

    async def refusal(request: Request, failure: Exception) -> Response:
        assert isinstance(failure, Refused)
        return _refusal(failure, wording.bind(language_of(request.scope, wording)))

    async def broken(request: Request, _: Exception) -> Response:
        sentence = wording(language_of(request.scope, wording), "failed")
        return JSONResponse({"cause": "failed", "sentence": sentence}, 500)

    own = {"/": index, "/healthz": alive, "/readyz": ready, "/metrics": figures}
    return Starlette(
        routes=[
            *(Route(path, handler) for path, handler in own.items()),
            Route(f"{HOOKS}{{name}}", called, methods=["POST"]),
            *assets.routes(),
            *api.routes(),
        ],
        exception_handlers={Denied: denied, Refused: refusal, Exception: broken},
    )


def _enter(api: Api, request: Request, key: str) -> Response:
    """Exchanges the key of an invitation for a cookie, and the address for one without it."""
    try:
        cookie = api.show_key(request, key)
    except Denied as denied:
        return RedirectResponse(f"/#{denied.cause}", 303)
    return RedirectResponse("/", 303, {"set-cookie": cookie})


def _refusal(refusal: Refused, say: Say) -> Response:
    """A refusal as JSON; somebody else's things are refused like things that are not there."""
    if isinstance(refusal, errors.NotYours):
        refusal = errors.NotFound()
    status = next((code for kind, code in STATUS.items() if isinstance(refusal, kind)), 409)
    seconds = refusal.details.get("seconds")
    headers = {"retry-after": str(max(1, round(float(seconds))))} if seconds is not None else {}
    return JSONResponse({"cause": refusal.cause, "sentence": refused(say, refusal)}, status, headers)


_log = logging.getLogger(__name__)
