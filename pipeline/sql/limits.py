"""Limits: how long a statement may take, and how much memory the process may take for it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import duckdb

from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

_STATUS: Final = Path("/proc/self/status")  # of Linux; elsewhere DuckDB's own limit holds alone


@contextmanager
def within(connection: duckdb.DuckDBPyConnection, seconds: float | None) -> Iterator[None]:
    """Interrupt what the connection does inside after some seconds; never, if None.

    DuckDB looks for interruptions between the rows it works on, not within one: a function that
    takes long for a single row is waited for.

    Raises:
        QueryError: If it took longer.
    """
    if seconds is None:
        yield
        return
    late = threading.Event()

    def stop() -> None:
        late.set()
        connection.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.start()
    try:
        yield
    except (QueryError, duckdb.Error) as error:
        if not late.is_set():
            raise
        raise QueryError(too_late(seconds)) from error
    finally:
        timer.cancel()


def too_late(seconds: float) -> str:
    """What to say of a statement that took longer."""
    return f"no answer within {seconds:g} s: ask for less, with LIMIT or WHERE, or allow more"


@contextmanager
def holding(megabytes: int) -> Iterator[None]:
    """Let the process take so much memory besides what it has now, and no more.

    DuckDB counts what sorting, joining and grouping hold, not what functions do: len(range(1e9))
    or lpad('', 4e9, 'x') would take all there is.
    """
    held = _held_bytes()
    if held is None:
        yield
        return
    import resource

    before, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = held + (megabytes << 20)
    lowest = min([wanted, *(limit for limit in (before, most) if limit >= 0)])
    resource.setrlimit(resource.RLIMIT_DATA, (lowest, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (before, most))


def _held_bytes() -> int | None:
    """Bytes of data the process has asked for; None where the system does not tell."""
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmData")), None)
