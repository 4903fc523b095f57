"""Limits on the time of a statement and on the memory of the process."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATUS: Final = Path("/proc/self/status")  # Linux only; other systems have DuckDB's own limit
_AGAIN_S: Final = 0.1  # between two interruptions: one that comes between statements is forgotten


@contextmanager
def time_limit(connection: duckdb.DuckDBPyConnection, seconds: float | None) -> Iterator[None]:
    """Interrupt the statements of the block after some seconds; None means no limit.

    DuckDB checks for interruptions between rows, not within a row: a function that takes long for
    a single row runs to its end.

    Raises:
        QueryError: If the block took longer.
    """
    if seconds is None:
        yield
        return
    over, expired = threading.Event(), threading.Event()

    def watch() -> None:
        while not over.wait(_AGAIN_S if expired.is_set() else seconds):
            expired.set()
            connection.interrupt()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except (QueryError, duckdb.Error) as error:
        if not expired.is_set():
            raise
        raise QueryError(timeout_message(seconds)) from error
    finally:
        over.set()
        watcher.join()


def timeout_message(seconds: float) -> str:
    """The error message for a statement that took longer."""
    return f"no answer within {seconds:g} s: ask for less, with LIMIT or WHERE, or allow more"


@contextmanager
def memory_limit(megabytes: int) -> Iterator[None]:
    """Limit the memory that the process may allocate within the block, beyond what it has now.

    DuckDB counts the memory of sorts, joins and groups, but not of functions: len(range(1e9)) or
    lpad('', 4e9, 'x') would take all memory.
    """
    allocated = _allocated_bytes()
    if allocated is None:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    target = allocated + (megabytes << 20)
    lowest = min([target, *(limit for limit in (soft, hard) if limit >= 0)])
    resource.setrlimit(resource.RLIMIT_DATA, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _allocated_bytes() -> int | None:
    """Bytes of data that the process has allocated; None if the system does not report it."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmData")), None)
