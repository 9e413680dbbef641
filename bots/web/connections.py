"""The connections to the page: how long a request may take to arrive, how many are held at once, and who gives way.

A connection costs a file descriptor whether or not it asks for anything. So one without a complete request has a
deadline that no further byte extends, and it is the first to give way where there are too many: whoever holds
connections without asking keeps nobody out who asks.
"""

from __future__ import annotations

import asyncio
import fcntl
import resource
import sys
import termios
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

import h11
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from bots.web.access import Proxies, party

MOST_CONNECTIONS = 2_000
MOST_FILES = 65_536
"""File descriptors that are enough for anything here; some systems would give a billion."""
KEPT_FILES = 200
"""File descriptors left for the database, the model, the bots, the log, and connections just accepted or closed."""
ACCEPTED_AT_ONCE = 8
"""Connections taken from the system's queue in one turn of the loop. What they sent is read two turns later; so those
whose request has come already are never so many that they make each other give way."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds for a request's headers and for its body; the most connections without a complete request from one
    address, and the most connections in all.

    Per address only those count, since behind Docker or one router all visitors have one address, each page holds a
    stream, and each browser keeps some connections for its next question. Those that rest between two requests have
    uvicorn's time for that, and give way, too, when there are too many in all.
    """

    header_seconds: float = 10.0
    body_seconds: float = 30.0
    per_address: int = 32
    in_all: int = MOST_CONNECTIONS


def raise_files() -> int:
    """Allows this process as many file descriptors as the system lets it have; returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft == resource.RLIM_INFINITY or soft >= most:
        return MOST_FILES if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    except (OSError, ValueError):  # macOS says that there is no limit, and has one
        return soft
    return most


def room(files: int) -> int:
    """The most connections of a process that may have so many file descriptors."""
    return min(MOST_CONNECTIONS, max(files - KEPT_FILES, files // 2))


class Phase(Enum):
    """What a connection is at."""

    HEADERS = auto()
    """It has just come, or sends the headers of a request."""
    BODY = auto()
    """It sends the body of a request."""
    ANSWER = auto()
    """Its request is complete and is being answered, which may take as long as a page stays open."""
    IDLE = auto()
    """It rests between two requests, or takes the end of its last answer."""


class Connections:
    """All connections, those without a complete request and those at rest in the order in which they give way."""

    def __init__(self, bounds: Bounds, proxies: Proxies) -> None:
        self.bounds = bounds
        self._proxies = proxies
        self._all: set[Connection] = set()
        self._asking: dict[Connection, None] = {}
        self._asking_from: dict[str, dict[Connection, None]] = {}
        self._idle: dict[Connection, None] = {}

    def party(self, address: str) -> str | None:
        """By whom a connection from there is counted; None: by nobody, as it is one's own proxy."""
        return None if self._proxies.trusts(address) else party(address)

    def add(self, connection: Connection) -> bool:
        """A new one. Is there room for it? Those that ask for nothing have given way by then."""
        while len(self._all) >= self.bounds.in_all and (waiting := self._asking or self._idle):
            self._dismiss(next(iter(waiting)))
        self._all.add(connection)
        return len(self._all) <= self.bounds.in_all

    def put(self, connection: Connection, phase: Phase) -> None:
        """It has come to ``phase``. Where too many of its address ask, the oldest of them gives way: a visitor is not
        kept out by somebody behind the same router who holds what the address may have."""
        asks = phase in (Phase.HEADERS, Phase.BODY)
        if asks and connection in self._asking:
            return
        self._take_out(connection)
        if phase is Phase.IDLE:
            self._idle[connection] = None
        if not asks:
            return
        self._asking[connection] = None
        if connection.party is not None:
            neighbours = self._asking_from.setdefault(connection.party, {})
            neighbours[connection] = None
            if len(neighbours) > self.bounds.per_address:
                self._dismiss(next(iter(neighbours)))

    def remove(self, connection: Connection) -> None:
        """It has gone."""
        self._all.discard(connection)
        self._take_out(connection)

    def _take_out(self, connection: Connection) -> None:
        self._asking.pop(connection, None)
        self._idle.pop(connection, None)
        if connection.party is not None and (neighbours := self._asking_from.get(connection.party)):
            neighbours.pop(connection, None)
            if not neighbours:
                del self._asking_from[connection.party]

    def _dismiss(self, connection: Connection) -> None:
        self.remove(connection)
        connection.dismiss(HTTPStatus.SERVICE_UNAVAILABLE)


