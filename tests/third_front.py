"""A front for a third platform, whole: rooms whose server speaks JSON, a line each. It decides nothing either."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from bots.talk.channel import ChannelError, Gone, RetryAfter, Unreachable
from bots.talk.commands import Asker, CommandOptions, Commands
from bots.talk.connection import UP, Down, Report, kept_up
from bots.talk.pacing import Pace, Pacing, Rate
from bots.talk.show import show
from bots.talk.view import Button
from bots.talk.wording import Wording, refused
from bots.text.splitting import Part, markdown_parts
from core.chat.chat import Chat
from core.chat.reply import Reply
from core.errors import Refused
from core.messages import Question

PREFIX, CALL_SECONDS = "rooms:", 15.0
Json = dict[str, Any]


@asynccontextmanager
async def connect(chat: Chat, wording: Wording, port: int, report: Report) -> AsyncIterator[None]:
    """The front on the server at ``port``, connected again whenever that is lost."""
    front = RoomsFront(chat, wording, port)
    async with kept_up("rooms", front.session, report):
        yield
        if front.showing:
            await asyncio.wait(set(front.showing.values()), timeout=5)


class RoomsFront:
    """One bot in the rooms of one server."""

    def __init__(self, chat: Chat, wording: Wording, port: int) -> None:
        self._chat, self._wording, self._port = chat, wording, port
        self._commands = Commands[Reply](chat, wording, chat.personas, CommandOptions("rooms"), chat)
        self._pacing, self._numbers = Pacing(20), count()
        self._writer: asyncio.StreamWriter | None = None
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self.showing: dict[int, asyncio.Task[None]] = {}

    async def session(self, report: Report) -> None:
        """One connection: what was not shown yet is, then what comes is heard."""
        try:
            reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError as error:
            raise Down(str(error)) from error
        report(UP)
        for reply in await self._chat.unfinished(PREFIX):
            self.show(reply)
        try:
            async with asyncio.TaskGroup() as tasks:
                while line := await reader.readline():
                    event = json.loads(line)
                    if "answers" in event:
                        self._answers.pop(event["answers"]).set_result(event)
                    else:
                        tasks.create_task(self.hear(event))
        except* ChannelError as errors:
            raise Down("the connection was closed") from errors
        finally:
            self._writer.close()
            for waiting in self._answers.values():
                waiting.cancel()
        raise Down("the connection was closed")

    async def hear(self, event: Json) -> None:
        """A message for the bot: a command, or a question. The server sends each until it was told that it is taken."""
        user, key = f"{PREFIX}{event['user']}", f"{PREFIX}{event['room']}:{event['user']}"
        name, place = f"{PREFIX}{event['id']}", json.dumps({"room": event["room"]})
        command, _, argument = event["text"].removeprefix("/").partition(" ")
        text, reply = "", None
        try:
            if event["text"].startswith("/") and command in self._commands:
                outcome = await self._commands.obey(command, argument, Asker(user, key, "en", name, place=place))
                text, reply = outcome.text, outcome.reply
            else:
                asked = Question(key, user, name, event["text"], place, scope=f"{PREFIX}{event['room']}")
                reply = await self._chat.send(asked)
        except Refused as refusal:
            text = refused(self._wording.bind("en"), refusal)
        if reply is not None:
            self.show(reply)
        else:
            await self.call({"do": "post", "room": event["room"], "text": text, "key": name})
        await self.call({"do": "taken", "id": event["id"]})

    def show(self, reply: Reply) -> None:
        """Show an answer, if nobody does."""
        if reply.turn.id in self.showing or reply.turn.shown:
            return
        channel = Room(self.call, self._pacing, reply)
        task = asyncio.create_task(show(reply, channel, self._wording.bind(reply.turn.language)))
        self.showing[reply.turn.id] = task
        task.add_done_callback(lambda done: self.showing.pop(reply.turn.id))

    async def call(self, request: Json) -> Json:
        """One request and its answer. Raises the ChannelErrors."""
        if self._writer is None or self._writer.is_closing():
            raise Unreachable
        number = next(self._numbers)
        future = self._answers[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({**request, "number": number}).encode() + b"\n")
        await asyncio.wait({future}, timeout=CALL_SECONDS)
        if not future.done() or future.cancelled():
            raise Unreachable
        answer = future.result()
        if "wait" in answer:
            raise RetryAfter(answer["wait"])
        if "gone" in answer:
            raise Gone
        return answer


class Room:
    """Where one answer is shown."""

    def __init__(self, call: Callable[[Json], Awaitable[Json]], pacing: Pacing, reply: Reply) -> None:
        self._call, self._reply = call, reply
        self._room = json.loads(reply.turn.place)["room"]
        self.pace: Pace = pacing.chat(self._room, Rate(interval=0.05, typing=0))

    def split(self, text: str) -> list[Part]:
        return markdown_parts(text, 500)

    async def send(self, part: Part, buttons: Sequence[Button]) -> str:
        key = f"{self._reply.turn.id}/{len(self._reply.turn.refs)}"
        answer = await self._call({"do": "post", "room": self._room, "text": part.text, "key": key})
        return f"{PREFIX}{answer['id']}"

    async def edit(self, ref: str, part: Part, buttons: Sequence[Button]) -> None:
        await self._call({"do": "edit", "id": ref.removeprefix(PREFIX), "text": part.text})

    async def delete(self, ref: str) -> None:
        await self._call({"do": "delete", "id": ref.removeprefix(PREFIX)})

    async def send_file(self, name: str, data: bytes, caption: str) -> str:
        return await self.send(Part(f"{caption}\n{name}: {len(data)} bytes"), ())

    async def typing(self) -> None:
        """These rooms do not show it."""
