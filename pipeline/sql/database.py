"""A database file for other clients: the store's views, or copies of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb

from pipeline.sql.connection import fill, quoted
from pipeline.sql.relations import of_store
from pipeline.sql.statements import first_line
from pipeline.store.atomic import whole_or_absent
from schemas.errors import OptionError, QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.sql.relations import Relations

_MAGIC: Final = b"DUCK"  # of every DuckDB file, behind a checksum of eight bytes


def write_database(
    root: Path,
    path: Path,
    prefer: Sequence[str] = (),
    *,
    materialize: bool = False,
    force: bool = False,
) -> list[str]:
    """Write a DuckDB file that any client opens; the names of what is in it.

    Views read the Parquet files where they lie, so the file is small and the store must stay; in
    them vectors are bytes, for turning those into numbers takes this program. Materialized rows
    are copies that need nothing, vectors as FLOAT arrays.

    Args:
        root: The store.
        path: File to make.
        prefer: Artifacts to show rather than the newest, as `table@prefix`.
        materialize: Copy rows instead of pointing at them.
        force: Replace a DuckDB file that exists.

    Raises:
        OptionError: If something is there that is not to be replaced.
        ArtifactNotFoundError: If the store holds nothing, or a pin matches nothing.
        QueryError: If DuckDB cannot write.
    """
    _refuse_to_replace(path, force=force)
    found = of_store(root.absolute(), prefer, ())
    with whole_or_absent(path) as draft:
        draft.unlink(missing_ok=True)
        try:
            return _copies(found, draft) if materialize else _pointers(found, draft)
        except duckdb.Error as error:
            raise QueryError(f"{path} was not written: {first_line(error)}") from error


def _refuse_to_replace(path: Path, *, force: bool) -> None:
    if not path.name:
        raise OptionError(f"rc db: '{path}' is no name for a file")
    if not path.exists() and not path.is_symlink():
        return
    if not _is_database(path):
        raise OptionError(f"rc db: {path} exists and is no DuckDB file; give another name")
    if not force:
        raise OptionError(f"rc db: {path} exists; give another name, or --force to replace it")


def _is_database(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(12)[8:] == _MAGIC


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
