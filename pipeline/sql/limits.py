"""Limits on the time of a statement and on the memory of the process.

What a user writes after --where runs under both, wherever it runs: see `condition_limits`.
"""

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
CONDITION_S: Final = 3600.0  # for the next rows of a statement with a condition, as in `rc sql`
CONDITION_MB: Final = 2560  # beyond what the process has: DuckDB's 2048, and the rows
_ADVICE: Final = "ask for less, with LIMIT or WHERE, or allow more"
_SIMPLER: Final = "write a simpler condition, such as 'probability > 0.5'"
_AGAIN_S: Final = 0.1  # between two interruptions: one that comes between statements is forgotten


@contextmanager
def time_limit(
    connection: duckdb.DuckDBPyConnection, seconds: float | None, advice: str = _ADVICE
) -> Iterator[None]:
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
        raise QueryError(timeout_message(seconds, advice)) from error
    finally:
        over.set()
        watcher.join()


def timeout_message(seconds: float, advice: str = _ADVICE) -> str:
    """The error message for a statement that took longer."""
    return f"no answer within {seconds:g} s: {advice}"


@contextmanager
def condition_limits(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Limit time and memory within the block, which evaluates what a user wrote after --where.

    Raises:
        QueryError: If it takes longer, or more memory.
    """
    try:
        with time_limit(connection, CONDITION_S, _SIMPLER), memory_limit(CONDITION_MB):
            yield
    except MemoryError:
        raise QueryError(
            f"--where needs more than {CONDITION_MB} MB of memory: {_SIMPLER}"
        ) from None


@contextmanager
def memory_limit(megabytes: int) -> Iterator[None]:
    """Limit the memory that the process may allocate within the block, beyond what it has now.

    DuckDB counts the memory of sorts, joins and groups, but not of functions: len(range(1e9)) or
    lpad('', 4e9, 'x') would take all memory. Of blocks that overlap, in other threads or within
    each other, the first decides.
    """
    _Limit.enter(megabytes)
    try:
        yield
    finally:
        _Limit.leave()


class _Limit:
    """The limit of the process: it is set by the first block, and lifted after the last."""

    _lock = threading.Lock()
    _blocks = 0
    _before: tuple[int, int] | None = None

    @classmethod
    def enter(cls, megabytes: int) -> None:
        with cls._lock:
            cls._blocks += 1
            allocated = _allocated_bytes() if cls._blocks == 1 else None
            if allocated is None:
                return
            import resource

            soft, hard = cls._before = resource.getrlimit(resource.RLIMIT_DATA)
            target = allocated + (megabytes << 20)
            lowest = min([target, *(limit for limit in (soft, hard) if limit >= 0)])
            resource.setrlimit(resource.RLIMIT_DATA, (lowest, hard))

    @classmethod
    def leave(cls) -> None:
        with cls._lock:
            cls._blocks -= 1
            if cls._blocks or cls._before is None:
                return
            import resource

            resource.setrlimit(resource.RLIMIT_DATA, cls._before)
            cls._before = None


def _allocated_bytes() -> int | None:
    """Bytes of data that the process has allocated; None if the system does not report it."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmData")), None)
