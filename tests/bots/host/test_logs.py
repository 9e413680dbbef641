"""The log: lines that can be read by people and machines, and never a secret or a word that a person wrote."""

from __future__ import annotations

import asyncio
import errno
import io
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bots.host import logs
from tests.support.whole_core import Clock, finish, house

TELEGRAM = "1234567890:AAH9x-abcdefghijklmnopqrstuvwxyz0_1"
DISCORD = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GaBcDe." + "x" * 38


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Each test's logging setup ends with the test."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    yield
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    logging.captureWarnings(False)
    for name in (*logs.OURS, *logs.LIBRARIES):
        logging.getLogger(name).setLevel(logging.NOTSET)


def written(format: str, *secrets: str, level: str = "debug") -> io.StringIO:
    out = io.StringIO()
    logs.configure(level, format, secrets, stream=out)  # type: ignore[arg-type]
    return out


@pytest.mark.parametrize("format", ["text", "json"])
def test_a_secret_is_masked_wherever_it_stands(format: str) -> None:
    chosen = 'pass"word\\1'
    out = written(format, chosen)
    log = logging.getLogger("bots.test")
    log.info("with %s in %s", chosen, f"https://api.example/bot{TELEGRAM}/getMe", extra={"token": DISCORD})
    try:
        raise ValueError(f"GET /?key=abcDEF123&x=1 failed with {chosen}")
    except ValueError:
        log.exception("failed")
    text = out.getvalue()
    assert text.count("***") >= 5
    for secret in (TELEGRAM, DISCORD, "abcDEF123", "word\\1", "word\\\\1"):
        assert secret not in text
    assert "getMe" in text
    assert "&x=1 failed" in text


def test_a_key_made_at_run_time_can_be_hidden_too() -> None:
    out = io.StringIO()
    logs.configure("info", "text", stream=out).hide("made-later")
    logging.getLogger("bots").info("see made-later")
    assert "made-later" not in out.getvalue()


def test_a_line_of_json_carries_its_fields() -> None:
    out = written("json")
    logging.getLogger("core.chat").info("turn %d", 7, extra={"reason": "stop", "tokens": 12})
    line = json.loads(out.getvalue())
    assert line.pop("time").endswith("Z")
    assert line == {"level": "info", "logger": "core.chat", "message": "turn 7", "reason": "stop", "tokens": 12}


def test_a_message_cannot_forge_a_second_line() -> None:
    out = written("text")
    logging.getLogger("bots").info("one\n2026-01-01 ERROR forged \x1b[31m", extra={"who": "a\nb"})
    assert len(out.getvalue().splitlines()) == 1
    assert "\x1b" not in out.getvalue()


def test_libraries_are_heard_only_when_something_is_wrong() -> None:
    out = written("text")
    for name in ("httpx", "httpcore.http11", "sqlalchemy.engine", "markdown_it", "asyncio"):
        logging.getLogger(name).info("chatter of %s", name)
    logging.getLogger("httpx").warning("trouble")
    assert "chatter" not in out.getvalue()
    assert "trouble" in out.getvalue()


async def test_no_word_of_a_turn_reaches_the_log_at_debug(tmp_path: Path) -> None:
    out = written("text", level="debug")
    logging.getLogger().setLevel(logging.DEBUG)
    async with house(tmp_path) as home:
        home.engine.release()
        reply = await home.ask("console:me:main", "Xylophon-question", user="console:mallory")
        assert "a4" in await finish(reply)
        await home.chat.undo("console:me:main", "console:mallory")
        await home.chat.forget("console:mallory")
    for word in ("Xylophon", "a1 a2", "mallory"):
        assert word not in out.getvalue()


@contextmanager
def caught(clock: Clock) -> Iterator[asyncio.AbstractEventLoop]:
    """The test's loop, whose strays are logged."""
    loop = asyncio.get_running_loop()
    hooks = threading.excepthook, logs.sys.unraisablehook
    try:
        logs.catch_strays(loop, clock)
        yield loop
    finally:
        threading.excepthook, logs.sys.unraisablehook = hooks
        loop.set_exception_handler(None)


def refused(number: int) -> OSError:
    """An error of the machine, as the loop catches it."""
    try:
        raise OSError(number, os.strerror(number))
    except OSError as error:
        return error


async def test_the_same_error_of_the_loop_is_one_line_a_minute_that_counts_the_others() -> None:
    out, clock = written("json"), Clock(0.0)
    with caught(clock) as loop:
        for second in range(130):
            clock.now = float(second)
            for _ in range(1000):
                context = {"message": "socket.accept() out of system resource", "exception": refused(errno.EMFILE)}
                loop.call_exception_handler(context)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line.get("left_out") for line in lines] == [None, 59_999, 59_999]
    for line in lines:
        assert "LimitNOFILE" in line["message"]
        assert "ulimit -n" in line["message"]
        assert "exception" not in line, "where it happened helps nobody"


async def test_other_errors_of_the_loop_are_told_beside_it() -> None:
    out = written("json")
    with caught(Clock(0.0)) as loop:
        for number in (errno.EMFILE, errno.ENFILE, errno.EMFILE, errno.EIO):
            loop.call_exception_handler({"message": "failed", "exception": refused(number)})
        for name in ("one", "another", "one"):
            loop.call_exception_handler({"message": name})
        for _ in range(2):
            loop.call_soon(lambda: 1 / 0)  # the loop's message has the address of each function
        await asyncio.sleep(0)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["message"].partition(" ")[0] for line in lines[:3]] == ["failed:", "failed:", "failed"]
    assert "fs.file-max" in lines[1]["message"]
    assert [line["message"] for line in lines[3:5]] == ["one", "another"]
    assert len(lines) == 6
    assert "ZeroDivisionError" in lines[5]["exception"]


async def test_what_nobody_awaits_is_logged() -> None:
    out = written("text")
    loop = asyncio.get_running_loop()
    hooks = threading.excepthook, logs.sys.unraisablehook
    try:
        logs.catch_strays(loop)
        loop.call_soon(lambda: 1 / 0)
        thread = threading.Thread(target=lambda: {}["nothing"])
        thread.start()
        thread.join()
        await asyncio.sleep(0)
    finally:
        threading.excepthook, logs.sys.unraisablehook = hooks
        loop.set_exception_handler(None)
    assert "ZeroDivisionError" in out.getvalue()
    assert "KeyError" in out.getvalue()
