"""The real process, killed, stopped and told to forget, seen from outside."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from random import Random

import pytest

from tests.crash.__main__ import crash, main
from tests.crash.program import Program
from tests.crash.records import Book, Sent, whole
from tests.crash.telegram import Telegram
from tests.crash.web import Browser, Web

SECONDS = 30.0
"""After so long something hangs."""
MUTANT_SECONDS = 8.0
"""How long to wait for what a Conch that is broken on purpose has lost."""


@asynccontextmanager
async def one_browser(folder: Path, **settings: str) -> AsyncIterator[tuple[Program, Browser, Book]]:
    """A running Conch and one person at it, whose network loses nothing."""
    web, book = Web(Random(1), answers_lost=0), Book()
    program = Program(folder, {**web.settings, **settings})
    await program.start()
    try:
        await program.ready()
        async with asyncio.timeout(2 * SECONDS), web.clients(program, book, 1) as (browser,):
            yield program, browser, book
    finally:
        await program.close()


async def test_twenty_kills_lose_double_and_reorder_nothing(tmp_path: Path) -> None:
    random = Random(20)
    verdict, _ = await crash(Web(random), 20, random, tmp_path)
    assert verdict.good, "\n".join(verdict.wrongs)
    assert verdict.kills == 20
    assert verdict.messages >= 60


async def test_a_conch_that_says_yes_before_it_commits_is_seen_to_lose_messages(tmp_path: Path) -> None:
    random = Random(2)
    late = "tests.crash.mutants", "late"
    verdict, _ = await crash(Web(random), 1, random, tmp_path, late, MUTANT_SECONDS)
    assert verdict.lost > 0


async def test_a_conch_that_does_not_know_events_again_is_seen_to_double_messages(tmp_path: Path) -> None:
    random = Random(2)
    keyless = "tests.crash.mutants", "keyless"
    verdict, _ = await crash(Web(random, answers_lost=0.6), 2, random, tmp_path, keyless, MUTANT_SECONDS)
    assert verdict.doubled > 0


async def test_twenty_kills_half_of_them_named_on_the_wire_lose_double_and_reorder_nothing_on_telegram(
    tmp_path: Path,
) -> None:
    random = Random(20)
    verdict, _ = await crash(Telegram(random), 20, random, tmp_path)
    assert verdict.good, "\n".join(verdict.wrongs)
    assert verdict.kills == 20
    assert verdict.messages >= 60


async def test_a_bot_that_tells_telegram_before_it_commits_is_seen_to_lose_messages(tmp_path: Path) -> None:
    random = Random(2)
    telegram = Telegram(random)
    telegram.moments = ("offset moved",)
    hasty = "tests.crash.quick_telegram", "hasty"
    verdict, _ = await crash(telegram, 1, random, tmp_path, hasty, MUTANT_SECONDS)
    assert verdict.lost > 0


async def test_an_answer_that_a_stop_cuts_off_is_completed_by_the_next_start(tmp_path: Path) -> None:
    async with one_browser(tmp_path, CONCH_ENGINE__DELAY="0.05", CONCH_QUEUE__DRAIN_SECONDS="0.1") as (
        program,
        browser,
        book,
    ):
        sent = book.sends(Sent("a" * 24, browser.conversations[0], "words=60 and then a stop"))
        await browser.send(sent)
        await book.until(lambda: sent.begun)
        assert await program.terminate() == 0
        await program.start()
        await program.ready()
        (begun,) = await browser.look()
        await book.until(lambda: sent.ended)
        (ended,) = await browser.look()
    assert begun.state == "open", "it was not cut off, or not taken up"
    assert ended.state == "answered"
    assert whole(ended.text, sent.prompt)


def holding(marker: str, *places: Path) -> list[str]:
    """The files under these places that have the marker in them."""
    files = [file for place in places for file in place.rglob("*") if file.is_file()]
    return sorted(file.name for file in files if marker.encode() in file.read_bytes())


async def test_what_is_forgotten_is_in_no_file_although_somebody_reads_and_is_not_answered_again(
    tmp_path: Path,
) -> None:
    marker = "quincunx-7f3e9b"
    async with one_browser(tmp_path) as (program, browser, book):
        sent = book.sends(Sent("b" * 24, browser.conversations[0], f"echo my secret is {marker}"))
        await browser.send(sent)
        await book.until(lambda: sent.ended)
        assert marker in (await browser.look())[0].text

        with closing(sqlite3.connect(program.data / "conch.db", isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM turns").fetchone()
            forgetting = asyncio.create_task(browser.http.post("/api/forget", json={}))
            while (await browser.http.get("/api/conversations")).json():  # noqa: ASYNC110  # in another process
                await asyncio.sleep(0.02)
            assert holding(marker, program.data), "a reader that keeps nothing back proves nothing"
            reader.execute("COMMIT")
        forgotten = await forgetting
        assert forgotten.status_code == 200
        assert forgotten.json()["count"] == 1
        assert holding(marker, program.data, program.log.parent) == []

        await browser.send(sent)
        assert await browser.look() == []
        assert holding(marker, program.data, program.log.parent) == []
        assert await program.terminate() == 0
    assert holding(marker, tmp_path) == []


def test_the_last_line_of_a_run_is_its_verdict_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--platform", "web", "--kills", "1", "--seed", "1"]) == 0
    verdict = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert verdict["kills"] == 1
    assert set(verdict) == {"kills", "messages", "lost", "doubled", "reordered", "orphans", "apologies"}
