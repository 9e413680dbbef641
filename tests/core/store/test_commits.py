"""Who may write when, what shares a commit, and what a crash leaves: on the real file, with real threads."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, insert, select
from sqlalchemy.pool import Pool

from core.errors import StoreError, StoreFull, TooFast
from core.limits import Spend
from core.store import database as database_module
from core.store.database import Database
from core.store.schema import marks
from core.store.store import Store
from tests.support.store_samples import ANN, NOON, answer, ask, question


@contextmanager
def connections() -> Iterator[list[sqlite3.Connection]]:
    """Every connection to a database that is made meanwhile."""
    made: list[sqlite3.Connection] = []

    def keep(connection: sqlite3.Connection, record: object) -> None:
        made.append(connection)

    event.listen(Pool, "connect", keep)
    try:
        yield made
    finally:
        event.remove(Pool, "connect", keep)


@asynccontextmanager
async def traced(folder: Path) -> AsyncIterator[tuple[Store, list[str]]]:
    """A store, and what its writer says to SQLite from now on."""
    said: list[str] = []
    with connections() as made:
        async with Store.open(folder) as store:
            await store.erased()
            made[0].set_trace_callback(said.append)
            yield store, said
            made[0].set_trace_callback(None)


def pragma(connection: sqlite3.Connection, name: str) -> Any:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def put(key: str, value: str = "") -> Callable[[Connection], None]:
    """Work for the writer."""

    def work(connection: Connection) -> None:
        connection.execute(insert(marks).values(key=key, value=value))

    return work


def held(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(marks)) or 0


@asynccontextmanager
async def writer_held(database: Database) -> AsyncIterator[None]:
    """The writer is inside a transaction; what is asked of it meanwhile waits, all of it, until the block has ended."""
    busy, free = threading.Event(), threading.Event()

    def wait(connection: Connection) -> None:
        busy.set()
        assert free.wait(10)

    holding = asyncio.create_task(database.write(wait))
    await asyncio.to_thread(busy.wait, 10)
    try:
        yield
        await asyncio.sleep(0)  # tasks made in the block get as far as the line
    finally:
        free.set()
        await holding


async def test_every_connection_has_the_pragmas_it_was_given(tmp_path: Path) -> None:
    with connections() as made:
        async with Store.open(tmp_path) as store:
            await store.erased()
            waiting = threading.Barrier(database_module.READERS)
            reads = [store._database.read(lambda c: waiting.wait(10)) for _ in range(database_module.READERS)]
            await asyncio.gather(*reads)
            writer, *readers = made
            assert len(readers) == database_module.READERS
            for connection in made:
                assert pragma(connection, "journal_mode") == "wal"
                assert pragma(connection, "temp_store") == 2
                assert pragma(connection, "busy_timeout") == 5000
                assert pragma(connection, "foreign_keys") == 1
            assert pragma(writer, "secure_delete") == 1
            for connection in readers:
                assert pragma(connection, "query_only") == 1
                with pytest.raises(sqlite3.OperationalError, match="readonly"):
                    connection.execute("DELETE FROM turns")


async def test_accept_and_forget_wait_for_the_disk_and_nothing_else_does(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:

        async def level(durable: bool) -> int:
            return await store._database.write(
                lambda c: int(c.exec_driver_sql("PRAGMA synchronous").scalar_one()), durable=durable
            )

        full, normal = 2, 1
        assert [await level(True), await level(False), await level(True)] == [full, normal, full]

    async with traced(tmp_path) as (store, said):
        turn = await ask(store, "1")
        assert said[:2] == ["PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"]
        assert said[-1] == "COMMIT"
        for change, durable in [
            (store.started(turn.id, NOON), False),
            (store.placed(turn.id, 0, "m"), False),
            (answer(store, turn.id), False),
            (store.delete(turn.id), True),
            (store.shown(turn.id), False),
            (store.remove("web:ann:1"), True),
            (store.set_language(ANN, "ko"), False),
            (store.forget(ANN), True),
            (store.put("a", "b"), False),
        ]:
            await change
            levels = [line for line in said if "synchronous" in line]
            assert levels[-1] == f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}"


async def test_a_batch_is_durable_if_any_of_it_has_to_be(tmp_path: Path) -> None:
    async with traced(tmp_path) as (store, said):
        async with writer_held(store._database):
            work = [store.put("a", "1"), ask(store, "1"), store.put("b", "2")]
            together = asyncio.gather(*work)
        await together
        commit = said.index("COMMIT") + 1
        assert said[commit : commit + 2] == ["PRAGMA synchronous = FULL", "BEGIN IMMEDIATE"]


async def test_questions_that_wait_together_share_one_commit(tmp_path: Path) -> None:
    async with traced(tmp_path) as (store, said):
        async with writer_held(store._database):
            together = asyncio.gather(*(ask(store, f"web:{i}", conversation=f"web:{i % 3}") for i in range(30)))
        made = await together
        assert said.count("COMMIT") == 2  # the one that was held, and one for all
        assert [turn.id for turn in made] == list(range(1, 31))


async def test_one_that_fails_takes_nothing_from_those_it_shares_a_commit_with(tmp_path: Path) -> None:
    def refuse(spends: Sequence[Spend]) -> None:
        raise TooFast(1.0)

    async with traced(tmp_path) as (store, said):
        async with writer_held(store._database):
            accepts = [store.accept(question(f"web:{i}"), refuse if i == 2 else None) for i in range(4)]
            together = asyncio.gather(*accepts, return_exceptions=True)
        results = await together
        assert said.count("COMMIT") == 2
        assert isinstance(results[2], TooFast)
        assert [await store.find(f"web:{i}") is not None for i in range(4)] == [True, True, False, True]


async def test_what_one_has_written_before_it_fails_goes_with_it_also_in_a_shared_commit(tmp_path: Path) -> None:
    def half(connection: Connection) -> None:
        put("half")(connection)
        raise TooFast(1.0)

    async with Database.open(tmp_path) as database:
        async with writer_held(database):
            work = [put("before"), half, put("after")]
            together = asyncio.gather(*(database.write(each) for each in work), return_exceptions=True)
        results = await together
        assert [type(result) for result in results] == [type(None), TooFast, type(None)]
        assert await database.read(held) == 2
        with pytest.raises(TooFast):
            await database.write(half)
        assert await database.read(held) == 2


async def test_a_batch_that_does_not_fit_the_disk_loses_only_what_does_not_fit(tmp_path: Path) -> None:
    async with Database.open(tmp_path) as database:
        pages = await database.write(lambda c: int(c.exec_driver_sql("PRAGMA page_count").scalar_one()))
        await database.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages + 3}").scalar())
        async with writer_held(database):
            work = [put("small"), put("large", "x" * 1_000_000), put("other")]
            together = asyncio.gather(*(database.write(each) for each in work), return_exceptions=True)
        results = await together
        assert [type(result) for result in results] == [type(None), StoreFull, type(None)]
        assert await database.read(held) == 2


async def test_a_caller_who_is_cancelled_neither_stops_nor_disturbs_the_commit(tmp_path: Path) -> None:
    async with Database.open(tmp_path) as database:
        async with writer_held(database):
            gone, stays = (asyncio.create_task(database.write(put(key))) for key in ("a", "b"))
            await asyncio.sleep(0)
            gone.cancel()
        await stays
        assert gone.cancelled()
        assert await database.read(held) == 2


async def test_what_was_asked_before_the_end_is_done_before_the_end(tmp_path: Path) -> None:
    async with Database.open(tmp_path) as database, writer_held(database):
        last = asyncio.create_task(database.write(put("last")))
    await last
    async with Database.open(tmp_path) as database:
        assert await database.read(held) == 1


async def test_a_read_sees_one_moment_and_every_write_that_has_returned(tmp_path: Path) -> None:
    first, written = threading.Event(), threading.Event()

    def twice(connection: Connection) -> tuple[int, int]:
        before = held(connection)
        first.set()
        assert written.wait(10)
        return before, held(connection)

    async with Database.open(tmp_path) as database:
        await database.write(put("a"))
        reading = asyncio.create_task(database.read(twice))
        await asyncio.to_thread(first.wait, 10)
        await database.write(put("b"))
        written.set()
        assert await reading == (1, 1)
        assert await database.read(held) == 2


async def test_limits_hold_among_questions_that_come_at_once(tmp_path: Path) -> None:
    def three(spends: Sequence[Spend]) -> None:
        if len(spends) >= 3:
            raise TooFast(1.0)

    async with Store.open(tmp_path) as store:
        accepts = [store.accept(question(f"web:{i}", conversation=f"web:ann:{i}"), three) for i in range(40)]
        results = await asyncio.gather(*accepts, return_exceptions=True)
        assert sum(isinstance(result, TooFast) for result in results) == 37
        assert len(await store.spends(ANN, NOON)) == 3


async def test_an_event_that_comes_many_times_at_once_makes_one_turn(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        results = await asyncio.gather(*(store.accept(question(f"web:{i % 4}"), None) for i in range(40)))
        assert sum(fresh for _, fresh in results) == 4
        assert len({turn.id for turn, _ in results}) == 4
        assert (await store.stats())["turns"] == 4


def test_two_processes_worth_of_writers_keep_one_turn_per_event_and_the_limits(tmp_path: Path) -> None:
    """Each thread has its own loop and its own store on the same folder, as two programs would."""
    results: list[Any] = []

    def four(spends: Sequence[Spend]) -> None:
        if len(spends) >= 4:
            raise TooFast(1.0)

    async def work(start: threading.Barrier) -> None:
        async with Store.open(tmp_path) as store:
            start.wait(20)
            accepts = [store.accept(question(f"web:{i}"), four) for i in range(8)]
            results.extend(await asyncio.gather(*accepts, return_exceptions=True))

    start = threading.Barrier(2)
    threads = [threading.Thread(target=lambda: asyncio.run(work(start))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    accepted = [result for result in results if isinstance(result, tuple)]
    assert sum(fresh for _, fresh in accepted) == len({turn.id for turn, _ in accepted}) == 4
    assert all(isinstance(result, tuple | TooFast) for result in results)


async def test_a_database_that_another_program_holds_is_an_error_and_then_works_again(tmp_path: Path) -> None:
    with connections() as made:
        async with Store.open(tmp_path) as store:
            await store.erased()
            made[0].execute("PRAGMA busy_timeout = 20")
            other = sqlite3.connect(tmp_path / "conch.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="held by another program"):
                await ask(store, "1")
            other.execute("ROLLBACK")
            other.close()
            await ask(store, "1")


async def test_many_that_find_the_database_held_wait_for_it_once_not_each(tmp_path: Path) -> None:
    with connections() as made:
        async with Store.open(tmp_path) as store:
            await store.erased()
            other = sqlite3.connect(tmp_path / "conch.db", isolation_level=None)
            begun: list[str] = []
            made[0].execute("PRAGMA busy_timeout = 20")
            made[0].set_trace_callback(begun.append)
            other.execute("BEGIN IMMEDIATE")
            results = await asyncio.gather(*(store.put(str(i), "") for i in range(5)), return_exceptions=True)
            other.execute("ROLLBACK")
            other.close()
            assert [type(result) for result in results] == [StoreError] * 5
            assert begun.count("BEGIN IMMEDIATE") < 5


_CRASHING = """
import asyncio, sys
from pathlib import Path
from core.store.store import Store
from tests.support.store_samples import question

async def main():
    async with Store.open(Path(sys.argv[1])) as store:
        async def one(number):
            for i in range(1000):
                turn, fresh = await store.accept(question(f"{number}:{i}", conversation=f"web:{number}"), None)
                print(f"{number}:{i} {turn.id}", flush=True)
        await asyncio.gather(*(one(number) for number in range(5)))

asyncio.run(main())
"""


def test_nothing_accepted_is_lost_when_the_process_is_killed(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", _CRASHING, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(60)]
    child.send_signal(signal.SIGKILL)
    lines += child.stdout.readlines()
    child.stdout.close()
    assert child.wait() == -signal.SIGKILL
    told = [line.split() for line in lines if line.endswith("\n")]
    assert len(told) >= 60

    async def look() -> None:
        async with Store.open(tmp_path) as store:
            for name, number in told:
                turn = await store.find(name)
                assert turn is not None
                assert turn.id == int(number)
            assert len(await store.pending(["web:"])) >= len(told)

    asyncio.run(look())
