"""The Bot API over real HTTP on the loopback, with all that can go wrong on the way."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser, BytesParser
from email.policy import HTTP, compat32
from time import time
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote

from tests.servers.telegram.floods import Floods, Rules
from tests.servers.telegram.methods import NAMES, BotApi
from tests.servers.telegram.spec import Spec, find
from tests.servers.telegram.world import World

Fault = Literal["reset", "done, then reset", "hang", "502", "half", "redirect", "429"]
"""Cut before it is done, or after; no answer at all; a proxy's error page; half of an answer; sent elsewhere; one
download too many."""


PAGES: dict[Fault | None, tuple[int, bytes, str, str]] = {
    "502": (502, b"<html><h1>502 Bad Gateway</h1></html>", "text/html", ""),
    "redirect": (302, b"", "text/html", "location: http://127.0.0.1:9/elsewhere\r\n"),
    "429": (429, b"Too Many Requests", "text/plain", ""),
}


@dataclass
class Server:
    """``faults`` befall the next calls of a method, or downloads ("file"). ``down``: nobody answers at all."""

    api: BotApi
    address: str = ""
    faults: defaultdict[str, deque[Fault]] = field(default_factory=lambda: defaultdict(deque))
    down: bool = False
    requests: list[str] = field(default_factory=list)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def world(self) -> World:
        return self.api.world

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self._writers.add(writer)
        try:
            while not self.down and (head := await reader.readuntil(b"\r\n\r\n")):
                first, _, rest = head.decode("latin-1").partition("\r\n")
                headers = BytesHeaderParser(policy=compat32).parsebytes(rest.encode("latin-1"))
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                await self._answer(first.split(" ")[1], headers, body, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(
        self, target: str, headers: Any, body: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        path = unquote(target.partition("?")[0])
        name = "file" if path.startswith("/file/") else path.rpartition("/")[2]
        name = NAMES.get(name, name)
        self.requests.append(name)
        fault = self.faults[name].popleft() if self.faults[name] else None
        if fault == "reset":
            raise _cut(writer)
        if fault == "hang":
            await reader.read()
            raise ConnectionResetError
        if fault in PAGES:
            await _write(writer, *PAGES[fault])
            return
        status, payload, kind = await self._do(path, _fields(headers, body))
        if fault == "done, then reset":
            raise _cut(writer)
        if fault == "half":
            payload = payload[: len(payload) // 2]
        await _write(writer, status, payload, kind)
        if name == "getUpdates" and status == 200 and (found := json.loads(payload).get("result")):
            await self.api.seen("updates delivered", {"updates": found})

    async def _do(self, path: str, given: dict[str, Any]) -> tuple[int, bytes, str]:
        parts = path.strip("/").split("/")
        if parts[0] == "file":
            data = self.world.files.get(parts[-1])
            if parts[1] != f"bot{self.api.token}" or data is None or self.api.disk is not None:
                return 404, b"{}", "application/json"
            return 200, data, "application/octet-stream"
        status, answer = await self.api.call(parts[0].removeprefix("bot"), parts[-1], given)
        return status, json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogatepass"), "application/json"

    def cut_all(self) -> None:
        """Every open connection breaks."""
        for writer in list(self._writers):
            writer.transport.abort()


def _cut(writer: asyncio.StreamWriter) -> ConnectionError:
    writer.transport.abort()
    return ConnectionResetError()


async def _write(writer: asyncio.StreamWriter, status: int, payload: bytes, kind: str, more: str = "") -> None:
    head = f"HTTP/1.1 {status} -\r\ncontent-type: {kind}\r\ncontent-length: {len(payload)}\r\n{more}\r\n"
    writer.write(head.encode() + payload)
    await writer.drain()


def _fields(headers: Any, body: bytes) -> dict[str, Any]:
    """A form's fields; files as bytes, the name of a file under ``<field>_name``."""
    kind = headers.get("content-type", "")
    if kind.startswith("multipart/"):
        parts = BytesParser(policy=HTTP).parsebytes(f"content-type: {kind}\r\n\r\n".encode() + body).iter_parts()
        attached = {part.get_param("name", header="content-disposition"): part for part in parts}
        found: dict[str, Any] = {}
        for name, part in attached.items():
            data = part.get_payload(decode=True)
            found[str(name)] = data if part.get_filename() else data.decode()
        for name, value in list(found.items()):
            if isinstance(value, str) and value.startswith("attach://"):
                found[name] = found.pop(value.removeprefix("attach://"))
        return found
    return dict(parse_qsl(body.decode(), keep_blank_values=True))


@asynccontextmanager
async def bot_api(*, privacy: bool = True, rules: Rules | None = None, port: int = 0) -> AsyncIterator[Server]:
    """A server on a free port, its world empty, until the block ends."""
    file = find()
    api = BotApi(World(time, privacy=privacy), Spec(file) if file else None, Floods(rules or Rules()))
    server = Server(api)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", port)
    server.address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        server.cut_all()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await listening.wait_closed()
