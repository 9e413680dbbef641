"""How long things last: until a signal, until the first of several ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 130
"""Exit code of a program ended by Ctrl-C, as shells count it: 128 + SIGINT."""


@contextmanager
def stopping() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C or SIGTERM sets. A Ctrl-C after that ends the process at once: what was
    accepted is kept."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()

    def heard(number: signal.Signals) -> None:
        if stop.is_set() and number == signal.SIGINT:
            os._exit(INTERRUPTED)
        stop.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, heard, number)
    try:
        yield stop
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


async def first(*works: Coroutine[Any, Any, T]) -> T:
    """What the first of ``works`` to end returns or raises; the others are cancelled and waited for."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
