"""An event loop whose clock jumps: whoever sleeps wakes at once, in order. Nothing outside is waited for."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from types import SimpleNamespace
from typing import Any, TypeVar
from unittest import mock

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Instead of sleeping, puts the clock forward."""

    now = 0.0
    looks = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.looks += 1
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits and nothing will ever happen")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """``time()`` begins at 0."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now

    @property
    def rounds(self) -> int:
        """How often the loop has gone round."""
        return self._virtual.looks


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in virtual time, with asyncio-throttle's clock the loop's (it has no argument for one)."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        clock = SimpleNamespace(monotonic=runner.get_loop().time)
        with mock.patch("asyncio_throttle.throttler.time", clock):
            return runner.run(work)


def now() -> float:
    """The running loop's time, as a clock to hand over."""
    return asyncio.get_running_loop().time()
