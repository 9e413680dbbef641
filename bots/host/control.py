"""The Unix socket in the data folder: what another process of the same system user may ask of a running Conch.

One request per connection, both ways JSON, one value a line::

    -> {"method": "status", "arguments": {"user": "console:me"}}
    <- {"result": {...}}                or {"refused": cause, "details": {...}} or {"error": sentence}
    -> {"method": "send", "arguments": {...}}
    <- {"turn": {...}}  {"queued": [1, 8.0, null]}  {"text": "He"}  {"finished": ["stop", null], "turn": {...}}

A stream that ends without "finished" was cut by a shutdown: the turn is unanswered and kept. A client that goes away
ends nothing.
"""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import json
import logging
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter

from bots.host.folder import unusable
from bots.talk.commands import NotRunning
from core.chat.reply import Reply
from core.errors import ConchError, Refused, StoreError
from core.events import Delta, Finished, Queued
from core.messages import Turn

NAME = "conch.sock"
LONGEST_PATH = 107 if sys.platform == "linux" else 103
"""Bytes of a Unix socket's path: ``sun_path`` less its closing NUL (unix(7); BSD has four less)."""
LONGEST_REQUEST = 8 * 1024 * 1024
LONGEST_ANSWER = 1024 * 1024 * 1024
"""One line of an answer: a person's whole export is one."""

Method = Callable[..., Awaitable[object]]
TURN = TypeAdapter(Turn)


class RefusedThere(Refused):
    """The running Conch refused; ``cause`` and ``details`` are those of its own error."""

    def __init__(self, cause: str, details: Mapping[str, int | float | str]) -> None:
        super().__init__(cause)
        self.cause = cause
        self._details = dict(details)

    @property
    def details(self) -> dict[str, int | float | str]:
        return self._details


class Failed(ConchError):
    """The running Conch could not do it; the text is its sentence."""


# The running Conch's side.


@asynccontextmanager
async def listen(folder: Path, methods: Mapping[str, Method]) -> AsyncIterator[None]:
    """Serves ``methods`` until the block ends; whoever calls this holds the folder, so a socket found there is stale.

    A method takes the request's arguments by name, each made into what its annotation names, and returns what JSON can
    say, dataclasses, or a Reply, whose events are then streamed. Raises StoreError where the socket cannot be made.
    """
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await _serve(reader, writer, methods)
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client has gone, or Conch goes
        finally:
            connections.discard(task)
            writer.close()

    with _listening(folder) as listening:
        server = await asyncio.start_unix_server(serve, sock=listening, limit=LONGEST_REQUEST)
        try:
            yield
        finally:
            server.close()
            for task in list(connections):
                task.cancel()
            await asyncio.gather(*connections, return_exceptions=True)
            await server.wait_closed()


@contextmanager
def _listening(folder: Path) -> Iterator[socket.socket]:
    """A listening socket that only its system user can reach; nobody can connect before its mode is set."""
    file = folder / NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening, ExitStack() as address:
        try:
            file.unlink(missing_ok=True)
            listening.bind(address.enter_context(_address(folder)))
            file.chmod(0o600)
            listening.listen(64)
        except OSError as error:
            raise unusable(folder, error) from error
        try:
            yield listening
        finally:
            file.unlink(missing_ok=True)


@contextmanager
def _address(folder: Path) -> Iterator[str]:
    """The socket's address: its path, or where that is too long the same one by way of an open folder."""
    path = folder / NAME
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    if not Path("/proc/self/fd").is_dir():
        raise StoreError(
            f"The path of {path} is too long for a socket ({LONGEST_PATH} bytes at most). Set a shorter data_dir."
        )
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{NAME}"
    finally:
        os.close(fd)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, methods: Mapping[str, Method]) -> None:
    if not _same_user(writer):
        return
    answer: dict[str, object]
    try:
        result = await _call(await reader.readline(), methods)
        if isinstance(result, Reply):
            await _stream(result, reader, writer)
            return
        answer = {"result": _plain(result)}
    except Refused as refused:
        answer = {"refused": refused.cause, "details": refused.details}
    except ConchError as error:
        answer = {"error": str(error)}
    except ConnectionError:
        raise
    except Exception:
        _log.exception("a request on the control socket failed")
        answer = {"error": "Conch could not do that; its log says why."}
    await _write(writer, answer)


