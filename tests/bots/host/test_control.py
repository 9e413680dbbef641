"""The socket in the data folder: a running Conch asked from beside it."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bots.host import control
from bots.host.control import Failed, RefusedThere
from bots.host.folder import Held, hold
from bots.host.remote_chat import METHODS, remote_chat
from bots.talk.commands import NotRunning, Talk
from core.chat.chat import Chat
from core.errors import NotFound, StoreError, TooFast
from core.events import Delta, Finished, Queued
from core.messages import Question, Revision
from tests.support.stepped_engine import until
from tests.support.whole_core import House, house

ME = "console:me"
KEY = "console:me:main"


@asynccontextmanager
async def served(folder: Path, **how: object) -> AsyncIterator[tuple[House, Talk[control.Stream]]]:
    """A house whose chat answers on the socket of ``folder``."""
    async with (
        house(folder, **how) as home,  # type: ignore[arg-type]
        control.listen(folder, {name: getattr(home.chat, name) for name in METHODS}),
    ):
        yield home, remote_chat(folder)


async def ask(talk: Talk[control.Stream], text: str, event: str = "console:1") -> control.Stream:
    return await talk.send(Question(KEY, ME, event, text, language="en"))


async def test_a_question_through_the_socket_is_answered_like_any_other(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, talk):
        home.engine.release()
        answer = await ask(talk, "hello")
        events = [event async for event in answer]
        assert "".join(event.text for event in events if isinstance(event, Delta)) == "a1 a2 a3 a4"
        assert events[-1] == Finished("stop")
        assert answer.text == "a1 a2 a3 a4"
        assert answer.turn.reply == "a1 a2 a3 a4"
        assert [turn.prompt for turn in await talk.history(KEY, ME)] == ["hello"]
        assert [turn.prompt for turn in await home.chat.history(KEY, ME)] == ["hello"]


async def test_the_place_in_line_arrives_and_the_same_event_twice_is_one_turn(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, talk):
        await home.chat.send(Question("web:ann:1", "web:ann", "web:1", "first"))
        answer, again = await ask(talk, "hello"), await ask(talk, "hello")
        assert answer.turn.id == again.turn.id
        events = aiter(answer)
        assert await anext(events) == Queued(1)
        home.engine.release()
        assert [event async for event in events][-1] == Finished("stop")
        assert [event async for event in again][-1] == Finished("stop")


async def test_a_viewer_that_goes_away_ends_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, talk):
        answer = await ask(talk, "hello")
        await until(lambda: home.engine.running)
        home.engine.step()
        events = aiter(answer)
        assert isinstance(await anext(events), Delta)
        await events.aclose()  # type: ignore[attr-defined]
        home.engine.release()
        late = await talk.reply(answer.turn.id, ME)
        assert [event async for event in late][-1] == Finished("stop")
        assert late.turn.reply == "a1 a2 a3 a4"


async def test_stop_reaches_the_answer(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, talk):
        answer = await ask(talk, "hello")
        await until(lambda: home.engine.running)
        home.engine.step()
        events = aiter(answer)
        assert await anext(events) == Delta("a1")
        await answer.cancel()
        assert await anext(events) == Finished("abort", "stopped")


async def test_refusals_keep_their_cause_and_details(tmp_path: Path) -> None:
    async def too_fast() -> None:
        raise TooFast(12.5)

    async with served(tmp_path) as (_, talk):
        with pytest.raises(RefusedThere) as refused:
            await talk.regenerate(Revision(999, ME, "console:9", branch=True))
        assert refused.value.cause == NotFound.cause
    async with control.listen(tmp_path, {"try": too_fast}):
        with pytest.raises(RefusedThere) as refused:
            await control.call(tmp_path, "try")
        assert (refused.value.cause, refused.value.details) == ("too_fast", {"seconds": 12.5})


async def test_all_of_a_remote_chat_reaches_the_chat(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, talk):
        home.engine.release()
        first = await ask(talk, "hello")
        assert [event async for event in first][-1] == Finished("stop")
        other = await talk.regenerate(Revision(first.turn.id, ME, "console:2", branch=True))
        assert [event async for event in other][-1] == Finished("stop")
        assert await talk.persona(KEY, ME) == "assistant"
        assert await talk.persona(KEY, ME, "pirate") == "pirate"
        assert await talk.language(ME) is None
        assert await talk.language(ME, "ko") == "ko"
        assert (await talk.status(ME, KEY)).persona == "pirate"
        assert await talk.cancel(KEY, ME) is None
        undone = await talk.undo(KEY, ME)
        assert undone is not None
        assert undone.prompt == "hello"
        await talk.new(KEY, ME)
        assert await talk.history(KEY, ME) == []
        assert "hello" in json.dumps(await talk.export(ME))
        assert await talk.forget(ME) == 2


async def test_a_shutdown_cuts_the_stream_without_an_end(tmp_path: Path) -> None:
    async with served(tmp_path) as (home, talk):
        answer = await ask(talk, "hello")
        await until(lambda: home.engine.running)
        events = aiter(answer)
        home.engine.step()
        assert await anext(events) == Delta("a1")
        await home.chat.drain(0)
        assert [event async for event in events] == []
    with pytest.raises(NotRunning):
        await talk.status(ME)


async def test_closing_ends_the_connections_that_are_open(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, talk):
        answer = await ask(talk, "hello")
    assert [event async for event in answer if isinstance(event, Finished)] == []
    assert not (tmp_path / control.NAME).exists()


@pytest.mark.parametrize("line", [b"nonsense\n", b'{"method": "rm", "arguments": {}}\n', b"[]\n", b"\n", b'{"method"'])
async def test_what_is_no_request_gets_a_sentence(tmp_path: Path, line: bytes) -> None:
    async with served(tmp_path):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / control.NAME))
        writer.write(line)
        writer.write_eof()
        assert "does not understand" in json.loads(await reader.readline())["error"]
        writer.close()


async def test_wrong_arguments_are_a_sentence_and_a_fault_of_ours_is_a_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> None:
        raise RuntimeError("inside")

    async with control.listen(tmp_path, {"broken": broken}):
        with pytest.raises(Failed, match="same version"):
            await control.call(tmp_path, "broken", surprise=1)
        with pytest.raises(Failed, match="log says why") as failed:
            await control.call(tmp_path, "broken")
    assert "inside" not in str(failed.value)
    assert "inside" in caplog.text


async def test_only_its_own_system_user_can_reach_the_socket(tmp_path: Path) -> None:
    async with control.listen(tmp_path, {}):
        assert stat.S_IMODE((tmp_path / control.NAME).stat().st_mode) == 0o600


async def test_a_socket_left_by_a_crash_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / control.NAME))
    assert not await control.answers(tmp_path)
    async with served(tmp_path) as (_, talk):
        assert await control.answers(tmp_path)
        assert (await talk.status(ME)).ready


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a path that long gets a sentence")
async def test_a_long_path_works(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    assert len(os.fsencode(folder)) > control.LONGEST_PATH
    async with control.listen(folder, {"echo": _echo}):
        assert await control.answers(folder)
        assert await control.call(folder, "echo", text="한국어 🐚") == "한국어 🐚"
    assert not await control.answers(folder)


async def test_a_socket_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be used"):
        async with control.listen(tmp_path / "missing", {}):
            pass


async def test_a_large_answer_is_one_answer(tmp_path: Path) -> None:
    async with control.listen(tmp_path, {"echo": _echo}):
        assert len(await control.call(tmp_path, "echo", text="x" * 4_000_000)) == 4_000_000


async def _echo(text: str) -> str:
    return text


def test_the_second_holder_of_a_folder_is_told_who_has_it(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with hold(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        with pytest.raises(Held, match=f"process {os.getpid()}") as held, hold(folder):
            pass
        assert held.value.pid == os.getpid()
    with hold(folder):
        pass


def test_a_file_in_the_folders_place_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(StoreError, match="a file in its place"), hold(tmp_path / "data"):
        pass
    with pytest.raises(StoreError, match="a file in its place"), hold(tmp_path / "data" / "deeper"):
        pass


def test_a_running_conch_offers_all_that_a_talk_needs_as_chat_takes_it() -> None:
    needed = {name for name, member in vars(Talk).items() if inspect.iscoroutinefunction(member)}
    assert needed == set(METHODS)
    for name in METHODS:
        wanted, offered = (inspect.signature(getattr(owner, name)).parameters for owner in (Talk, Chat))
        assert wanted.keys() <= offered.keys()


async def test_a_question_with_a_field_that_this_conch_does_not_know_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with served(tmp_path):
        with pytest.raises(Failed, match="does not understand"):
            await control.call(tmp_path, "send", question={"conversation": KEY, "user": ME, "event": "console:1"})
        with pytest.raises(Failed, match="does not understand"):
            await control.call(tmp_path, "status", user=ME, mood="glad")
