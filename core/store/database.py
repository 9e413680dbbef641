"""One writer thread, a few readers: who may touch the database when, and what shares a commit.

Work is a plain function of a connection. Writes that wait for the writer share one commit, each in a savepoint of its
own, so that one that raises takes nothing from the others.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from core.errors import StoreError, StoreFull
from core.store import schema, sqlite
from core.store.erasing import Erasing
from core.store.migrations import MIGRATIONS, Migration

log = logging.getLogger(__name__)
T = TypeVar("T")

READERS = 3
BATCH = 256
"""Writes that share a commit at most."""


class _RolledBack(Exception):
    """The whole transaction is gone, with the work of others in it."""


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], Any]
    durable: bool
    future: asyncio.Future[Any]
    bare: bool = False  # outside of any transaction
    value: Any = None
    error: BaseException | None = field(default=None)


class Database:
    """The store's file, open. All methods belong to the event loop that opened it."""

    def __init__(self, path: Path, writer: Engine, connection: Connection, readers: Engine) -> None:
        self.path = path
        self._engine, self._connection, self._readers = writer, connection, readers
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._full: bool | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._write_all, name="store writer", daemon=True)
        self._pool = ThreadPoolExecutor(READERS, thread_name_prefix="store reader")
        self.erasing = Erasing(lambda work: self._submit(work, bare=True))

    @classmethod
    @asynccontextmanager
    async def open(cls, folder: Path, migrations: Sequence[Migration] = MIGRATIONS) -> AsyncIterator[Database]:
        """The database in ``folder``, made or brought to the newest schema. Raises StoreError with a sentence."""
        path, writer, connection = await asyncio.to_thread(_open, folder, migrations)
        database = cls(path, writer, connection, sqlite.readers(path, READERS))
        database._thread.start()
        try:
            yield database
        finally:
            await asyncio.shield(database._close())

    async def write(self, work: Callable[[Connection], T], *, durable: bool = False) -> T:
        """Do ``work`` in a transaction and return when it is committed; ``durable``: on the disk.

        It may run twice, if what shared its commit broke that. It is done even if the caller is cancelled. Raises what
        ``work`` raises, StoreFull, StoreError.
        """
        return await self._submit(work, durable)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do ``work`` over one moment of the database; it sees every write that has returned."""
        self._check_open()

        def whole() -> T:
            try:
                with self._readers.connect() as connection:
                    return work(connection)
            except Exception as error:
                raise _told(error, self.path) from error

        return await self._loop.run_in_executor(self._pool, whole)

    async def copy(self, target: Path) -> None:
        """A backup beside the running store. Raises StoreError, also where ``target`` exists."""
        self._check_open()
        await self._loop.run_in_executor(self._pool, sqlite.copy, self.path, target)

    def size(self) -> int:
        """Bytes of the database, its log and what else belongs to it."""
        total = 0
        for file in self.path.parent.glob(self.path.name + "*"):
            with suppress(FileNotFoundError):
                total += file.stat().st_size
        return total

    async def drop_backups(self) -> None:
        """Delete the copies that were made before migrations."""
        try:
            await asyncio.to_thread(sqlite.drop_backups, self.path.parent)
        except OSError as error:
            raise _told(error, self.path) from error

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("The store is closed.")

    async def _submit(self, work: Callable[[Connection], T], durable: bool = False, bare: bool = False) -> T:
        self._check_open()
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(work, durable, future, bare))
        return await future

    async def _close(self) -> None:
        """What was asked before is still done. The last connection to close empties the log."""
        self._closed = True
        self.erasing.cancel()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._pool.shutdown)
        self._readers.dispose()

    # The writer's thread.

    def _write_all(self) -> None:
        going = True
        while going:
            jobs, going = self._waiting()
            if shared := [job for job in jobs if not job.bare]:
                self._commit(shared)
                self._deliver(shared)
            if bare := [job for job in jobs if job.bare]:
                self._run_bare(bare[0])
                self._deliver(bare)
        self._connection.close()
        self._engine.dispose()

    def _waiting(self) -> tuple[list[_Job], bool]:
        """All that waits by now, at least one, up to the first bare job; and whether more may come."""
        jobs: list[_Job] = []
        try:
            item = self._jobs.get()
            while item is not None:
                jobs.append(item)
                if item.bare or len(jobs) == BATCH:
                    return jobs, True
                item = self._jobs.get_nowait()
        except Empty:
            return jobs, True
        return jobs, False

    def _commit(self, jobs: list[_Job]) -> None:
        """One commit for all. If that does not fit the disk, each has its own: one of them may be all too large."""
        try:
            self._transact(jobs)
        except Exception as error:
            cause = error.__cause__ if isinstance(error, _RolledBack) else error
            for job in jobs:
                job.value, job.error = None, _told(cause, self.path)
            if len(jobs) > 1 and isinstance(jobs[0].error, StoreFull):
                for job in jobs:
                    job.error = None
                    self._commit([job])

    def _transact(self, jobs: list[_Job]) -> None:
        full = any(job.durable for job in jobs)
        if full is not self._full:
            sqlite.durable(self._connection, full)
            self._full = full
        with self._connection.begin():
            if len(jobs) == 1:  # the transaction is its savepoint
                jobs[0].value = jobs[0].work(self._connection)
                return
            for job in jobs:
                sqlite.savepoint(self._connection)
                try:
                    job.value = job.work(self._connection)
                except Exception as error:
                    if not sqlite.in_transaction(self._connection):
                        raise _RolledBack from error
                    job.error = _told(error, self.path)
                sqlite.release(self._connection, undo=job.error is not None)

    def _run_bare(self, job: _Job) -> None:
        try:
            job.value = job.work(self._connection)
        except Exception as error:
            job.error = _told(error, self.path)

    def _deliver(self, jobs: list[_Job]) -> None:
        with suppress(RuntimeError):  # the loop is gone, and with it whoever asked
            self._loop.call_soon_threadsafe(_answer, jobs)


def _answer(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.future.done():  # cancelled: nobody waits any more
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.value)


def _told(error: BaseException | None, path: Path) -> BaseException:
    assert error is not None
    found = sqlite.meaning(error, path)
    if found is not error:
        found.__cause__ = error
    return found


def _open(folder: Path, migrations: Sequence[Migration]) -> tuple[Path, Engine, Connection]:
    """Files, writer connection, schema. Proves by a write of its own that the disk takes one."""
    path = sqlite.prepare(folder)
    engine = sqlite.writer(path)
    try:
        connection = engine.connect()
        try:
            _bring_up(connection, path, migrations)
        except BaseException:
            connection.close()
            raise
    except Exception as error:
        engine.dispose()
        raise sqlite.opening(error, folder) from error
    return path, engine, connection


def _bring_up(connection: Connection, path: Path, migrations: Sequence[Migration]) -> None:
    with connection.begin():
        found = schema.version(connection)
    schema.refuse_newer(found, migrations)
    if 0 < found <= len(migrations):
        copy = sqlite.back_up(path, found)
        log.info("the database goes from schema %d to %d; what it was is in %s", found, 1 + len(migrations), copy)
    sqlite.durable(connection, True)
    with connection.begin():
        schema.upgrade(connection, migrations)
