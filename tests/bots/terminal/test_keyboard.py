"""The main thread as the reader of the keyboard, with the event loop beside it."""

from __future__ import annotations

import asyncio
import ctypes
import operator
import os
import signal
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from bots.terminal.keyboard import Interrupted, Keyboard
from core.errors import EngineError
from tests.support.stepped_engine import until


@pytest.fixture
def blocking() -> Iterator[Callable[[str], str]]:
    """Reads from a pipe into which nobody writes."""
    ours, theirs = os.pipe()
    yield lambda prompt: os.read(ours, 1).decode()
    os.close(ours)
    os.close(theirs)


def nothing_typed(prompt: str) -> str:
    raise EOFError


def test_lines_are_read_in_the_main_thread_until_the_input_ends() -> None:
    lines = iter(["one", "zwei \udcff"])

    def read(prompt: str) -> str:
        try:
            return prompt + next(lines)
        except StopIteration:
            raise EOFError from None

    keyboard = Keyboard(read)

    async def work() -> int:
        assert await keyboard.line("> ") == "> one"
        assert await keyboard.line() == "zwei \ufffd"
        assert await keyboard.line() is None
        return 7

    assert keyboard.run(work) == 7


def test_what_ends_beside_the_keyboard_does_not_wait_for_a_line(blocking: Callable[[str], str]) -> None:
    keyboard = Keyboard(blocking)

    async def work() -> int:
        reading = asyncio.ensure_future(keyboard.line())
        await until(lambda: keyboard.reading)
        reading.cancel()
        raise EngineError("The GPU is lost.")

    with pytest.raises(EngineError, match="lost"):
        keyboard.run(work)


def test_ctrl_c_interrupts_the_line_that_is_typed(blocking: Callable[[str], str]) -> None:
    keyboard = Keyboard(blocking)

    async def work() -> int:
        line = asyncio.ensure_future(keyboard.line())
        await until(lambda: keyboard.reading)
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted):
            await line
        return 3

    assert keyboard.run(work) == 3


def test_ctrl_c_beside_a_line_is_told_to_the_loop() -> None:
    keyboard = Keyboard(nothing_typed)

    async def work() -> int:
        heard = asyncio.Event()
        keyboard.on_interrupt = heard.set
        os.kill(os.getpid(), signal.SIGINT)
        await heard.wait()
        return 4

    assert keyboard.run(work) == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_goes_away_ends_the_work_in_order(
    blocking: Callable[[str], str], number: signal.Signals
) -> None:
    keyboard = Keyboard(blocking)
    ended = []

    async def work() -> int:
        line = asyncio.ensure_future(keyboard.line())
        await until(lambda: keyboard.reading)
        os.kill(os.getpid(), number)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)
            await asyncio.gather(line, return_exceptions=True)
        return 5

    before = signal.getsignal(number)
    assert keyboard.run(work) == 0
    assert ended == [number]
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_just_before_the_wait_for_a_key_is_not_held_back(number: signal.Signals) -> None:
    ours, theirs = os.pipe()
    comes = partial(ctypes.CDLL(None)["raise"], number)  # Python notes it, and runs its handler at the next bytecode
    keyboard = Keyboard(lambda prompt: str(list(map(operator.call, [comes, partial(os.read, ours, 1)]))))

    async def work() -> int:
        with pytest.raises(Interrupted):
            await keyboard.line()
        return 6

    try:
        assert keyboard.run(work) == (6 if number == signal.SIGINT else 0)
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_line_that_is_asked_for_after_the_terminal_went_away_is_not_waited_for(
    blocking: Callable[[str], str],
) -> None:
    keyboard = Keyboard(blocking)

    async def work() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        try:
            await asyncio.Event().wait()
        finally:
            assert await keyboard.line() is None
        return 8

    assert keyboard.run(work) == 0
