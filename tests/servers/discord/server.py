"""The whole Discord on a port of the loopback, with the faults that a test asks for."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from tests.servers.discord import rest
from tests.servers.discord.gateway import Gateway
from tests.servers.discord.interactions import Interactions
from tests.servers.discord.limits import Limits
from tests.servers.discord.model import Problem
from tests.servers.discord.people import Person
from tests.servers.discord.rest import Call
from tests.servers.discord.spec import Spec
from tests.servers.discord.world import World

API = "/api/v10"
PATIENCE_SECONDS = 20.0

How = Literal["reset", "lost", "hang", "late"] | Problem | int
"""``reset``: the connection breaks before anything is done; ``lost``: after it was done; ``hang``: nothing is done and
nothing answered; ``late``: it is done and never answered; a Problem or a status: that is the answer."""


@dataclass(eq=False)
class Fault:
    """A route that misbehaves, ``times`` times, for the calls that it is for."""

    method: str
    template: str
    how: How
    times: int
    only: Callable[[Call], bool] = lambda call: True
    hit: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Seen:
    """A request as it came: when, what, and how it was answered."""

    at: float
    call: Call
    status: int


class Dropped(Exception):
    """A request never arrives."""


class DiscordServer:
    """``clock`` is Discord's own (Unix seconds). ``calls`` are all requests, ``wrongs`` what Discord would not like."""

    def __init__(
        self, *, clock: Callable[[], float] = time.time, spec: Spec | None = None, message_content: bool = False
    ) -> None:
        self.world = World(clock, message_content)
        self.interactions = Interactions(self.world)
        self.gateway = Gateway(self.world, lambda: self.gateway_url)
        self.limits = Limits(clock)
        self.api = rest.Api(self.world, self.interactions, self.gateway.info)
        self.faults: list[Fault] = []
        self.calls: list[Seen] = []
        self.wrongs: list[str] = []
        self.before: Callable[[Call], Awaitable[None]] | None = None
        self.after: Callable[[Call], Awaitable[None]] | None = None
        self.on_change: Callable[[], object] = lambda: None
        self.address = ""
        self._spec = spec
        self._moved = asyncio.Event()
        self._never = asyncio.Event()
        self.gateway.on_event = lambda name, data: self.wake()

    @property
    def api_url(self) -> str:
        return f"http://{self.address}{API}"

    @property
    def gateway_url(self) -> str:
        return f"ws://{self.address}/gateway"

    def person(self, name: str, *, locale: str = "en-US") -> Person:
        """Somebody new."""
        return Person(self, self.world.person(name, locale=locale))

    def breaks(
        self, method: str, template: str, how: How, times: int = 1, only: Callable[[Call], bool] = lambda call: True
    ) -> Fault:
        """The next ``times`` calls of a route go wrong. ``template`` is a regular expression for the route's."""
        fault = Fault(method, template, how, times, only)
        self.faults.append(fault)
        return fault

    def wake(self) -> None:
        """Something has changed."""
        self._moved.set()
        self._moved = asyncio.Event()
        self.on_change()

    async def until(self, true: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
        """Returns when ``true()`` holds after a request; raises TimeoutError when it never does."""
        async with asyncio.timeout(seconds):
            while not true():
                await self._moved.wait()

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncIterator[DiscordServer]:
        """On a port until the block ends; 0 is any free one."""
        app = web.Application(client_max_size=30_000_000)
        app.router.add_get("/gateway", self.gateway.serve)
        app.router.add_get("/attachments/{tail:.*}", self._file)
        app.router.add_route("*", "/{tail:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", port)
            await site.start()
            host, port = runner.addresses[0][:2]
            self.address = self.world.files_at = f"{host}:{port}"
            self.world.files_at = f"http://{self.address}"
            yield self
        finally:
            self._never.set()
            self.gateway.cut()
            await runner.cleanup()

    async def _file(self, request: web.Request) -> web.StreamResponse:
        fault = self._fault(Call("GET", "/attachments", {}, {}, None))
        if fault is not None and isinstance(fault.how, int):
            return web.Response(status=fault.how)
        file = self.world.files.get(request.path)
        if file is None:
            return web.Response(status=404)
        return web.Response(body=file.data, headers={"Content-Type": file.content_type})

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        path = request.path.removeprefix(API)
        found = rest.find(request.method, path)
        if found is None or not request.path.startswith(API):
            self.wrongs.append(f"{request.method} {request.path} is not served")
            return _answer(404, {"code": 0, "message": "404: Not Found"}, {})
        template, ids, handler = found
        body, uploads = await _body(request)
        call = Call(request.method, template, ids, dict(request.query), body, uploads)
        fault = self._fault(call)
        if fault is not None and fault.how in ("reset", "hang"):
            return await self._break(request, fault)
        if self.before is not None:
            try:
                await self.before(call)
            except Dropped:
                return web.Response(status=503)
        status, told, headers = self._handle(request, call, handler, fault)
        self.calls.append(Seen(self.world.clock(), call, status))
        if self.after is not None:
            await self.after(call)
        self.wake()
        if fault is not None and fault.how in ("lost", "late"):
            return await self._break(request, fault)
        return _answer(status, told, headers)

    def _handle(
        self, request: web.Request, call: Call, handler: rest.Handler, fault: Fault | None
    ) -> tuple[int, Any, dict[str, str]]:
        by_token = call.template.startswith(("/webhooks", "/interactions"))
        wrong_token = request.headers.get("Authorization") != f"Bot {self.world.token}"
        if (self.gateway.revoked or wrong_token) and not by_token:
            return 401, {"code": 0, "message": "401: Unauthorized"}, {}
        verdict = self.limits.take(call.method, call.template, call.major)
        if verdict.retry_after is not None:
            return _limited(verdict.retry_after, verdict.headers, everywhere=verdict.everywhere)
        if fault is not None and isinstance(fault.how, int):
            return fault.how, {"code": 0, "message": str(fault.how)}, verdict.headers
        try:
            if fault is not None and isinstance(fault.how, Problem):
                if fault.how.status == 429:
                    seconds, everywhere = float(fault.how.message), fault.how.code == 1
                    self.limits.told(call.method, call.template, call.major, seconds)
                    return _limited(seconds, verdict.headers, everywhere=everywhere)
                raise fault.how
            self._check(call)
            status, told = handler(self.api, call)
        except Problem as problem:
            status, told = problem.status, {"code": problem.code, "message": problem.message}
        if self._spec is not None:
            self.wrongs += self._spec.response(call.method, call.template, status, told)
        return status, told, verdict.headers

    def _check(self, call: Call) -> None:
        if self._spec is None:
            return
        files = bool(call.uploads)
        wrongs = list(self._spec.request(call.method, call.template, call.query, call.body, files=files))
        self.wrongs += wrongs
        if wrongs:
            raise Problem(400, 50035, f"Invalid Form Body: {wrongs[0]}")

    def _fault(self, call: Call) -> Fault | None:
        for fault in self.faults:
            concerned = fault.method == call.method and re.fullmatch(fault.template, call.template)
            if fault.times and concerned and fault.only(call):
                fault.times -= 1
                fault.hit.set()
                return fault
        return None

    async def _break(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.how in ("hang", "late"):
            await self._never.wait()
        if request.transport is not None:
            request.transport.abort()
        return web.Response()


def limited(seconds: float, *, everywhere: bool = False) -> Problem:
    """A 429, as a fault."""
    return Problem(429, int(everywhere), str(seconds))


def _limited(seconds: float, headers: dict[str, str], *, everywhere: bool) -> tuple[int, Any, dict[str, str]]:
    told = {"message": "You are being rate limited.", "retry_after": round(seconds, 3), "global": everywhere}
    more = {"Retry-After": f"{seconds:.3f}", "Via": "1.1 loopback"}
    if everywhere:
        return 429, told, {**more, "X-RateLimit-Global": "true", "X-RateLimit-Scope": "global"}
    return 429, told, {**headers, **more, "X-RateLimit-Remaining": "0"}


def _answer(status: int, told: Any, headers: dict[str, str]) -> web.Response:
    if told is None:
        return web.Response(status=status, headers=headers)
    return web.Response(
        status=status, body=json.dumps(told).encode(), headers={**headers, "Content-Type": "application/json"}
    )


async def _body(request: web.Request) -> tuple[Any, tuple[tuple[str, bytes], ...]]:
    """The JSON of a request, and the files beside it."""
    if request.content_type == "application/json":
        return await request.json(), ()
    if request.content_type != "multipart/form-data":
        return None, ()
    body, uploads = None, []
    async for part in await request.multipart():
        if part.name == "payload_json":
            body = json.loads(await part.text())
        else:
            uploads.append((part.filename or "", bytes(await part.read())))
    return body, tuple(uploads)
