"""The data folder: made private, and held by one process at a time."""

from __future__ import annotations

import errno
import fcntl
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bots.host.machine import is_there, user_name
from core.errors import StoreError

LOCK = "conch.lock"


class Held(StoreError):
    """Another Conch has the data folder; ``pid`` is None where its number could not be read."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        who = f"another Conch (process {pid})" if pid else "another Conch"
        super().__init__(f"The data folder {folder} is in use by {who}. Stop that one first, or set another data_dir.")
        self.pid = pid


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Makes ``folder`` (mode 0700) where it is missing and holds it until the block ends.

    The lock is the kernel's (``flock``), so it goes with the process, however that ends; the number in the file is
    only for naming the holder. Raises Held, or StoreError with a sentence where the folder cannot be used.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise unusable(folder, error) from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Held(folder, holder(folder)) from None
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        os.close(fd)
        raise unusable(folder, error) from error
    except Held:
        os.close(fd)
        raise
    try:
        yield
    finally:
        os.close(fd)


def holder(folder: Path) -> int | None:
    """The process that holds ``folder``, or held it last."""
    try:
        return int((folder / LOCK).read_text())
    except (OSError, ValueError):
        return None


def unusable(folder: Path, error: OSError) -> StoreError:
    """What to say of a data folder that ``error`` came from."""
    match error.errno:
        case errno.EROFS:
            remedy = "Its disk is read-only: make it writable"
        case errno.EACCES | errno.EPERM:
            remedy = f"Give it to the system user {user_name()} ({_given(folder)})"
        case errno.ENOSPC | errno.EDQUOT:
            remedy = "Make room on that disk"
        case errno.ENOTDIR | errno.EEXIST if folder.is_symlink():
            remedy = f"It is a link to {folder.readlink()}, which is not there: mount that disk"
        case errno.ENOTDIR | errno.EEXIST:
            remedy = "There is a file in its place; move it away"
        case errno.ENOENT:
            remedy = "The folder in which Conch was started is gone: go to another one"
        case _:
            remedy = "Check its disk"
    return StoreError(
        f"The data folder {folder} cannot be used: {error.strerror or error}. {remedy}, or set another data_dir."
    )


def _given(folder: Path) -> str:
    """The command that lets this system user write to ``folder``, all of it or the folder that is to be made."""
    user, place = shlex.quote(user_name()), shlex.quote(str(folder.absolute()))
    return f"sudo chown -R {user} {place}" if is_there(folder) else f"sudo install -d -m 700 -o {user} {place}"
