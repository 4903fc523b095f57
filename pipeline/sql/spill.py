"""Where DuckDB puts what does not fit in memory: folders of this process, gone when it ends.

A process that is killed leaves its folders behind; the next one that asks removes them. A lock that
the kernel drops with the process tells who is alive.
"""

from __future__ import annotations

import atexit
import fcntl
import shutil
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO
from uuid import uuid4

_PREFIX = "rc-sql-"


def new_spill() -> Path:
    """A path for DuckDB's own use, which makes the folder when it needs one."""
    lock, _ = _lock()
    return lock.with_name(f"{lock.stem}-{uuid4().hex}")


def forget_spilled() -> None:
    """Remove all that this process spilled; no connection of it can be used any more."""
    _remove(_lock()[0])


def sweep(folder: Path) -> None:
    """Remove what dead processes left in a folder."""
    for lock in folder.glob(f"{_PREFIX}*.lock"):
        with suppress(OSError), lock.open("r+") as file:  # held, or somebody else's
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(lock)


@cache
def _lock() -> tuple[Path, IO[str]]:
    """The lock of this process, and the file that holds it as long as it is open."""
    folder = Path(tempfile.gettempdir())
    sweep(folder)
    lock = folder / f"{_PREFIX}{uuid4().hex}.lock"
    file = lock.open("w")
    fcntl.flock(file, fcntl.LOCK_EX)
    atexit.register(forget_spilled)
    return lock, file


def _remove(lock: Path) -> None:
    for spill in lock.parent.glob(f"{lock.stem}-*"):
        shutil.rmtree(spill, ignore_errors=True)
    lock.unlink(missing_ok=True)
