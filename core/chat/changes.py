"""What has changed in people's conversations, for those who watch: an open page, say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator


class Changes:
    """Tells each watcher of a person the keys of the conversations that have changed since its last look."""

    def __init__(self) -> None:
        self._watchers: dict[str, set[_Watcher]] = {}

    def tell(self, user: str, conversation: str) -> None:
        """The path, title or persona of this conversation has changed."""
        for watcher in self._watchers.get(user, ()):
            watcher.keys[conversation] = None
            watcher.moved.set()

    async def of(self, user: str) -> AsyncGenerator[str, None]:
        """The keys of this person's conversations as they change; what piles up between two looks is merged.

        Never ends by itself: close the generator.
        """
        watcher = _Watcher()
        self._watchers.setdefault(user, set()).add(watcher)
        try:
            while True:
                await watcher.moved.wait()
                watcher.moved.clear()
                keys, watcher.keys = watcher.keys, {}
                for key in keys:
                    yield key
        finally:
            self._watchers[user].discard(watcher)
            if not self._watchers[user]:
                del self._watchers[user]


class _Watcher:
    """One viewer of a person's changes: the keys since its last look."""

    def __init__(self) -> None:
        self.keys: dict[str, None] = {}
        self.moved = asyncio.Event()
