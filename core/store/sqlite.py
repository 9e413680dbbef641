"""All that is peculiar to SQLite: files, connections, durability, erasing, copies, and what its errors mean.

Everything else in the store would serve PostgreSQL as it stands.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from core.disk import sync
from core.errors import ConchError, NotFound, StoreError, StoreFull

NAME = "conch.db"
RESTORED = f"{NAME}.restored"
"""A backup on its way into the database's place."""
BUSY_SECONDS = 5.0
"""How long to wait for another program that writes to the database (somebody's sqlite3 shell)."""
IN_MEMORY_BYTES = 256 * 1024 * 1024
"""Up to this size a database is rebuilt in memory, above it in a temporary file that has no name."""
LOG_BYTES = 16 * 1024 * 1024
"""What the write-ahead log's file is cut back to after a checkpoint; it may grow past that while it is in use."""
BACKUPS_KEPT = 3

_COMMON = {"busy_timeout": int(BUSY_SECONDS * 1000), "temp_store": 2, "foreign_keys": 1}  # 2: no text in files in /tmp
WRITER = {**_COMMON, "secure_delete": 1, "synchronous": 1, "journal_size_limit": LOG_BYTES}
READER = {**_COMMON, "query_only": 1}
"""Pragmas by name; each is read back, since SQLite passes over in silence what it cannot do."""


def prepare(folder: Path) -> Path:
    """Make the folder (0700) and the database's file (0600) where they are missing. Raises StoreError."""
    path = folder / NAME
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise unusable(folder, error) from error
    return path


def writer(path: Path) -> Engine:
    """The one connection that writes. Its transactions take the write lock at their beginning."""
    return _engine(path, WRITER, "BEGIN IMMEDIATE", 1)


def readers(path: Path, count: int) -> Engine:
    """Up to ``count`` connections that only read; each transaction of theirs sees one moment of the database."""
    return _engine(path, READER, "BEGIN", count)


def _engine(path: Path, pragmas: dict[str, int], begin: str, size: int) -> Engine:
    def connect() -> sqlite3.Connection:
        # isolation_level: the driver sends no BEGIN of its own. check_same_thread: the pool lends to one at a time.
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            configure(connection, pragmas)
        except BaseException:
            connection.close()
            raise
        return connection

    engine = create_engine(
        "sqlite://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=size,
        max_overflow=0,
        hide_parameters=True,  # a failed statement's values are people's text, and its error is logged
    )
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def configure(connection: sqlite3.Connection, pragmas: dict[str, int]) -> None:
    """Set the pragmas and read them back. Raises StoreError where one does not hold."""
    if _write_ahead(connection) != "wal":
        raise StoreError(
            "The data folder's file system cannot hold SQLite's write-ahead log (a network folder?). "
            "Set data_dir to a folder on a local disk."
        )
    for name, value in pragmas.items():
        connection.execute(f"PRAGMA {name} = {value}")
        if (found := connection.execute(f"PRAGMA {name}").fetchone()[0]) != value:
            raise StoreError(f"SQLite keeps {name} at {found} instead of {value}. Use Python's own build of sqlite3.")


def _write_ahead(connection: sqlite3.Connection) -> str:
    """Go over to the write-ahead log; the mode that holds now. SQLite itself does not wait for another program that is
    doing the same at this moment, whatever its timeout."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode = WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(0.01)


def durable(connection: Connection, yes: bool) -> None:
    """Whether the next commits wait for the disk (FULL) or may be lost by a power cut (NORMAL).

    To be called between transactions. PostgreSQL has the same choice in synchronous_commit.
    """
    _driver(connection).execute(f"PRAGMA synchronous = {'FULL' if yes else 'NORMAL'}")


def savepoint(connection: Connection) -> None:
    """What follows can be undone alone. Said to the driver: SQLAlchemy's own savepoints take longer than most jobs."""
    _driver(connection).execute("SAVEPOINT job")


def release(connection: Connection, *, undo: bool) -> None:
    """Keep what was done since the savepoint, or ``undo`` it."""
    if undo:
        _driver(connection).execute("ROLLBACK TO SAVEPOINT job")
    _driver(connection).execute("RELEASE SAVEPOINT job")


def in_transaction(connection: Connection) -> bool:
    """False after an error for which SQLite has rolled everything back by itself (a full disk, a fault of the disk)."""
    return _driver(connection).in_transaction


def rebuild(connection: Connection) -> None:
    """Write the whole database anew, so that no page of it holds anything but what is still there.

    ``secure_delete`` alone does not do that: it zeroes what is deleted, but not the copies that stay in the free part
    of a page when SQLite moves rows from one page to another. Takes some 16 s per GB, and as much room in the log.
    """
    driver = _driver(connection)
    pages, size = (driver.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "page_size"))
    if pages * size > IN_MEMORY_BYTES:
        driver.execute("PRAGMA temp_store = FILE")
    try:
        driver.execute("VACUUM")
    finally:
        driver.execute(f"PRAGMA temp_store = {WRITER['temp_store']}")


