"""Conch, broken on purpose: ``python -m tests.crash.mutants late|keyless`` is the real program with another store.

The crash runs must find each of them out, else their silence about the real program would mean nothing.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import bots.app
from bots.__main__ import main
from core.limits import Spend
from core.messages import Turn
from core.store.store import NewTurn, Store

LATE_SECONDS = 2.0
"""What was said yes to in the last so many seconds is not committed yet."""
DATABASE = "conch.db"


class LateStore(Store):
    """Says yes, lets the answer begin, and commits later: all happens in a copy that is put back when it is old."""

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, **settings: Any) -> AsyncIterator[Store]:
        working = folder / "not-committed-yet"
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir(parents=True)
        if (folder / DATABASE).exists():
            shutil.copy(folder / DATABASE, working / DATABASE)
        async with super().open(working, **settings) as store:
            committing = asyncio.create_task(_commit_late(store, folder))
            try:
                yield store
            finally:
                committing.cancel()
                await asyncio.wait({committing})


async def _commit_late(store: Store, folder: Path) -> None:
    for number in count():
        copy = folder / f"{DATABASE}.{number}"
        copy.unlink(missing_ok=True)
        await store.backup(copy)
        await asyncio.sleep(LATE_SECONDS)
        copy.replace(folder / DATABASE)


class KeylessStore(Store):
    """Has no unique key on events: whatever is sent again is new."""

    async def find(self, event: str) -> Turn | None:
        return None

    async def accept(self, new: NewTurn, check: Callable[[Sequence[Spend]], None] | None) -> tuple[Turn, bool]:
        question = replace(new.question, event=f"{new.question.event} {uuid4()}")
        return await super().accept(replace(new, question=question), check)


MUTANTS: dict[str, type[Store]] = {"late": LateStore, "keyless": KeylessStore}

if __name__ == "__main__":
    vars(bots.app)["Store"] = MUTANTS[sys.argv[1]]
    sys.exit(main([]))
