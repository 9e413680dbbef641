"""Connections to the page: what holds them without asking is cut off or gives way, and whoever asks is answered."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from bots.web.access import Proxies
from bots.web.connections import MOST_CONNECTIONS, MOST_FILES, Bounds, Connections, protocol, room
from tests.support.page_server import Site, ask, introduced, site, stream, until

HEADERS = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Half"
BODY = b"POST /api/session HTTP/1.1\r\nHost: %b\r\nOrigin: http://%b\r\n"
BODY += b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
BEHIND_A_PROXY = {"trusted_proxies": ("127.0.0.1",), "key": "never"}


class Line:
    """One connection, spoken byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @property
    def open(self) -> bool:
        """Has the page left it open, as far as it has been heard?"""
        return not self.reader.at_eof() and self.reader.exception() is None

    async def answer(self) -> int:
        """The status of one answer without a body of more than a line; the connection stays."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 5)
        length = int(head.lower().partition(b"content-length: ")[2].split()[0])
        await self.reader.readexactly(length)
        return int(head.split()[1])

    async def end(self) -> bytes:
        """What comes until the page closes it; fails where it never does."""
        said = b""
        with suppress(ConnectionResetError):
            while more := await asyncio.wait_for(self.reader.read(1000), 5):
                said += more
        return said

    async def trickle(self) -> None:
        """A byte now and then, for as long as somebody takes it."""
        with suppress(OSError):
            while True:
                self.writer.write(b"x")
                await self.writer.drain()
                await asyncio.sleep(0.01)


@asynccontextmanager
async def line(here: Site, said: bytes = b"", source: str = "127.0.0.1") -> AsyncIterator[Line]:
    """A connection on which ``said`` has been said."""
    reader, writer = await asyncio.open_connection("127.0.0.1", here.web.port, local_addr=(source, 0))
    writer.write(said.replace(b"%b", here.origin.removeprefix("http://").encode()))
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def lines(stack: AsyncExitStack, here: Site, count: int, said: bytes = HEADERS) -> list[Line]:
    """Connections from one address, the oldest first."""
    return [await stack.enter_async_context(line(here, said)) for _ in range(count)]


async def visit(here: Site) -> int:
    """The status that a visitor gets who comes now."""
    async with here.client() as client:
        return (await client.get("/healthz")).status_code


# Deadlines


@pytest.mark.parametrize("said", [HEADERS, BODY], ids=["headers", "body"])
@pytest.mark.parametrize("trickling", [False, True])
async def test_half_a_request_is_answered_with_a_timeout_and_closed(
    tmp_path: Path, said: bytes, trickling: bool
) -> None:
    """However often another byte comes."""
    part = {"header_seconds": 0.1} if said is HEADERS else {"body_seconds": 0.1}
    said = said if said is HEADERS else said.replace(b"Length: 9", b"Length: 60000")
    async with site(tmp_path, options={"bounds": Bounds(**part)}) as here, line(here, said) as half:
        trickle = asyncio.create_task(half.trickle()) if trickling else None
        answer = await half.end()
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"\r\nConnection: close\r\n" in answer
        if trickle:
            trickle.cancel()


async def test_who_connects_and_says_nothing_is_closed_without_a_word(tmp_path: Path) -> None:
    """Browsers connect in advance, and would take a word for the answer to what they ask next."""
    async with site(tmp_path, options={"bounds": Bounds(header_seconds=0.1)}) as here, line(here) as silent:
        assert await silent.end() == b""


async def test_the_next_request_on_a_connection_has_the_same_deadline(tmp_path: Path) -> None:
    async with site(tmp_path, options={"bounds": Bounds(header_seconds=0.1)}) as here, line(here, WHOLE) as kept:
        assert await kept.answer() == 200
        kept.writer.write(HEADERS)
        assert (await kept.end()).startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_nobody_asked_for_holds_the_connection_no_longer(tmp_path: Path) -> None:
    """Its request was answered at once, without it."""
    said = WHOLE.replace(b"\r\n\r\n", b"\r\nContent-Length: 60000\r\n\r\n")
    async with site(tmp_path, options={"bounds": Bounds(body_seconds=0.1)}) as here, line(here, said) as half:
        assert await half.answer() == 200
        trickle = asyncio.create_task(half.trickle())
        assert await half.end() == b""
        trickle.cancel()


async def test_a_stream_outlives_the_deadlines_of_requests(tmp_path: Path) -> None:
    options = {"bounds": Bounds(header_seconds=0.05, body_seconds=0.05)}
    async with site(tmp_path, options=options) as here, here.client() as client:
        await introduced(client)
        async with stream(client) as events:
            await events.next("hello")
            async with line(here, HEADERS) as later, line(here, BODY) as too:
                await later.end()
                await too.end()
            await ask(client, "Are you still there?")
            while not (await events.next("path"))[1]["exchanges"]:
                pass  # it was told before that there are none


async def test_who_goes_in_the_middle_of_a_body_leaves_no_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    bodies = [BODY, BODY.replace(b"/api/session", b"/hooks/any")]
    async with site(tmp_path, options={"bounds": Bounds(body_seconds=0.05)}, hooks={"any": hook}) as here:
        for said in bodies:
            async with line(here, said) as slow:
                assert (await slow.end()).startswith(b"HTTP/1.1 408 ")
            async with line(here, said):
                assert await visit(here) == 200, "it has been read by then"
    assert [record.getMessage() for record in caplog.records] == []


async def hook(headers: object, body: bytes) -> int:
    return 200


# How many of one address


async def test_half_requests_of_one_address_give_way_where_they_are_over_32(tmp_path: Path) -> None:
    async with site(tmp_path) as here, AsyncExitStack() as stack:
        halves = await lines(stack, here, 40)
        for crowded in halves[:8]:
            assert (await crowded.end()).startswith(b"HTTP/1.1 503 ")
        async with line(here, WHOLE, source="127.0.0.2") as elsewhere:
            assert await elsewhere.answer() == 200
        assert [half.open for half in halves] == [False] * 8 + [True] * 32


async def test_a_visitor_of_that_address_is_answered_all_the_same(tmp_path: Path) -> None:
    """Behind one router everybody has one address."""
    async with site(tmp_path) as here, AsyncExitStack() as stack:
        for said in (HEADERS, BODY, b""):
            await lines(stack, here, 40, said)
            assert await visit(here) == 200


@pytest.mark.parametrize("proxies", [("127.0.0.1",), ("10.0.0.1", "127.0.0.0/8")])
async def test_ones_own_proxies_are_not_counted_by_address(tmp_path: Path, proxies: tuple[str, ...]) -> None:
    async with site(tmp_path, options={"trusted_proxies": proxies}) as here, AsyncExitStack() as stack:
        halves = await lines(stack, here, 40)
        assert await visit(here) == 200
        assert all(half.open for half in halves)


async def test_those_that_have_asked_are_not_counted_by_address(tmp_path: Path) -> None:
    async with site(tmp_path) as here, AsyncExitStack() as stack:
        kept = await lines(stack, here, 40, WHOLE)
        assert [await one.answer() for one in kept] == [200] * 40
        assert await visit(here) == 200
        for one in kept:
            one.writer.write(WHOLE)
        assert [await one.answer() for one in kept] == [200] * 40


async def test_many_of_one_address_who_come_at_once_with_their_requests_are_all_answered(tmp_path: Path) -> None:
    """As after a restart, when all open pages come back."""
    async with site(tmp_path) as here:
        sockets = [socket.create_connection(("127.0.0.1", here.web.port)) for _ in range(200)]  # all before the page
        for one in sockets:
            one.sendall(WHOLE)
        for one in sockets:
            one.setblocking(False)
        pairs = [await asyncio.open_connection(sock=one) for one in sockets]
        assert [await Line(*pair).answer() for pair in pairs] == [200] * 200
        for _, writer in pairs:
            writer.close()


# How many in all


@pytest.mark.parametrize("said", [HEADERS, BODY, b""], ids=["headers", "body", "silence"])
async def test_a_visitor_gets_the_page_while_it_is_full_of_half_requests(tmp_path: Path, said: bytes) -> None:
    options = {"bounds": Bounds(in_all=20), **BEHIND_A_PROXY}
    async with site(tmp_path, options=options) as here, AsyncExitStack() as stack:
        halves = await lines(stack, here, 30, said)
        assert await visit(here) == 200
        for crowded in halves[:11]:
            await crowded.end()
        assert [half.open for half in halves] == [False] * 11 + [True] * 19


async def test_those_at_rest_give_way_too_but_after_those_who_never_asked(tmp_path: Path) -> None:
    options = {"bounds": Bounds(in_all=10), **BEHIND_A_PROXY}
    async with site(tmp_path, options=options) as here, AsyncExitStack() as stack:
        rests = await lines(stack, here, 9, WHOLE)
        assert [await one.answer() for one in rests] == [200] * 9
        [half] = await lines(stack, here, 1)
        assert await visit(here) == 200
        assert (await half.end()).startswith(b"HTTP/1.1 503 ")
        assert all(one.open for one in rests)
        more = await lines(stack, here, 2, WHOLE)
        assert [await one.answer() for one in more] == [200, 200]
        assert await rests[0].end() == b""
        assert all(one.open for one in rests[2:])


async def test_no_answer_is_cut_off_for_those_who_come_later(tmp_path: Path) -> None:
    """They are told that it is full, and it is open to the next when somebody has gone."""
    async with site(tmp_path, options={"bounds": Bounds(in_all=2)}) as here, here.client() as client:
        await introduced(client)
        async with stream(client) as first:
            async with stream(client) as second:
                for _ in range(3):
                    async with httpx.AsyncClient() as late:
                        answer = await late.get(f"{here.origin}/healthz")
                    assert answer.status_code == 503
                    assert int(answer.headers["retry-after"]) > 0
                await first.next("hello")
                await second.next("hello")
            assert await visit(here) == 200


def test_the_most_connections_leave_descriptors_for_everything_else() -> None:
    for files, most in {65_536: MOST_CONNECTIONS, 2_100: 1_900, 1_024: 824, 256: 128, 64: 32}.items():
        assert room(files) == most


@pytest.mark.parametrize(("soft", "hard", "told"), [(256, 700, 700), (700, 700, 700), (700, 2**20, MOST_FILES)])
def test_a_start_allows_itself_what_the_system_lets_it_have(soft: int, hard: int, told: int) -> None:
    program = f"""
