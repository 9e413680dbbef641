"""A backup comes back whole, whatever lies in its place, and what lay there is not lost."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from core.errors import StoreError
from core.store import restoring
from core.store.store import Store
from tests.support.store_samples import answer, ask


async def backed_up(folder: Path, prompt: str = "What is a conch?") -> Path:
    """A backup of a store in ``folder`` that holds one question."""
    async with Store.open(folder) as store:
        turn = await ask(store, "1", prompt=prompt)
        await answer(store, turn.id)
        await store.backup(folder.parent / f"{folder.name}.backup")
    return folder.parent / f"{folder.name}.backup"


async def prompts(folder: Path) -> list[str]:
    async with Store.open(folder) as store:
        kept = await store.export("web:ann")
    return [turn["prompt"] for conversation in kept["conversations"] for turn in conversation["turns"]]


async def test_a_backup_comes_back_into_an_empty_folder(tmp_path: Path) -> None:
    backup = await backed_up(tmp_path / "first")
    (tmp_path / "second").mkdir()
    assert restoring.restore(backup, tmp_path / "second") is None
    assert await prompts(tmp_path / "second") == ["What is a conch?"]
    assert (tmp_path / "second" / "conch.db").stat().st_mode & 0o077 == 0
    assert sorted(file.name for file in (tmp_path / "second").iterdir()) == ["conch.db"]


async def test_the_log_of_a_killed_conch_neither_spoils_the_backup_nor_is_lost(tmp_path: Path) -> None:
    data, killed = tmp_path / "data", tmp_path / "killed"
    backup = await backed_up(data)
    async with Store.open(data) as store:
        for i in range(20):
            await ask(store, f"later{i}", prompt=f"later {i} " + "x" * 5_000)
        shutil.copytree(data, killed)  # as kill -9 leaves it: most of it in the log
    assert (killed / "conch.db-wal").stat().st_size > 100_000
    before = restoring.restore(backup, killed)
    assert await prompts(killed) == ["What is a conch?"]
    assert before is not None
    assert before.parent == killed
    (tmp_path / "again").mkdir()
    restoring.restore(before, tmp_path / "again")
    assert len(await prompts(tmp_path / "again")) == 21


async def test_after_going_back_to_an_older_conch_its_backup_comes_back(tmp_path: Path) -> None:
    backup = await backed_up(tmp_path / "data")
    file = tmp_path / "data" / "conch.db"
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'version'")
    connection.close()
    before = restoring.restore(backup, tmp_path / "data")
    assert before is not None
    with pytest.raises(StoreError, match="newer Conch"):
        restoring.examine(before)
    assert await prompts(tmp_path / "data") == ["What is a conch?"]


async def test_what_a_restore_left_that_broke_off_goes_with_the_next_forget(tmp_path: Path) -> None:
    await backed_up(tmp_path / "data")
    for name in ("conch.db.restored", "conch.db.restored.part"):
        (tmp_path / "data" / name).write_bytes(b"What is a conch?")
    async with Store.open(tmp_path / "data") as store:
        await store.forget("web:ann")
    assert not list((tmp_path / "data").glob("*restored*"))


async def test_a_damaged_database_moves_away_as_it_is_and_goes_with_the_next_forget(tmp_path: Path) -> None:
    backup = await backed_up(tmp_path / "data")
    file = tmp_path / "data" / "conch.db"
    file.write_bytes(b"no database" * 1_000)
    file.with_name("conch.db-wal").write_bytes(b"nor a log")
    before = restoring.restore(backup, tmp_path / "data")
    assert before is not None
    assert before.read_bytes() == b"no database" * 1_000
    assert before.with_name(f"{before.name}-wal").read_bytes() == b"nor a log"
    async with Store.open(tmp_path / "data") as store:
        await store.forget("web:ann")
    assert not list((tmp_path / "data").glob("*backup*"))


async def test_what_is_no_backup_changes_nothing(tmp_path: Path) -> None:
    backup = await backed_up(tmp_path / "data")
    newer, half, songs = (tmp_path / name for name in ("newer", "half", "songs"))
    shutil.copy(backup, newer)
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'version'")
    connection.close()
    half.write_bytes(backup.read_bytes()[:9_000])
    with sqlite3.connect(songs) as connection:
        connection.execute("CREATE TABLE songs (title)")
    connection.close()
    before = (tmp_path / "data" / "conch.db").read_bytes()
    for file, words in (
        (tmp_path / "nowhere", "There is no file"),
        (tmp_path, "There is no file"),
        (newer, "newer Conch"),
        (half, "no whole database"),
        (songs, "no whole database"),
    ):
        with pytest.raises(StoreError, match=words) as failure:
            restoring.restore(file, tmp_path / "data")
        assert "\n" not in str(failure.value)
    assert (tmp_path / "data" / "conch.db").read_bytes() == before
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["conch.db"]