def checkpoint(connection: Connection) -> bool:
    """Bring the write-ahead log into the database and cut it to nothing; False while somebody still reads from it.

    Never waits for them: it would hold the write lock meanwhile.
    """
    driver = _driver(connection)
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        busy = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        driver.execute(f"PRAGMA busy_timeout = {WRITER['busy_timeout']}")
    return not busy


def copy(source: Path, target: Path) -> None:
    """A copy of what the database holds at this moment, made beside its use, mode 0600, on disk when this returns.

    It has nothing that was deleted. Raises StoreError, also where ``target`` exists; a copy broken off leaves an empty
    file at most.
    """
    part = target.with_name(target.name + ".part")
    try:
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        raise StoreError(f"{target} exists already. Name a file that does not exist yet.") from None
    except OSError as error:
        raise StoreError(f"{target} cannot be written: {error.strerror}. Name another file.") from error
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(source, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("VACUUM INTO ?", (str(part.absolute()),))
        finally:
            connection.close()
        sync(part)
        part.replace(target)
        sync(target.parent)
    except BaseException as error:
        part.unlink(missing_ok=True)
        target.unlink(missing_ok=True)
        if isinstance(error, OSError | sqlite3.Error):
            raise StoreError(f"{target} could not be written: {error}. Make room for it.") from error
        raise


def backups(folder: Path) -> list[Path]:
    """The copies that were made before migrations, oldest first."""
    return sorted(folder.glob(f"{NAME}.v*.backup*"), key=lambda path: path.stat().st_mtime_ns)


def back_up(path: Path, version: int) -> Path:
    """Copy the database before it is migrated from ``version``; only the newest few such copies stay."""
    target = next(free_names(path, version))
    copy(path, target)
    for old in backups(path.parent)[:-BACKUPS_KEPT]:
        old.unlink()
    return target


def free_names(path: Path, version: int) -> Iterator[Path]:
    """Names for a copy of the database from ``version`` that no file has yet."""
    names = (path.with_name(f"{path.name}.v{version}.{number}.backup") for number in count(1))
    return (name for name in names if not name.exists())


def drop_backups(folder: Path) -> None:
    """Delete the copies made before migrations, and what a restore that broke off left: they hold what is about to be
    forgotten."""
    for path in (*backups(folder), *folder.glob(f"{RESTORED}*")):
        path.unlink(missing_ok=True)


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


# What errors mean.

_FULL = {"SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_SHMOPEN", "SQLITE_IOERR_TRUNCATE"}
"""A write that the disk did not take. Should the disk be broken instead, SQLite's own words go with the error."""
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


def meaning(error: BaseException, path: Path) -> BaseException:
    """What a failure means to those who asked: StoreFull, StoreError, NotFound; itself if it is not the database's."""
    cause: object = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, OSError):
        return StoreFull(str(cause)) if cause.errno in _NO_ROOM else unusable(path.parent, cause)
    if not isinstance(cause, sqlite3.Error):
        return error
    name = getattr(cause, "sqlite_errorname", "")
    if name == "SQLITE_CONSTRAINT_FOREIGNKEY":  # a parent, source or head that there is not
        return NotFound()
    if name in _FULL:
        return StoreFull(f"{cause} ({name})")
    return StoreError(_sentence(name, str(cause), path))


def _sentence(name: str, words: str, path: Path) -> str:
    match name.split("_")[1:2]:
        case ["NOTADB" | "CORRUPT" | "FORMAT" | "SCHEMA"]:
            return (
                f"The database {path} is damaged ({words}). Bring a backup back (conch restore FILE), or move it away."
            )
        case ["READONLY" | "CANTOPEN" | "PERM" | "AUTH"]:
            return f"The database {path} cannot be written ({words}). Give Conch a data_dir that it may write to."
        case ["BUSY" | "LOCKED" | "PROTOCOL"]:
            return f"The database {path} is held by another program. Close that one first."
        case ["IOERR"]:
            return f"The disk under {path} fails ({words}, {name}). Check the disk, or set another data_dir."
    return f"The database {path} does not work: {words}."


def opening(error: BaseException, folder: Path) -> BaseException:
    """Like ``meaning``, for a start: a full disk is a sentence there."""
    found = meaning(error, folder / NAME)
    if isinstance(found, StoreFull):
        return StoreError(f"The disk of the data folder {folder} is full. Make room, or set another data_dir.")
    return found


def unusable(folder: Path, error: OSError) -> ConchError:
    """The sentence for a data folder that the system does not let us use."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            remedy = "Make room on its disk"
        case errno.ENOTDIR | errno.EEXIST | errno.EISDIR:
            remedy = "Something else stands in its place: move it away"
        case errno.EROFS | errno.EACCES | errno.EPERM:
            remedy = "Let Conch write to it"
        case _:
            remedy = "Check its disk"
    return StoreError(f"The data folder {folder} cannot be used: {error.strerror}. {remedy}, or set another data_dir.")
