"""Commands that were given: each is carried out once, however often Telegram delivers it, and nobody waits long."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from core.errors import StoreFull
from core.store.store import Store

log = logging.getLogger(__name__)

COMMAND_SECONDS = 5.0
"""How long others wait for a command; one that takes longer goes on beside them."""
GIVEN_KEPT = 200
"""Commands of which it is remembered that they were given: more than Telegram delivers at once."""


class Given:
    """The commands of one bot, by their updates; ``key`` is where the store remembers them."""

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key = store, key
        self._updates: deque[int] = deque(maxlen=GIVEN_KEPT)
        self._running: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Read which commands were given in earlier lives."""
        self._updates.extend(json.loads(await self._store.get(self._key) or "[]"))

    async def close(self) -> None:
        """Let what still runs come to its end while it can be told, for as long as others would wait for it."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=COMMAND_SECONDS)

    async def once(self, update: int, work: Coroutine[Any, Any, None], failed: Callable[[], None]) -> None:
        """Carry out a command that was not given before. Raises what goes wrong while others wait for it; ``failed`` is
        called for what does so later."""
        if update in self._updates:  # delivered again, or the store could not take that it was given
            work.close()
        else:
            await self._carry_out(update, work, failed)
            self._updates.append(update)
        try:
            await self._store.put(self._key, json.dumps(list(self._updates)))
        except StoreFull:  # the next one is kept with it, and till then only a kill right now would give it again
            log.warning("the disk is full: it is not stored that a command was given")

    async def _carry_out(self, update: int, work: Coroutine[Any, Any, None], failed: Callable[[], None]) -> None:
        task = asyncio.create_task(work, name=f"command {update}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        done, _ = await asyncio.wait({task}, timeout=COMMAND_SECONDS)
        if done:
            task.result()
            return

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (failure := task.exception()):
                log.error("%s failed", task.get_name(), exc_info=failure)
                failed()

        task.add_done_callback(ended)
