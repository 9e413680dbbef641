"""A database looked at from outside, and a backup put in its place. Only while no store has it open."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from core.disk import sync
from core.errors import StoreError
from core.store import schema, sqlite

BESIDE = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database. It belongs to that one alone: left beside another one it destroys it."""


class Damaged(StoreError):
    """The file is no database of Conch's, or not a whole one. ``why`` is what SQLite says."""

    def __init__(self, file: Path, why: str) -> None:
        self.why = " ".join(why.split())
        super().__init__(f"{file} is no whole database of Conch's ({self.why}).")


def examine(file: Path) -> int:
    """The version of the schema in ``file``, read without leaving a trace.

    Raises Damaged, or Newer for a database of a newer Conch.
    """
    # A log beside it must be read; without one, SQLite would make an empty one.
    how = "ro" if file.with_name(f"{file.name}-wal").exists() else "ro&immutable=1"
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode={how}", uri=True)) as connection:
            whole = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            row = connection.execute("SELECT value FROM meta WHERE name = 'version'").fetchone()
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise Damaged(file, str(error)) from error
    if whole != "ok" or row is None or not str(row[0]).isdecimal():
        raise Damaged(file, str(whole) if whole != "ok" else "it does not tell its version")
    schema.refuse_newer(int(row[0]))
    return int(row[0])


def restore(source: Path, folder: Path) -> Path | None:
    """Put a copy of ``source``, which a backup made, in the place of the database in ``folder``.

    What was there before is kept beside it, like what a migration leaves: the newest few, until somebody is forgotten.
    Returns where, None if there was nothing. Raises StoreError, and then nothing has changed.
    """
    if not source.is_file():
        raise StoreError(f"There is no file {source}. Name one that conch backup wrote.")
    examine(source)
    path, fresh = folder / sqlite.NAME, folder / sqlite.RESTORED
    fresh.unlink(missing_ok=True)
    try:
        sqlite.copy(source, fresh)
        before = _set_aside(path) if path.exists() else None
        for end in BESIDE:
            path.with_name(path.name + end).unlink(missing_ok=True)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)
    sync(folder)
    return before


def _set_aside(path: Path) -> Path:
    """Copy the database with what is in its log; one that cannot be read here, damaged or of a newer Conch, moves away
    as it is."""
    try:
        return sqlite.back_up(path, examine(path))
    except (Damaged, schema.Newer):
        target = next(sqlite.free_names(path, 0))
        for end in ("", *BESIDE):
            if (file := path.with_name(path.name + end)).exists():
                file.rename(target.with_name(target.name + end))
        return target
