"""The real program with a Telegram that lets itself be called more often: else a crash run would mostly wait.

``python -m tests.crash.quick_telegram hasty`` says yes to Telegram before anything is committed, as most bots do.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from bots.__main__ import main
from bots.talk.pacing import Rate
from bots.telegram import front, session
from bots.telegram.calls import Rates

RATES = Rates(
    private=Rate(interval=0.03, typing=5.0, opening=True),
    group=Rate(interval=0.03, preview=0.1, line=0.5, typing=5.0),
    over_all=300,
)


LATE_SECONDS = 0.3


class HastyQueue(session.UpdateQueue):
    """Takes an update when there is time, like the queue between PTB's updater and its handlers."""

    async def put(self, item: object) -> None:
        self._late = asyncio.create_task(self._put_late(item))

    async def _put_late(self, item: object) -> None:
        await asyncio.sleep(LATE_SECONDS)
        await super().put(item)


class QuickLook(front.Look):
    """The same with these rates."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **{"rates": RATES, **named})


if __name__ == "__main__":
    vars(front)["Look"] = QuickLook
    if sys.argv[1:] == ["hasty"]:
        vars(session)["UpdateQueue"] = HastyQueue
    sys.exit(main([]))