async def _call(line: bytes, methods: Mapping[str, Method]) -> object:
    try:
        request = json.loads(line)
        method = methods[request["method"]]
        arguments = inspect.signature(method).bind(**request["arguments"]).arguments
        kinds = get_type_hints(method)
        arguments = {name: TypeAdapter(kinds[name]).validate_python(value) for name, value in arguments.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise Failed("This Conch does not understand the request; is the other one of the same version?") from error
    return await method(**arguments)


async def _stream(reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Writes the reply's events until it ends or the client, which has nothing more to say, goes away."""
    gone = asyncio.ensure_future(reader.read(1))
    written = asyncio.ensure_future(_events(reply, writer))
    try:
        await asyncio.wait((gone, written), return_when=asyncio.FIRST_COMPLETED)
        if written.done():
            written.result()
    finally:
        for task in (gone, written):
            task.cancel()
        await asyncio.gather(gone, written, return_exceptions=True)


async def _events(reply: Reply, writer: asyncio.StreamWriter) -> None:
    await _write(writer, {"turn": _plain(reply.turn)})
    async for event in reply:
        match event:
            case Queued():
                await _write(writer, {"queued": [event.ahead, event.seconds, event.cause]})
            case Delta():
                await _write(writer, {"text": event.text})
            case Finished():
                await _write(writer, {"finished": [event.reason, event.cause], "turn": _plain(reply.turn)})


async def _write(writer: asyncio.StreamWriter, value: object) -> None:
    writer.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    await writer.drain()


def _same_user(writer: asyncio.StreamWriter) -> bool:
    """The socket's mode keeps others out already; where the kernel tells who calls, it is asked as well."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    credentials = writer.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return struct.unpack("3i", credentials)[1] in (os.geteuid(), 0)


def _plain(value: object) -> object:
    """``value`` as JSON can say it. A turn's token ids stay here: they are the engine's."""
    if isinstance(value, Turn):
        return dataclasses.asdict(dataclasses.replace(value, ids=None))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


# The other process's side.


async def answers(folder: Path) -> bool:
    """Is there a running Conch at this data folder that can be asked?"""
    try:
        with _address(folder) as address:
            _, writer = await asyncio.open_unix_connection(address)
    except OSError:
        return False
    writer.close()
    return True


async def call(folder: Path, method: str, **arguments: object) -> Any:
    """What the running Conch's ``method`` returns. Raises NotRunning, RefusedThere, or Failed with a sentence."""
    reader, writer = await _request(folder, method, arguments)
    try:
        return (await _answer(reader))["result"]
    finally:
        writer.close()


async def stream(folder: Path, method: str, **arguments: object) -> Stream:
    """The answer that the running Conch's ``method`` began. Raises as ``call`` does."""
    reader, writer = await _request(folder, method, arguments)
    try:
        return Stream(folder, reader, writer, TURN.validate_python((await _answer(reader))["turn"]))
    except BaseException:
        writer.close()
        raise


class Stream:
    """A Reply at the other end of the socket, for one viewer: its events from the start, once."""

    def __init__(self, folder: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turn: Turn) -> None:
        self.turn = turn
        self.text = ""
        self._folder, self._reader, self._writer = folder, reader, writer

    async def __aiter__(self) -> AsyncIterator[Queued | Delta | Finished]:
        try:
            while line := await self._line():
                if "queued" in line:
                    yield Queued(*line["queued"])
                elif "text" in line:
                    self.text += line["text"]
                    yield Delta(line["text"])
                elif "finished" in line:
                    self.turn = TURN.validate_python(line["turn"])
                    yield Finished(*line["finished"])
                    return
        finally:
            self._writer.close()

    async def cancel(self) -> None:
        """Stop it. Returns when the end is committed."""
        await call(self._folder, "cancel", target=self.turn.id, user=self.turn.user)

    async def _line(self) -> dict[str, Any] | None:
        """The next line; None where the other end was cut."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        return json.loads(line) if line.endswith(b"\n") else None


async def _request(
    folder: Path, method: str, arguments: Mapping[str, object]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        with _address(folder) as address:
            reader, writer = await asyncio.open_unix_connection(address, limit=LONGEST_ANSWER)
    except PermissionError:
        raise Failed(f"The Conch on the data folder {folder} belongs to another user of this machine.") from None
    except OSError:
        raise NotRunning(f"No Conch is running on the data folder {folder}.") from None
    try:
        await _write(
            writer, {"method": method, "arguments": {name: _plain(value) for name, value in arguments.items()}}
        )
    except BaseException:
        writer.close()
        raise
    return reader, writer


async def _answer(reader: asyncio.StreamReader) -> dict[str, Any]:
    try:
        line = await reader.readline()
    except ConnectionError:
        line = b""
    if not line.endswith(b"\n"):
        raise Failed("Conch ended before it had answered.")
    answer: dict[str, Any] = json.loads(line)
    if "refused" in answer:
        raise RefusedThere(answer["refused"], answer["details"])
    if "error" in answer:
        raise Failed(answer["error"])
    return answer


_log = logging.getLogger(__name__)
