"""A front is connected again and again, or ended alone; a start hears of a wrong token at once. In virtual time."""

from __future__ import annotations

import asyncio
import logging

import pytest

from bots.talk.connection import CONTACT_SECONDS, LONGEST_BACK_OFF, Down, Ended, Report, kept_up
from tests.support.virtual_time import now, run


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


def test_it_is_up_once_its_session_says_so_and_is_closed_at_the_end() -> None:
    async def play() -> None:
        states: list[str] = []
        ended = []

        async def session(report: Report) -> None:
            await asyncio.sleep(1)
            report("up")
            try:
                await forever()
            finally:
                ended.append(now())

        async with kept_up("telegram", session, states.append):
            assert (states, now()) == (["up"], 1)
            await asyncio.sleep(10)
        assert (states, ended) == (["up"], [11])

    run(play())


def test_where_the_first_contact_ends_it_the_start_ends_too() -> None:
    async def play() -> None:
        async def session(report: Report) -> None:
            raise Ended("token", "The token is wrong. Get another.")

        with pytest.raises(Ended, match="Get another"):
            async with kept_up("telegram", session, lambda state: None):
                raise AssertionError("it came up")

    run(play())


def test_a_platform_that_cannot_be_reached_is_tried_again_later_and_later(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        states: list[tuple[float, str]] = []
        tries: list[float] = []

        async def session(report: Report) -> None:
            tries.append(now())
            if len(tries) < 9:
                raise Down("no network")
            report("up")
            await asyncio.sleep(5)
            if len(tries) == 9:
                raise Down("connection lost")
            await forever()

        async with kept_up("telegram", session, lambda state: states.append((now(), state))):
            assert now() == 0
            await asyncio.sleep(300)
        assert tries == [0, 1, 3, 7, 15, 31, 63, 63 + LONGEST_BACK_OFF, 183, 189]
        assert [state for _, state in states] == ["unreachable"] * 8 + ["up", "unreachable", "up"]

    with caplog.at_level(logging.WARNING):
        run(play())
    assert len(caplog.records) == 9


def test_a_platform_that_says_nothing_holds_up_no_start() -> None:
    async def play() -> None:
        states: list[str] = []

        async def session(report: Report) -> None:
            await asyncio.sleep(100)
            report("up")
            await forever()

        async with kept_up("telegram", session, states.append):
            assert now() == CONTACT_SECONDS
            assert states == ["unreachable"]
            await asyncio.sleep(100)
            assert states == ["unreachable", "up"]

    run(play())


def test_a_front_that_ends_later_ends_alone_with_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        states: list[str] = []

        async def session(report: Report) -> None:
            report("up")
            await asyncio.sleep(5)
            raise Ended("token revoked", "The token was revoked.")

        async with kept_up("telegram", session, states.append):
            await asyncio.sleep(1000)
        assert states == ["up", "ended: token revoked"]

    with caplog.at_level(logging.DEBUG, "bots"):
        run(play())
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "The token was revoked." in caplog.text


def test_a_mistake_of_ours_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        tries: list[float] = []

        async def session(report: Report) -> None:
            tries.append(now())
            raise ZeroDivisionError

        async with kept_up("telegram", session, lambda state: None):
            await asyncio.sleep(3.5)
        assert tries == [0, 1, 3]

    run(play())
    assert "ZeroDivisionError" in caplog.text
