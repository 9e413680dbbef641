"""The log: lines that can be read by people and machines, and never a secret or a word that a person wrote."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bots import logs
from tests.houses import finish, house

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
