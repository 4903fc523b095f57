"""A DuckDB file for other clients: the views of the store, or copies of their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import duckdb

from pipeline.progress import Silent
from pipeline.sql.connection import add_relations, sql_literal
from pipeline.sql.relations import store_relations
from pipeline.sql.statements import first_line
from pipeline.store.atomic import sweep_drafts, whole_or_absent
from schemas.errors import OptionError, QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.progress import Reporter
    from pipeline.sql.relations import Relations

_MAGIC: Final = b"DUCK"  # in every DuckDB file, after a checksum of eight bytes


def write_database(
    root: Path,
    path: Path,
    prefer: Sequence[str] = (),
    *,
    materialize: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> list[str]:
    """Write a DuckDB file that any client opens; return the names of its views or tables.

    Views read the Parquet files of the store, so the file is small and the store must stay where
    it is. Their vectors are bytes, because decoding needs this program. Materialized tables are
    copies that do not need the store; their vectors are FLOAT arrays.

    Args:
        root: The store.
        path: File to write.
        prefer: Artifacts to show instead of the newest, as `table@prefix`.
        materialize: Copy the rows instead of referring to their files.
        force: Replace a DuckDB file that exists.
        reporter: Told of each table that is copied.

    Raises:
        OptionError: If `path` exists and must not be replaced.
        ArtifactNotFoundError: If the store is empty, or a pin matches nothing.
        QueryError: If DuckDB cannot write.
    """
    sweep_drafts(path.parent, path.name)
    _check_replaceable(path, force=force)
    relations = store_relations(root.absolute(), prefer, ())
    with whole_or_absent(path) as draft:
        try:
            if materialize:
                return _write_tables(relations, draft, reporter or Silent())
            return _write_views(relations, draft)
        except duckdb.Error as error:
            raise QueryError(f"{path} was not written: {first_line(error)}") from error


def _check_replaceable(path: Path, *, force: bool) -> None:
    if not path.name:
        raise OptionError(f"rc db: '{path}' is not a file name")
    if "?" in str(path.absolute()):
        raise OptionError(
            f"rc db: DuckDB cannot write to {path}, since it takes what follows '?' for settings; "
            f"name a file without '?' in its path"
        )
    if not path.exists() and not path.is_symlink():
        return
    if not _is_database(path):
        raise OptionError(f"rc db: {path} exists and is not a DuckDB file; give another name")
    if not force:
        raise OptionError(f"rc db: {path} exists; give another name, or --force to replace it")


def _is_database(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(12)[8:] == _MAGIC


def _write_views(relations: Relations, path: Path) -> list[str]:
    with duckdb.connect(path) as connection:
        add_relations(connection, relations, persistent=True)
        return _public_views(connection)


def _write_tables(relations: Relations, path: Path, reporter: Reporter) -> list[str]:
    with duckdb.connect(":memory:") as connection:
        add_relations(connection, relations)
        names = _public_views(connection)
        connection.execute(f"ATTACH {sql_literal(str(path))} AS out")
        reporter.start("db", len(names), "tables")
        try:
            for name in names:
                connection.execute(f'CREATE TABLE out."{name}" AS FROM main."{name}"')
                reporter.advance(1)
        finally:
            reporter.stop()
        connection.execute("DETACH out")
        return names


def _public_views(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal "
        "AND schema_name = 'main' AND NOT starts_with(view_name, '_') ORDER BY 1"
    ).fetchall()
    return [name for (name,) in rows]
