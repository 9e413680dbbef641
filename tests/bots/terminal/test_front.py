"""The terminal: lines in, growing answers out, and what people type between them."""

from __future__ import annotations

import asyncio
import io
import json
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console as RichConsole

from bots.host import control
from bots.host.remote_chat import METHODS, remote_chat
from bots.talk.commands import Answer, Talk
from bots.talk.wording import Wording
from bots.terminal.front import Console, Options
from bots.terminal.keyboard import Interrupted, Lines, printable
from bots.terminal.pane import PARSER, Pane, settled_length
from config import LOCALES
from core.errors import ConchError
from core.messages import Question
from tests.support.stepped_engine import until
from tests.support.whole_core import PERSONAS, House, house

WORDING = Wording(LOCALES)
ME, KEY = "console:me", "console:me:main"
Reader = Callable[[str], Awaitable[str | None]]


class Shown:
    """A terminal of a test: what came to the answer and what was said beside it."""

    def __init__(
        self, home: House, talk: Talk[Answer] | None = None, *, language: str = "en", interactive: bool = False
    ):
        self.home = home
        self.out, self.notes = io.StringIO(), io.StringIO()
        self.console = Console(
            talk or home.chat,
            WORDING,
            PERSONAS,
            Lines(self.out, self.notes),
            Options("me", "main", language, interactive),
            new_id=(f"id{i}" for i in count()).__next__,
        )

    async def type(self, *lines: str) -> int:
        """Type these lines, then the end of the input."""
        self.home.engine.release()
        return await self.console.run(typing(*lines))

    @property
    def said(self) -> str:
        return self.notes.getvalue()


def typing(*lines: str | Exception) -> Reader:
    left = iter(lines)

    async def read(prompt: str) -> str | None:
        line = next(left, None)
        if isinstance(line, Exception):
            raise line
        return line

    return read


@pytest.fixture(params=["here", "through the socket"])
async def shown(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shown]:
    """Each test with the chat in this process and with one at the other end of the socket."""
    async with house(tmp_path) as home:
        if request.param == "here":
            yield Shown(home)
            return
        async with control.listen(tmp_path, {name: getattr(home.chat, name) for name in METHODS}):
            yield Shown(home, remote_chat(tmp_path))


async def test_piped_questions_give_plain_answers_and_0(shown: Shown) -> None:
    assert await shown.type("one", "", "two") == 0
    assert shown.out.getvalue() == "a1 a2 a3 a4\na1 a2 a3 a4\n"
    assert [turn.prompt for turn in await shown.home.chat.history(KEY, ME)] == ["one", "two"]


async def test_what_goes_wrong_in_a_pipe_gives_1(shown: Shown) -> None:
    assert await shown.type("/persona nobody") == 1
    assert "assistant, pirate" in shown.said


async def test_the_commands_do_what_they_say(shown: Shown) -> None:
    assert await shown.type("one", "/retry", "/status", "/undo", "/new", "/persona pirate", "/stop", "/help") == 0
    assert shown.out.getvalue() == "a1 a2 a3 a4\n" * 2
    assert "Taken back: “one”" in shown.said
    assert "The model is ready." in shown.said
    assert "Persona: Assistant" in shown.said
    assert "From now on Pirate answers here." in shown.said
    assert "No answer is running." in shown.said
    assert "/continue" in shown.said
    assert await shown.home.chat.history(KEY, ME) == []
    assert await shown.home.chat.persona(KEY, ME) == "pirate"


async def test_commands_without_a_past_have_a_word_for_it(shown: Shown) -> None:
    assert await shown.type("/retry", "/continue", "/undo", "/nonsense") == 1
    assert "There is no question to answer again." in shown.said
    assert "There is nothing to take back." in shown.said
    assert "There is no command /nonsense." in shown.said
    assert shown.out.getvalue() == ""


async def test_a_path_is_a_question_not_a_command(shown: Shown) -> None:
    assert await shown.type("/etc/passwd holds what?") == 0
    assert shown.out.getvalue() == "a1 a2 a3 a4\n"


