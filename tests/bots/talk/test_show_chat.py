"""show() on the real core: one message per question over edits, other answers and restarts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bots.talk.pacing import Pacing, Rate
from bots.talk.show import show
from bots.talk.view import Button
from bots.talk.wording import Wording
from bots.text.splitting import Part
from core.chat.reply import Reply
from core.messages import Question, Revision
from tests.support.whole_core import House, house

SAY = Wording(Path(__file__).parents[3] / "config" / "locales").bind("en")
TALK, ANN = "web:ann:1", "web:ann"


@dataclass
class Wall:
    """A chat where everything works at once; it outlives a restart of the program."""

    messages: dict[str, str] = field(default_factory=dict)
    sent: int = 0

    async def show(self, reply: Reply) -> None:
        await show(reply, Here(self), SAY)


class Here:
    """A Channel on the wall, with no pace but one call at a time."""

    def __init__(self, wall: Wall) -> None:
        self.wall = wall
        self.pace = Pacing(0).chat("wall", Rate(interval=0, typing=0))

    def split(self, text: str) -> list[Part]:
        return [Part(text)] if text.strip() else []

    async def send(self, part: Part, buttons: Sequence[Button]) -> str:
        self.wall.sent += 1
        ref = f"m{self.wall.sent}"
        self.wall.messages[ref] = part.text
        return ref

    async def edit(self, ref: str, part: Part, buttons: Sequence[Button]) -> None:
        self.wall.messages[ref] = part.text

    async def delete(self, ref: str) -> None:
        del self.wall.messages[ref]

    async def send_file(self, name: str, data: bytes, caption: str) -> str:
        raise AssertionError("no answer here is that long")

    async def typing(self) -> None:
        raise AssertionError("typing is off")


async def until_said(home: House, wall: Wall, text: str) -> None:
    """Let the engine speak until the wall shows ``text``: no word more, however late the wall is."""
    while text not in wall.messages.values():
        if all(reply.text != text for reply in home.chat._answering.live.values()):
            home.engine.step()
        await asyncio.sleep(0.001)


async def ask(home: House, wall: Wall, text: str) -> tuple[Reply, asyncio.Task[None]]:
    reply = await home.chat.send(Question(TALK, ANN, f"web:{text}", text, place="wall"))
    return reply, asyncio.create_task(wall.show(reply))


async def test_an_edited_question_and_another_answer_stay_in_the_one_message(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        wall = Wall()
        _, first = await ask(home, wall, "q")
        await until_said(home, wall, "a1 a2")
        edited = await home.chat.edit(Revision("web:q", ANN, "web:q:edit", "better q"))
        second = asyncio.create_task(wall.show(edited))
        await until_said(home, wall, "a1 a2 a3 a4")
        await asyncio.gather(first, second)
        assert len(wall.messages) == 1
        again = await home.chat.regenerate(Revision("web:q:edit", ANN, "web:press", take_over=True))
        third = asyncio.create_task(wall.show(again))
        await asyncio.sleep(0.01)
        await until_said(home, wall, "a1 a2 a3 a4")
        await third
        assert len(wall.messages) == wall.sent == 1
        assert await home.chat.unfinished("web:") == []


async def test_a_deleted_question_leaves_nothing(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        wall = Wall()
        _, showing = await ask(home, wall, "q")
        await until_said(home, wall, "a1 a2")
        await home.chat.delete("web:q", ANN)
        await showing
        assert wall.messages == {}


async def test_after_a_restart_in_mid_answer_it_is_completed_in_the_same_message(tmp_path: Path) -> None:
    wall = Wall()
    async with house(tmp_path) as home:
        _, showing = await ask(home, wall, "q")
        await until_said(home, wall, "a1 a2")
        await home.chat.drain(0)
        await showing
        assert SAY("interrupted") in next(iter(wall.messages.values()))
    async with house(tmp_path) as home:
        await home.chat.resume(["web:"])
        (reply,) = await home.chat.unfinished("web:")
        showing = asyncio.create_task(wall.show(reply))
        await until_said(home, wall, "a1 a2 a3 a4")
        await showing
        assert len(wall.messages) == wall.sent == 1
        assert await home.chat.unfinished("web:") == []
