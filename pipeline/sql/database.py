"""A database file for other clients: the store's views, or copies of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from pipeline.sql.connection import fill, quoted
from pipeline.sql.relations import of_store
from pipeline.sql.statements import first_line
from pipeline.store.atomic import whole_or_absent
from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.sql.relations import Relations


def write_database(
    root: Path, path: Path, prefer: Sequence[str] = (), *, materialize: bool = False
) -> list[str]:
    """Write a DuckDB file that any client opens; the names of what is in it.

    Views read the Parquet files where they lie, so the file is small and the store must stay; in
    them vectors are bytes, for turning those into numbers takes this program. Materialized rows
    are copies that need nothing, vectors as FLOAT arrays.

    Args:
        root: The store.
        path: File to make; one that exists is replaced.
        prefer: Artifacts to show rather than the newest, as `table@prefix`.
        materialize: Copy rows instead of pointing at them.

    Raises:
        ArtifactNotFoundError: If the store holds nothing, or a pin matches nothing.
        QueryError: If DuckDB cannot write.
    """
    found = of_store(root.absolute(), prefer, ())
    with whole_or_absent(path) as draft:
        draft.unlink(missing_ok=True)
        try:
            return _copies(found, draft) if materialize else _pointers(found, draft)
        except duckdb.Error as error:
            raise QueryError(f"{path} was not written: {first_line(error)}") from error


def _pointers(relations: Relations, path: Path) -> list[str]:
    with duckdb.connect(path) as connection:
        fill(connection, relations, lasting=True)
        return _shown(connection)


def _copies(relations: Relations, path: Path) -> list[str]:
    with duckdb.connect(":memory:") as connection:
        fill(connection, relations)
        names = _shown(connection)
        connection.execute(f"ATTACH {quoted(str(path))} AS out")
        for name in names:
            connection.execute(f'CREATE TABLE out."{name}" AS FROM main."{name}"')
        connection.execute("DETACH out")
        return names


def _shown(connection: duckdb.DuckDBPyConnection) -> list[str]:
    found = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal "
        "AND schema_name = 'main' AND NOT starts_with(view_name, '_') ORDER BY 1"
    ).fetchall()
    return [name for (name,) in found]