async def test_a_person_who_comes_back_sees_the_last_answer_which_may_have_come_meanwhile(shown: Shown) -> None:
    assert await shown.type("one", "two") == 0
    piped = Shown(shown.home)
    assert await piped.type() == 0
    assert (piped.out.getvalue(), piped.said) == ("", "")
    person = Shown(shown.home, interactive=True)
    assert await person.type() == 0
    assert "Going on with “main” (2 questions so far)." in person.said
    assert "> two" in person.said
    assert person.out.getvalue() == "a1 a2 a3 a4\n"
    await shown.type("/undo", "/undo")
    nobody = Shown(shown.home, interactive=True)
    assert await nobody.type() == 0
    assert ">" not in nobody.said


async def test_a_person_stays_while_conch_is_away_and_sees_the_cut_answer_when_it_is_back(tmp_path: Path) -> None:
    async with house(tmp_path) as home, AsyncExitStack() as here:
        shown = Shown(home, remote_chat(tmp_path), interactive=True)
        socket = control.listen(tmp_path, {name: getattr(home.chat, name) for name in METHODS})
        await socket.__aenter__()

        async def cut() -> None:
            await until(lambda: home.engine.running)
            home.engine.step()
            await until(lambda: "a1" in shown.out.getvalue())
            await socket.__aexit__(None, None, None)

        async def read(prompt: str) -> str | None:
            match next(times):
                case 0:
                    cutting.append(asyncio.create_task(cut()))
                    return "one"
                case 1:
                    return "lost?"
                case 2:
                    assert shown.said.count("nothing was sent") == 1
                    home.engine.release()
                    again = control.listen(tmp_path, {name: getattr(home.chat, name) for name in METHODS})
                    await here.enter_async_context(again)
                    return ""
                case 3:
                    return "two"
                case _:
                    return None

        times, cutting = count(), list[asyncio.Task[None]]()
        assert await shown.console.run(read) == 0
        await cutting[0]
    assert "Conch was stopped in the middle of this answer" in shown.said
    assert shown.out.getvalue() == "a1\n" + "a1 a2 a3 a4\n" * 2


async def test_continue_goes_on_where_the_length_cut(shown: Shown) -> None:
    shown.home.engine.words = 60
    assert await shown.type("/persona pirate", "one", "/continue") == 0
    assert "The answer reached its greatest length." in shown.said
    first, second = shown.out.getvalue().splitlines()
    assert first.split() + second.split() == [f"a{i}" for i in range(1, 61)]


async def test_the_language_can_be_chosen_and_is_remembered(shown: Shown) -> None:
    assert await shown.type("/language", "/language 한국어", "/status") == 0
    assert "이제부터 한국어로 안내합니다." in shown.said
    assert "페르소나: Assistant" in shown.said
    again = Shown(shown.home)
    assert await again.type("/undo") == 1
    assert "취소할 질문이 없습니다." in again.said


async def test_an_export_is_a_private_file_of_its_own(shown: Shown, tmp_path: Path) -> None:
    file = tmp_path / "my export.json"
    assert await shown.type("one", f"/export {file}") == 0
    assert "one" in json.dumps(json.loads(file.read_text()))
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert await shown.type(f"/export {file}") == 1
    assert "cannot be written" in shown.said


async def test_forget_asks_first(shown: Shown) -> None:
    assert await shown.type("one", "/forget") == 1
    assert "/forget yes" in shown.said
    assert len(await shown.home.chat.history(KEY, ME)) == 1
    assert await shown.type("/forget yes") == 0
    assert "Deleted: 1 question" in shown.said
    assert await shown.home.chat.conversations(ME) == []


async def test_ctrl_c_stops_the_answer_and_the_talk_goes_on(shown: Shown) -> None:
    lines: asyncio.Queue[str | None] = asyncio.Queue()

    async def read(prompt: str) -> str | None:
        return await lines.get()

    talk = asyncio.create_task(shown.console.run(read))
    lines.put_nowait("one")
    await until(lambda: shown.home.engine.running)
    shown.home.engine.step(2)
    await until(lambda: shown.out.getvalue() == "a1 a2")
    shown.console.interrupt()
    shown.console.interrupt()
    await until(lambda: "Stopped." in shown.said)
    assert not shown.home.engine.running
    shown.console.interrupt()
    shown.home.engine.release()
    lines.put_nowait("two")
    lines.put_nowait(None)
    assert await talk == 1
    assert shown.out.getvalue() == "a1 a2\na1 a2 a3 a4\n"


