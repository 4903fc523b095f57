"""A session of questions: the connection is kept until a statement names other artifacts."""

from __future__ import annotations

import os
from concurrent.futures import Future, wait
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from pipeline.cli.answers import writer
from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_BESIDE_MB: Final = 512  # for rows on their way out, besides what DuckDB may hold
_GRACE_S: Final = 3.0  # for a statement that is interrupted to end


class Session:
    """Answers statements, one at a time, on standard output.

    Args:
        store: The store.
        use: Artifacts to prefer, as `table@prefix`.
        output: How to write answers; one of `answers.WRITERS`.
        timeout: Seconds one answer may take; 0 or None for no limit.
        memory_mb: Megabytes DuckDB may hold.
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
        self._leads: list[str] = []
        self._connection: Any = None
        self.write_as(output)

    def write_as(self, output: str) -> None:
        """Write answers in another way from now on.

        Raises:
            OptionError: If it is unknown.
        """
        self._write = writer(output)

    def answer(self, statement: str, leads: Sequence[str] = ()) -> None:
        """Write the answer to one statement.

        Args:
            statement: One SELECT.
            leads: Tables whose newest artifacts, with all they were made from, it is about;
                default: those that it names.

        Raises:
            QueryError: If it does anything but read, fails, takes too long, or needs too much.
        """
        from pipeline import sql

        connection = self.connection(statement, leads)
        try:
            with sql.holding(self._memory_mb + _BESIDE_MB):
                self._wait(
                    connection, lambda: self._write(sql.batches(sql.query(connection, statement)))
                )
        except MemoryError:
            raise QueryError(
                f"the answer needs more than {self._memory_mb} MB: ask for less, with LIMIT or "
                "WHERE, or allow more with --memory-mb"
            ) from None

    def _wait(self, connection: Any, work: Callable[[], None]) -> None:
        """Do the work beside this thread, which is free to stop it: at Ctrl-C, or if it is late."""
        from pipeline import sql

        doing: Future[None] = Future()
        Thread(target=_fulfil, args=(doing, work), daemon=True).start()
        try:
            finished = bool(wait([doing], self._timeout).done)
        except BaseException:  # Ctrl-C, or a polite kill
            _stop(connection, doing, "interrupted", 130)
            raise
        if not finished:
            said = f"{sql.too_late(self._timeout or 0)} with --timeout"
            _stop(connection, doing, f"error: {said}", 1)
            raise QueryError(said)
        doing.result()

    def columns(self) -> dict[str, list[str]]:
        """Columns, with their types, of each view."""
        found = self.connection("").execute(
            "SELECT view_name, list(column_name || ' ' || data_type ORDER BY column_index) "
            "FROM duckdb_views() JOIN duckdb_columns() ON table_name = view_name "
            "WHERE NOT duckdb_views.internal AND view_name NOT LIKE '\\_%' ESCAPE '\\' "
            "AND duckdb_views.schema_name = 'main' AND duckdb_columns.schema_name = 'main' "
            "GROUP BY 1 ORDER BY 1"
        )
        return dict(found.fetchall())

    def connection(self, statement: str, leads: Sequence[str] = ()) -> Any:
        """The connection for a statement: the one at hand, if it knows all the names."""
        from pipeline import sql

        pins, about = sql.pins_in(statement), list(leads) or sql.leads_of(statement)
        known = set(pins) <= set(self._pins) and about == self._leads
        if self._connection is None or not known:
            wanted = list(dict.fromkeys([*self._pins, *pins]))
            self._connection = sql.connect(
                self._store, self._use, wanted, about, memory_mb=self._memory_mb
            )
            self._pins, self._leads = wanted, about
        return self._connection


def _fulfil(doing: Future[None], work: Callable[[], None]) -> None:
    try:
        work()
    except BaseException as error:
        doing.set_exception(error)
    else:
        doing.set_result(None)


def _stop(connection: Any, doing: Future[None], said: str, code: int) -> None:
    """Interrupt the work; if it does not end, as within one endless row, end the process."""
    from pipeline import sql

    connection.interrupt()
    if not wait([doing], _GRACE_S).done:
        sql.forget_spilled()  # as nothing else would: the process ends without its last rites
        os.write(2, f"{said}\n".encode())
        os._exit(code)
