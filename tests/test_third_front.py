"""A third platform costs less than 150 lines: here it is, at work on a server of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bots.talk.wording import Wording
from core.chat.people import People
from core.limits import Limits
from tests import third_front
from tests.support.stepped_engine import until
from tests.support.whole_core import House, house

WORDING = Wording(Path(__file__).parents[1] / "config" / "locales")
SAY = WORDING.bind("en")
LINES = 150


@dataclass
class Rooms:
    """The platform: messages in rooms, sent again until the bot has taken them; a post with a known key is no other."""

    messages: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, dict[str, str]] = field(default_factory=dict)
    writer: asyncio.StreamWriter | None = None
    tell_to_wait: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        for event in self.waiting.values():
            self._send(event)
        while line := await reader.readline():
            request = json.loads(line)
            self._send({"answers": request["number"], **self._do(request)})

    def say(self, number: str, user: str, text: str) -> None:
        """Somebody writes, and because of a bad line the bot hears it twice."""
        event = self.waiting[number] = {"id": number, "room": "lobby", "user": user, "text": text}
        for _ in range(2):
            self._send(event)

    def cut(self) -> None:
        assert self.writer is not None
        self.writer.close()

    def _do(self, request: dict[str, str]) -> dict[str, object]:
        if self.tell_to_wait and request["do"] != "taken":
            self.tell_to_wait -= 1
            return {"wait": 0.05}
        match request["do"]:
            case "taken":
                self.waiting.pop(request["id"], None)
            case "post":
                ref = self.keys.setdefault(request["key"], f"m{len(self.keys)}")
                self.messages.setdefault(ref, request["text"])
                return {"id": ref}
            case "edit" if request["id"] in self.messages:
                self.messages[request["id"]] = request["text"]
            case "delete":
                self.messages.pop(request["id"], None)
            case _:
                return {"gone": True}
        return {}

    def _send(self, event: dict[str, object] | dict[str, str]) -> None:
        if self.writer is not None and not self.writer.is_closing():
            self.writer.write(json.dumps(event).encode() + b"\n")


@asynccontextmanager
async def at_work(folder: Path, rooms: Rooms, limits: Limits = Limits(0, 0, 0)) -> AsyncIterator[House]:  # noqa: B008
    """A Conch in the rooms."""
    server = await asyncio.start_server(rooms.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with house(folder, people=People(open_to=["rooms"]), limits=limits) as home:
        await home.chat.resume(["rooms:"])
        async with third_front.connect(home.chat, WORDING, port, lambda state: None):
            yield home
            await home.chat.drain(0)
    rooms.cut()
    server.close()
    await server.wait_closed()


def test_the_whole_front_is_shorter_than_150_lines() -> None:
    assert len(Path(third_front.__file__).read_text("utf-8").splitlines()) < LINES


async def test_a_question_is_answered_once_in_one_message_over_replays_waits_and_lost_connections(
    tmp_path: Path,
) -> None:
    rooms = Rooms(tell_to_wait=2)
    async with at_work(tmp_path, rooms) as home:
        rooms.say("q1", "ann", "hello")
        await until(lambda: home.engine.running)
        home.engine.step(2)
        await until(lambda: "a1 a2" in rooms.messages.values())
        rooms.cut()
        home.engine.release()
        await until(lambda: list(rooms.messages.values()) == ["a1 a2 a3 a4"])
        await until(lambda: not rooms.waiting)
        assert len(home.engine.asked) == 1


async def test_a_restart_takes_up_what_was_not_answered_in_the_same_message(tmp_path: Path) -> None:
    rooms = Rooms()
    async with at_work(tmp_path, rooms) as home:
        rooms.say("q1", "ann", "hello")
        await until(lambda: home.engine.running and rooms.messages)
    assert list(rooms.messages.values()) == [SAY("interrupted")]
    async with at_work(tmp_path, rooms) as home:
        home.engine.release()
        await until(lambda: list(rooms.messages.values()) == ["a1 a2 a3 a4"])


async def test_commands_and_refusals_work_without_a_line_about_them(tmp_path: Path) -> None:
    rooms = Rooms()
    async with at_work(tmp_path, rooms, Limits(1, 0, 0)) as home:
        rooms.say("q1", "ann", "hello")
        await until(lambda: home.engine.running and rooms.messages)
        rooms.say("c1", "ann", "/stop")
        await until(lambda: list(rooms.messages.values()).count(SAY("stopped")) == 2)
        rooms.say("q2", "ann", "again")
        await until(lambda: any("a bit fast" in text for text in rooms.messages.values()))
        rooms.say("c2", "ann", "/persona pirate")
        await until(lambda: SAY("persona-set", name="Pirate") in rooms.messages.values())