async def test_ctrl_c_at_the_prompt_says_how_to_leave(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        shown = Shown(home, interactive=True)
        assert await shown.console.run(typing(Interrupted())) == 0
        assert "Ctrl-D or /quit ends." in shown.said


async def test_quit_leaves_before_the_lines_that_follow(shown: Shown) -> None:
    assert await shown.type("/quit", "one") == 0
    assert shown.out.getvalue() == ""


async def test_the_place_in_line_is_shown_in_ones_language(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        shown = Shown(home, language="zh")
        await home.chat.send(Question("web:ann:1", "web:ann", "web:1", "first"))
        talk = asyncio.create_task(shown.console.run(typing("one")))
        await until(lambda: "前面还有 1 个问题" in shown.said)
        home.engine.release()
        assert await talk == 0


async def test_an_unfinished_answer_is_shown_when_one_comes_back(shown: Shown) -> None:
    await shown.home.chat.send(Question(KEY, ME, "console:before", "one"))
    talk = asyncio.create_task(shown.console.run(typing()))
    await until(lambda: "> one" in shown.said)
    shown.home.engine.release()
    assert await talk == 0
    assert shown.out.getvalue() == "a1 a2 a3 a4\n"


async def test_a_shutdown_under_an_answer_ends_the_talk_with_a_word(shown: Shown) -> None:
    talk = asyncio.create_task(shown.console.run(typing("one", "two")))
    await until(lambda: shown.home.engine.running)
    shown.home.engine.step()
    await until(lambda: shown.out.getvalue() == "a1")
    await shown.home.chat.drain(0)
    with pytest.raises(ConchError, match="starts over by itself"):
        await talk


def test_nothing_steers_the_terminal() -> None:
    assert printable("a\x1b]0;title\x07b\x9b31m\u202etxt\r\x00\t한\n👩‍💻") == "a]0;titleb31mtxt\t한\n👩‍💻"


def test_a_pane_prints_every_word_of_an_answer_once() -> None:
    out = io.StringIO()
    pane = Pane(RichConsole(file=out, width=60, height=12, force_terminal=False))
    source = (
        "# A heading\n\nSome *text* with <b>tags</b> and [a link](https://example.org).\n\n"
        "1. first\n2. second\n\n```python\n" + "\n".join(f"line_{i}()" for i in range(40)) + "\n```\n\n"
        "![a picture](https://example.org/p.png)\n\n[ref]: https://example.org/ref\n\nthe end"
    )
    pane.waiting("thinking")
    for start in range(0, len(source), 7):
        pane.more(source[start : start + 7])
    pane.end()
    drawn = out.getvalue()
    for word in ("heading", "<b>tags</b>", "https://example.org", "second", "p.png", "/ref", "the end"):
        assert word in drawn
    assert [drawn.count(f"line_{i}()") for i in range(40)] == [1] * 40
    assert "thinking" not in drawn


def test_a_growing_block_taller_than_the_terminal_shows_its_end() -> None:
    out = io.StringIO()
    pane = Pane(RichConsole(file=out, width=60, height=10, force_terminal=True, legacy_windows=False))
    pane.waiting("thinking")
    pane.more("```\n" + "\n".join(f"line_{i}" for i in range(40)))
    pane.more("\nnewest")
    pane.redraw()
    frame = out.getvalue().rpartition("\x1b[2K")[2]
    assert "thinking" in out.getvalue()
    assert "newest" in frame
    assert "line_10" not in frame
    pane.end()


BLOCKS = [
    "- a\n",
    "\n",
    "text\n",
    "# h\n",
    "```\n",
    "    code\n",
    "> q\n",
    "1. x\n",
    "2. y\n",
    "|a|\n|-|\n",
    "===\n",
    "2",
    "***\n",
]


@given(st.lists(st.sampled_from(BLOCKS), max_size=12))
def test_what_is_settled_looks_the_same_alone(parts: list[str]) -> None:
    grown, drawn = "", ""
    for part in parts:
        grown += part
        settled = settled_length(grown)
        drawn, grown = drawn + PARSER.render(grown[:settled]), grown[settled:]
    assert drawn + PARSER.render(grown) == PARSER.render("".join(parts))
