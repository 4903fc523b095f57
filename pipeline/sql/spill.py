"""Spill folders: where DuckDB writes rows that do not fit in memory.

They belong to one process and are removed when it ends. If it is killed, the next process removes
them. Each process holds a file lock; the kernel releases it when the process ends, so a lock that
is held means that its process is alive.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

_PREFIX = "rc-sql-"


def new_spill_folder() -> Path:
    """An unused path; DuckDB creates the folder when it needs it."""
    lock = _process_lock()
    return lock.with_name(f"{lock.stem}-{uuid4().hex}")


def remove_spill_folders() -> None:
    """Remove the spill folders of this process; its connections cannot be used after that."""
    _remove(_process_lock())


def remove_stale(folder: Path) -> None:
    """Remove the spill folders that dead processes left in `folder`."""
    for lock in folder.glob(f"{_PREFIX}*.lock"):
        with suppress(OSError), lock.open("r+") as file:  # in use, or of another user
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(lock)


@cache
def _process_lock() -> Path:
    """The lock file of this process, which it holds until it ends."""
    folder = Path(tempfile.gettempdir())
    remove_stale(folder)
    lock = folder / f"{_PREFIX}{uuid4().hex}.lock"
    descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)  # open to the end
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    atexit.register(remove_spill_folders)
    return lock


def _remove(lock: Path) -> None:
    for spill in lock.parent.glob(f"{lock.stem}-*"):
        shutil.rmtree(spill, ignore_errors=True)
    lock.unlink(missing_ok=True)