import resource
from bots.web.connections import raise_files
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
hard = min({hard}, most)
resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, hard))
assert raise_files() == min({told}, most)
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (min({told}, most), hard)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[3])


# Those who ask and take nothing


ANSWER = 8_000_000
"""Bytes: more than the system keeps of an answer that nobody takes."""


async def whole(scope: Scope, receive: Receive, send: Send) -> None:
    """A long answer; at /cut it ends in the middle."""
    length = (b"content-length", str(ANSWER).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    cut = scope["path"] == "/cut"
    await send({"type": "http.response.body", "body": b"x" * (ANSWER // (1 + cut)), "more_body": cut})


@asynccontextmanager
async def served(bounds: Bounds, rest: int) -> AsyncIterator[tuple[int, Connections]]:
    """A server of that answer: its port, and its connections, which may rest for so many seconds."""
    held = Connections(bounds, Proxies(()))
    config = uvicorn.Config(
        whole,
        http=protocol(held),
        lifespan="off",
        log_config=None,
        timeout_keep_alive=rest,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        running = asyncio.create_task(server.serve([listening]))
        try:
            await until(lambda: server.started)
            yield listening.getsockname()[1], held
        finally:
            server.should_exit = server.force_exit = True
            await running


async def asking(port: int, path: str) -> socket.socket:
    """Somebody who asks and reads nothing."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    one.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(one, ("127.0.0.1", port))
    await loop.sock_sendall(one, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return one


@pytest.mark.parametrize("path", ["/", "/cut"])
async def test_who_takes_no_answer_gives_way_to_a_visitor(path: str) -> None:
    """Also where the answer was broken off: such a connection is closed, and its end never comes."""
    async with served(Bounds(in_all=3), rest=60) as (port, held):
        deaf = [await asking(port, path) for _ in range(3)]
        await until(lambda: len(held._idle) == 3)
        visitor = await asking(port, "/")
        assert (await asyncio.get_running_loop().sock_recv(visitor, 15)) == b"HTTP/1.1 200 OK"
        for one in (*deaf, visitor):
            one.close()


@pytest.mark.parametrize("path", ["/", "/cut"])
async def test_who_takes_no_answer_is_cut_off_when_the_time_for_resting_is_over(path: str) -> None:
    async with served(Bounds(), rest=1) as (port, held):
        deaf = await asking(port, path)
        await until(lambda: len(held._all) == 1)
        await until(lambda: not held._all)
        deaf.close()


async def test_who_takes_an_answer_slowly_gets_all_of_it() -> None:
    async with served(Bounds(), rest=1) as (port, _):
        slow = await asking(port, "/")
        taken, loop = 0, asyncio.get_running_loop()
        while taken < ANSWER and (more := await loop.sock_recv(slow, 40_000)):
            taken += len(more)
            await asyncio.sleep(0.001)
        assert taken >= ANSWER
        slow.close()
