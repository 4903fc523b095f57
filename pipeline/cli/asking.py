"""A session of questions: the connection is kept until a statement names other artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.cli.answers import writer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Session:
    """Answers statements, one at a time, on standard output.

    Args:
        store: The store.
        use: Artifacts to prefer, as `table@prefix`.
        output: How to write answers; one of `answers.WRITERS`.
        timeout: Seconds one answer may take; None for no limit.
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
        self._timeout = timeout
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
            leads: Tables whose newest artifacts, with all they were made from, it is about.

        Raises:
            QueryError: If it does anything but read, fails, or takes too long.
        """
        from pipeline import sql

        connection = self.connection(statement, leads)
        with sql.within(connection, self._timeout):
            self._write(sql.batches(sql.query(connection, statement)))

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

        pins = sql.pins_in(statement)
        known = set(pins) <= set(self._pins) and list(leads) == self._leads
        if self._connection is None or not known:
            self._pins = list(dict.fromkeys([*self._pins, *pins]))
            self._leads = list(leads)
            prefer = [*self._use, *leads]
            try:
                self._connection = sql.connect(
                    self._store, prefer, self._pins, memory_mb=self._memory_mb
                )
            except BaseException:
                self._pins = [pin for pin in self._pins if pin not in pins]
                raise
        return self._connection