class Connection(H11Protocol):
    """uvicorn's connection with a deadline for each request, which no byte extends, and a place in Connections."""

    held: Connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Somebody has connected; where there is no room, what they ask is answered so."""
        super().connection_made(transport)
        self._at: tuple[Phase, object, bool] | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._dismissed = False
        self.party = self.held.party(self.client[0] if self.client else "")
        self._app = self.app if self.held.add(self) else _FULL
        self.app = self._answer
        self._settle()

    def data_received(self, data: bytes) -> None:
        """More of a request has come."""
        super().data_received(data)
        self._settle()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The page's answer. Where it ends before it is complete, uvicorn closes the connection and says nothing."""
        try:
            await self._app(scope, receive, send)
        finally:
            self.loop.call_soon(self._settle)

    def on_response_complete(self) -> None:
        """An answer has been given."""
        super().on_response_complete()
        self._settle()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is closed, by whomever."""
        self._dismissed = True
        self._stop()
        self.held.remove(self)
        super().connection_lost(exc)

    def dismiss(self, status: HTTPStatus) -> None:
        """Close it, with ``status`` where a request has begun that has no answer yet. A browser that has connected in
        advance hears nothing: it would take that for the answer to what it asks next."""
        begun = self._phase() is Phase.BODY and not self.cycle.response_started
        self._dismissed = True
        self._stop()
        if not self.transport.is_closing() and (begun or self._part_of_headers()):
            self.transport.write(_answer(status))
        self.transport.close()
        if self.transport.get_write_buffer_size():  # whoever takes no answer would hold it for ever
            self.transport.abort()

    def _settle(self) -> None:
        """Take the place of the phase that it has come to, and that one's deadline."""
        at = self._phase(), self.cycle, self.transport.is_closing()
        if self._dismissed or at == self._at:
            return
        self._at = at
        self._stop()
        bounds = self.held.bounds
        if at[0] is Phase.HEADERS:
            self._deadline = self.loop.call_later(bounds.header_seconds, self.dismiss, HTTPStatus.REQUEST_TIMEOUT)
        elif at[0] is Phase.BODY:
            self._deadline = self.loop.call_later(bounds.body_seconds, self.dismiss, HTTPStatus.REQUEST_TIMEOUT)
        elif at[0] is Phase.IDLE:
            self._rest()
        self.held.put(self, at[0])

    def _rest(self) -> None:
        """Close it after uvicorn's time for resting, whose own ends with the next byte, even one of the request before.
        Whoever still takes the end of an answer may go on; who has taken nothing of it meanwhile holds it no longer."""
        before = self._untaken()

        def over() -> None:
            unsent = self.transport.get_write_buffer_size()
            self.transport.close()
            if unsent and self._untaken() < before:
                self._rest()
            elif unsent:
                self.transport.abort()

        self._deadline = self.loop.call_later(self.timeout_keep_alive, over)

    def _untaken(self) -> int:
        """Bytes of the answer that the other end has not taken: those that are here, and, where the system tells, those
        that it has in hand, often megabytes."""
        here, taking = self.transport.get_write_buffer_size(), self.transport.get_extra_info("socket")
        try:
            told = fcntl.ioctl(taking.fileno(), termios.TIOCOUTQ, bytes(4))  # SIOCOUTQ: tcp(7)
        except OSError:
            return here
        return here + int.from_bytes(told, sys.byteorder)

    def _phase(self) -> Phase:
        if self.transport.is_closing():
            return Phase.IDLE
        if self.conn.their_state is h11.SEND_BODY:
            return Phase.BODY
        if self.conn.their_state is not h11.IDLE:
            return Phase.ANSWER
        return Phase.HEADERS if self.cycle is None or self._part_of_headers() else Phase.IDLE

    def _part_of_headers(self) -> bool:
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def protocol(connections: Connections) -> type[Connection]:
    """The connection of a server that holds ``connections``: uvicorn makes them by itself."""
    return type("Connection", (Connection,), {"held": connections})


_FULL = PlainTextResponse("Service Unavailable\n", 503, {"connection": "close", "retry-after": "5"})


def _answer(status: HTTPStatus) -> bytes:
    """The whole answer to a request of which too little has come for anybody to answer it."""
    text = f"{status.phrase}\n"
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: text/plain; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}".encode()
