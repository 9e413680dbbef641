"""The folder, the file and the disk under the store: what can be wrong with them, migrations, backups."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from sqlalchemy import Connection, text

from core.errors import StoreError, StoreFull
from core.store import sqlite
from core.store.migrations import MIGRATIONS
from core.store.store import Store
from tests.support.store_samples import ANN, BOB, NOON, answer, ask, holding, question

NEWEST = 1 + len(MIGRATIONS)
NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system or become somebody else")


async def refused(folder: Path) -> str:
    """The sentence with which a store refuses to open."""
    with pytest.raises(StoreError) as failure:
        async with Store.open(folder):
            pass
    sentence = str(failure.value)
    assert str(folder) in sentence or "Conch" in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def mount(*arguments: str) -> str:
    """What mount complains of, if anything."""
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False).stderr.strip()


async def ask_until_full(store: Store, size: int) -> str:
    """Ask until a question is refused; returns its event."""
    for i in range(500):
        try:
            await ask(store, str(i), prompt="x" * size)
        except StoreFull:
            return str(i)
    raise AssertionError("it was never full")


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 1 MiB."""
    with TemporaryDirectory() as place:
        if problem := mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", place):
            pytest.skip(f"no file system can be mounted here: {problem}")
        try:
            yield Path(place)
        finally:
            subprocess.run(["umount", place], check=True)


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """A folder that other users can reach, which pytest's own are not."""
    with TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(place)


