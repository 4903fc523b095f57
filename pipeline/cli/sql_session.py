"""A session of SQL statements, which reuses its connection as long as the artifacts allow."""

from __future__ import annotations

import os
from concurrent.futures import Future, wait
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from pipeline.cli.row_formats import row_writer
from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_OUTPUT_MB: Final = 512  # for rows that are written, in addition to the memory of DuckDB
_AGAIN_S: Final = 0.1  # between two interruptions
_GRACE_S: Final = 3.0  # until an interrupted statement must have ended


class SqlSession:
    """Runs statements one at a time and writes their rows to standard output.

    Args:
        store: The store.
        use: Artifacts to use instead of the newest, as `table@prefix`.
        output: Format of the rows; one of `row_formats.ROW_WRITERS`.
        timeout: Seconds for one statement; 0 or None for no limit.
        memory_mb: Megabytes that DuckDB may use.
    """

    def __init__(
        self,
        store: Path,
        use: Sequence[str],
        output: str = "table",
        timeout: float | None = None,
        memory_mb: int = 2048,
    ) -> None:
        self._store = store
        self._use = use
        self._timeout = timeout or None
        self._memory_mb = memory_mb
        self._pins: list[str] = []
        self._subjects: list[str] = []
        self._only: frozenset[str] | None = None
        self._connection: Any = None
        self.set_format(output)

    def set_format(self, output: str) -> None:
        """Set the format of the rows.

        Raises:
            OptionError: If the format is unknown.
        """
        self._write = row_writer(output)

    def answer(self, statement: str, subjects: Sequence[str] = ()) -> None:
        """Run one statement and write its rows.

        Args:
            statement: One SELECT.
            subjects: Tables that the statement is about, see `sql.connect`; default: those that
                it names.

        Raises:
            QueryError: If it does more than read, fails, or exceeds the limits of time or memory.
        """
        from pipeline import sql

        connection = self.connection(statement, subjects)
        try:
            with sql.memory_limit(self._memory_mb + _OUTPUT_MB):
                self._run_interruptibly(
                    connection, lambda: self._write(sql.batches(sql.query(connection, statement)))
                )
        except MemoryError:
            raise QueryError(
                f"the answer needs more than {self._memory_mb} MB: ask for less, with LIMIT or "
                "WHERE, or allow more with --memory-mb"
            ) from None

    def _run_interruptibly(self, connection: Any, work: Callable[[], None]) -> None:
        """Do the work in another thread, so that this one can stop it: at Ctrl-C or a timeout."""
        from pipeline import sql

        future: Future[None] = Future()
        Thread(target=_fulfil, args=(future, work), daemon=True).start()
        try:
            finished = bool(wait([future], self._timeout).done)
        except BaseException:  # Ctrl-C or SIGTERM
            _stop(connection, future, "interrupted", 130)
            raise
        if not finished:
            message = f"{sql.timeout_message(self._timeout or 0)} with --timeout"
            _stop(connection, future, f"error: {message}", 1)
            raise QueryError(message)
        future.result()

    def columns(self) -> dict[str, list[str]]:
        """Columns of each view, with their types."""
        views = self.connection("").execute(
            "SELECT view_name, list(column_name || ' ' || data_type ORDER BY column_index) "
            "FROM duckdb_views() JOIN duckdb_columns() ON table_name = view_name "
            "WHERE NOT duckdb_views.internal AND view_name NOT LIKE '\\_%' ESCAPE '\\' "
            "AND duckdb_views.schema_name = 'main' AND duckdb_columns.schema_name = 'main' "
            "GROUP BY 1 ORDER BY 1"
        )
        return dict(views.fetchall())

    def connection(self, statement: str, subjects: Sequence[str] = ()) -> Any:
        """The connection for a statement; a new one only if the old one lacks an artifact."""
        from pipeline import sql

        pins, tables = sql.pins_in(statement), list(subjects) or sql.subject_tables(statement)
        only = None if subjects else sql.views_read(statement)
        known = set(pins) <= set(self._pins) and tables == self._subjects
        if self._connection is None or not known or not self._shows(only):
            names = list(dict.fromkeys([*self._pins, *pins]))
            self._connection = sql.connect(
                self._store, self._use, names, tables, memory_mb=self._memory_mb, only=only
            )
            self._pins, self._subjects, self._only = names, tables, only
        return self._connection

    def _shows(self, views: frozenset[str] | None) -> bool:
        """Whether the connection has these views; None stands for all."""
        from pipeline import sql

        if self._only is None or views is None:
            return self._only is None
        return sql.relations_behind(views) <= sql.relations_behind(self._only)


def _fulfil(future: Future[None], work: Callable[[], None]) -> None:
    try:
        work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(None)


def _stop(connection: Any, future: Future[None], message: str, code: int) -> None:
    """Interrupt the work; if it does not end, as in one endless row, end the process."""
    from pipeline import sql

    for _ in range(round(_GRACE_S / _AGAIN_S)):
        connection.interrupt()  # again: it has no effect before the statement has begun
        if wait([future], _AGAIN_S).done:
            return
    sql.remove_spill_folders()  # the process ends without its exit handlers
    os.write(2, f"{message}\n".encode())
    os._exit(code)