@asynccontextmanager
async def nobody() -> AsyncIterator[None]:
    """Without root's rights, which pass over a file's mode."""
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def fill(folder: Path) -> Path:
    """Leave no byte free."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return filler


# The folder and the file.


async def test_the_folder_and_its_files_are_for_their_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    async with Store.open(folder) as store:
        await ask(store, "1")
        assert folder.stat().st_mode & 0o777 == 0o700
        assert names(folder) == {"conch.db", "conch.db-wal", "conch.db-shm"}
        assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    (folder / "conch.db").chmod(0o644)
    async with Store.open(folder):
        assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


async def test_a_name_with_signs_that_mean_something_in_addresses_is_just_a_name(tmp_path: Path) -> None:
    folder = tmp_path / "a?mode=ro&x=%41 #b'c"
    async with Store.open(folder) as store:
        await ask(store, "1")
        await store.backup(folder / "file:back'up?.db")
    assert names(folder) == {"conch.db", "file:back'up?.db"}


async def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Something else stands in its place" in await refused(tmp_path / "file")
    assert "Something else stands in its place" in await refused(tmp_path / "file" / "data")
    (tmp_path / "data" / "conch.db").mkdir(parents=True)
    assert "Something else stands in its place" in await refused(tmp_path / "data")


@pytest.mark.parametrize(
    "content", [b"not a database at all, but long enough to be one " * 100, b"SQLite format 3\0" * 99]
)
async def test_a_damaged_file_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "conch.db").write_bytes(content)
    assert "is damaged" in await refused(tmp_path)
    assert (tmp_path / "conch.db").read_bytes() == content


async def test_damage_found_later_is_an_error_that_says_so(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        for i in range(50):
            await ask(store, str(i), prompt="x" * 2000)
    content = (tmp_path / "conch.db").read_bytes()
    (tmp_path / "conch.db").write_bytes(content[: len(content) // 3])
    with pytest.raises(StoreError, match="is damaged"):
        async with Store.open(tmp_path) as store:
            await store.stats()


async def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "conch.db") as connection:
        connection.execute("CREATE TABLE recipes (name)")
    connection.close()
    assert "not Conch's" in await refused(tmp_path)


async def test_a_database_that_another_program_is_writing_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Store.open(tmp_path):
        pass
    monkeypatch.setitem(sqlite.WRITER, "busy_timeout", 10)
    other = sqlite3.connect(tmp_path / "conch.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert "held by another program" in await refused(tmp_path)
    other.close()


@NEEDS_ROOT
async def test_a_folder_that_may_not_be_written_is_refused(everybodys: Path) -> None:
    async with nobody():
        assert "Let Conch write to it" in await refused(everybodys)
        assert "Let Conch write to it" in await refused(everybodys / "data")
    async with Store.open(everybodys):
        pass
    async with nobody():
        assert "Let Conch write to it" in await refused(everybodys)
    (everybodys / "conch.db").chmod(0o666)
    os.chown(everybodys / "conch.db", 65534, 65534)
    async with nobody():
        assert "cannot be written" in await refused(everybodys)


@NEEDS_ROOT
async def test_a_read_only_disk_is_refused(small_disk: Path) -> None:
    async with Store.open(small_disk):
        pass
    mount("-o", "remount,ro", str(small_disk))
    assert "Read-only file system. Let Conch write to it" in await refused(small_disk)


# A full disk.


@NEEDS_ROOT
async def test_a_full_disk_is_refused_at_the_start(small_disk: Path) -> None:
    filler = fill(small_disk)
    sentence = await refused(small_disk / "data")
    assert "Make room" in sentence
    filler.unlink()
    async with Store.open(small_disk) as store:
        await ask(store, "1")
    filler = fill(small_disk)
    assert "is full. Make room" in await refused(small_disk)
    filler.unlink()
    async with Store.open(small_disk) as store:
        assert await store.find("1") is not None


@NEEDS_ROOT
async def test_a_disk_that_fills_up_refuses_questions_until_there_is_room(small_disk: Path) -> None:
    async with Store.open(small_disk) as store:
        kept = await ask(store, "kept")
        filler = fill(small_disk)
        event = await ask_until_full(store, 5000)
        assert await store.find(event) is None
        assert await store.turn(kept.id) == kept
        for change in (answer(store, kept.id, "y" * 50_000), store.forget(ANN)):
            with pytest.raises(StoreFull):
                await change
        assert await store.turn(kept.id) == kept
        filler.unlink()
        turn, fresh = await store.accept(question(event, prompt="x" * 5000), None)
        assert fresh
        assert (await answer(store, kept.id, "y" * 50_000)).reply == "y" * 50_000
        assert await store.path(turn.id) != []


async def test_a_database_at_its_limit_refuses_questions_until_there_is_room(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:

        async def most(pages: int) -> None:
            await store._database.write(lambda c: c.exec_driver_sql(f"PRAGMA max_page_count = {pages}").scalar())

        await most(1)  # SQLite takes the size that it has for the least
        event = await ask_until_full(store, 2000)
        accepted = int(event)
        assert accepted > 0
        assert await store.find(event) is None
        assert (await store.stats())["turns"] == accepted
        kept = await store.conversation("web:ann:1")
        assert kept is not None
        assert kept.head == accepted
        await most(10_000)
        assert (await ask(store, event, prompt="x" * 2000)).parent == accepted


@NEEDS_ROOT
async def test_what_cannot_be_erased_for_want_of_room_is_erased_when_there_is_some(small_disk: Path) -> None:
    async with Store.open(small_disk) as store:
        await store.erased()
        await ask(store, "1", user=BOB, conversation="web:bob:1", prompt="x" * 300_000)
        await ask(store, "2", prompt="Muschelgeheimnis")
        filler = small_disk / "filler"
        filler.write_bytes(b"x" * (os.statvfs(small_disk).f_bavail * 4096 - 100_000))
        assert await store.forget(ANN) == 1
        assert store.erasing
    filler.unlink()
    async with Store.open(small_disk) as store:
        await store.erased()
        assert not store.erasing
    assert holding(small_disk, "Muschelgeheimnis") == []


# Migrations.


def add_mood(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE turns ADD COLUMN mood TEXT"))


def add_hue(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE turns ADD COLUMN hue TEXT"))


def fall_over(connection: Connection) -> None:
    connection.execute(text("ALTER TABLE turns ADD COLUMN lost TEXT"))
    connection.execute(text("ALTER TABLE nowhere ADD COLUMN lost TEXT"))


def columns(file: Path) -> set[str]:
    with sqlite3.connect(file) as connection:
        found = {row[1] for row in connection.execute("PRAGMA table_info(turns)")}
    connection.close()
    return found


FIRST_SHAPE = {
    "turns": ("read", "fits", "parts", "more_until", "quote", "attachments"),
    "events": ("part",),
}
"""Columns that a database of version 1 lacks."""


def shape(file: Path) -> dict[str, set[tuple[str, str, int]]]:
    """Name, type and NOT NULL of every column of every table."""
    with sqlite3.connect(file) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = {t: {row[1:4] for row in connection.execute(f"PRAGMA table_info({t})")} for t in tables}
    connection.close()
    return found


async def test_a_database_of_the_first_version_becomes_what_a_new_one_is(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        first = await ask(store, "1", prompt="Before")
        await answer(store, first.id)
    newest = shape(tmp_path / "conch.db")
    with sqlite3.connect(tmp_path / "conch.db") as connection:
        for table, gone in FIRST_SHAPE.items():
            for column in gone:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        connection.execute("UPDATE meta SET value = '1' WHERE name = 'version'")
    connection.close()
    async with Store.open(tmp_path) as store:
        kept = await store.find("1")
        assert kept is not None
        assert (kept.prompt, kept.quote, kept.attachments, kept.read, kept.parts, kept.more_until) == (
            *("Before", "", (), ()),
            *((), None),
        )
        assert (await ask(store, "2", parent="head")).parent == first.id
    assert shape(tmp_path / "conch.db") == newest
    assert len(sqlite.backups(tmp_path)) == 1


async def test_an_older_database_is_brought_to_the_newest_schema_after_a_copy(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        turn = await ask(store, "1")
    async with Store.open(tmp_path, migrations=(*MIGRATIONS, add_mood, add_hue)) as store:
        assert await store.find("1") == turn
    assert columns(tmp_path / "conch.db") >= {"mood", "hue"}
    (copy,) = sqlite.backups(tmp_path)
    assert (copy.name, copy.stat().st_mode & 0o777) == (f"conch.db.v{NEWEST}.1.backup", 0o600)
    assert not columns(copy) & {"mood", "hue"}
    async with Store.open(tmp_path, migrations=(*MIGRATIONS, add_mood, add_hue)):
        assert sqlite.backups(tmp_path) == [copy]


async def test_a_copy_made_before_a_migration_is_a_whole_database(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        turn = await ask(store, "1")
    async with Store.open(tmp_path, migrations=(*MIGRATIONS, add_mood)):
        pass
    (tmp_path / "restored").mkdir()
    sqlite.backups(tmp_path)[0].rename(tmp_path / "restored" / "conch.db")
    async with Store.open(tmp_path / "restored") as store:
        assert await store.find("1") == turn


async def test_a_database_of_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    async with Store.open(tmp_path):
        pass
    async with Store.open(tmp_path, migrations=(*MIGRATIONS, add_mood)):
        pass
    before = (tmp_path / "conch.db").read_bytes()
    sentence = await refused(tmp_path)
    assert f"newer Conch (its schema is {NEWEST + 1}, this one knows {NEWEST})" in sentence
    assert (tmp_path / "conch.db").read_bytes() == before


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        turn = await ask(store, "1")
    with pytest.raises(StoreError, match="no such table"):
        async with Store.open(tmp_path, migrations=(*MIGRATIONS, add_mood, fall_over)):
            pass
    assert not columns(tmp_path / "conch.db") & {"mood", "lost"}
    async with Store.open(tmp_path) as store:
        assert await store.find("1") == turn


async def test_only_the_newest_copies_stay(tmp_path: Path) -> None:
    async with Store.open(tmp_path):
        pass
    steps = [text(f"ALTER TABLE turns ADD COLUMN more{i} TEXT") for i in range(5)]
    for count in range(1, 6):
        migrations = (*MIGRATIONS, *(lambda c, step=step: c.execute(step) for step in steps[:count]))
        async with Store.open(tmp_path, migrations=migrations):
            pass
    assert [copy.name for copy in sqlite.backups(tmp_path)] == [f"conch.db.v{NEWEST + i}.1.backup" for i in (2, 3, 4)]


@pytest.mark.parametrize("way", ["forget", "remove", "delete", "retention"])
async def test_no_copy_outlives_what_is_forgotten(tmp_path: Path, way: str) -> None:
    async with Store.open(tmp_path, clock=lambda: NOON) as store:
        turn = await ask(store, "1", prompt="Muschelgeheimnis")
    days = 1 if way == "retention" else 0
    async with Store.open(
        tmp_path, migrations=(*MIGRATIONS, add_mood), clock=lambda: NOON, retention_days=days
    ) as store:
        assert holding(tmp_path, "Muschelgeheimnis") == ["conch.db", f"conch.db.v{NEWEST}.1.backup"]
        match way:
            case "forget":
                await store.forget(ANN)
            case "remove":
                await store.remove("web:ann:1")
            case "delete":
                await store.delete(turn.id)
            case "retention":
                await store.expire(NOON + 2 * 86_400)
        assert sqlite.backups(tmp_path) == []
        await store.expire(NOON)
        await store.erased()
        assert holding(tmp_path, "Muschelgeheimnis") == []


# Backups.


async def test_a_backup_is_a_whole_store_made_while_questions_come_in(tmp_path: Path) -> None:
    file = tmp_path / "copy" / "conch.db"
    file.parent.mkdir()
    async with Store.open(tmp_path) as store:
        turn = await ask(store, "1")
        await store.put("mark", "5")
        await store.backup(file)
        await ask(store, "2")
        assert file.stat().st_mode & 0o777 == 0o600
        assert names(file.parent) == {"conch.db"}
    async with Store.open(file.parent) as copy:
        assert await copy.find("1") == turn
        assert await copy.find("2") is None
        assert await copy.get("mark") == "5"


async def test_a_backup_never_replaces_a_file(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    async with Store.open(tmp_path / "data") as store:
        with pytest.raises(StoreError, match=r"kept exists already\. Name a file that does not exist yet\."):
            await store.backup(tmp_path / "kept")
        with pytest.raises(StoreError, match=r"No such file or directory\. Name another file\."):
            await store.backup(tmp_path / "no" / "where")
    assert (tmp_path / "kept").read_text() == "mine"


async def test_a_backup_holds_nothing_that_was_deleted(tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        turn = await ask(store, "1", prompt="Muschelgeheimnis")
        await store.delete(turn.id)
        await store.backup(tmp_path / "copy")
    assert "copy" not in holding(tmp_path, "Muschelgeheimnis")


@NEEDS_ROOT
async def test_a_backup_for_which_there_is_no_room_leaves_nothing(small_disk: Path, tmp_path: Path) -> None:
    async with Store.open(tmp_path) as store:
        for i in range(20):
            await ask(store, str(i), prompt="x" * 100_000)
        with pytest.raises(StoreError, match="could not be written"):
            await store.backup(small_disk / "copy")
    assert names(small_disk) == set()
