"""Connections: the views of a store in a DuckDB that can do nothing but read them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import duckdb

from pipeline.sql import relations as named
from pipeline.sql.spill import new_spill
from pipeline.sql.views import add_rows, add_views
from schemas.errors import ArtifactNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.sql.relations import Relations

MEMORY_MB: Final = 2048  # of a connection; what needs more goes to disk while it runs
_LOCKED: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,  # nothing is downloaded because a question needs it
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # names of Python variables are not names of tables
}


def connect(
    root: Path,
    prefer: Sequence[str] = (),
    names: Sequence[str] = (),
    leads: Sequence[str] = (),
    memory_mb: int = MEMORY_MB,
) -> duckdb.DuckDBPyConnection:
    """A locked connection with a view for each table in the store.

    It shows what is preferred with all it was made from, then the newest artifact of each leading
    table likewise, and of the tables still missing the newest. So the rows of what a question is
    about belong together. Pseudo-labels always come with the names they were made from.

    Args:
        root: The store.
        prefer: Artifacts to prefer, with all they were made from, as `table@prefix`.
        names: Views of other artifacts to have besides, called what they are asked for by:
            `pseudo_labels@3f9c`. See `statements.pins_in`.
        leads: Tables the question is about, see `statements.leads_of`; none: pseudo_labels.
        memory_mb: Megabytes DuckDB may hold.

    Raises:
        ArtifactNotFoundError: If a pin matches nothing, or the store holds nothing.
        ArtifactError: If a part is damaged.
    """
    return open_locked(named.of_store(root, prefer, names, leads), memory_mb=memory_mb)


def open_locked(
    relations: Relations, threads: int | None = None, memory_mb: int = MEMORY_MB
) -> duckdb.DuckDBPyConnection:
    """An in-memory connection that can read the given files and nothing else."""
    spill = new_spill()  # statements may read it: it is DuckDB's alone
    half = shutil.disk_usage(spill.parent).free // 2  # of the disk is left to everybody else
    config = {
        **_LOCKED,
        "temp_directory": str(spill),
        "max_temp_directory_size": f"{half // 2**20}MiB",
        "memory_limit": f"{memory_mb}MB",
    }
    connection = duckdb.connect(":memory:", config=config)
    if threads:
        connection.execute(f"SET threads = {threads}")
    fill(connection, relations)
    allowed = ", ".join(quoted(str(path)) for path in relations.paths())
    connection.execute(f"SET allowed_paths = [{allowed}]")
    for setting in ("enable_external_access = false", "lock_configuration = true"):
        connection.execute(f"SET {setting}")
    return connection


def fill(
    connection: duckdb.DuckDBPyConnection, relations: Relations, *, lasting: bool = False
) -> None:
    """Make the views of `relations`.

    Args:
        connection: Where.
        relations: What is there.
        lasting: Make only what outlives this process: copies of what is in memory, and vectors as
            the bytes they are stored in, not as FLOAT arrays.
    """
    empty = {name: named.empty(name) for name, files in relations.files.items() if not files}
    for name, table in {**relations.tables, **empty}.items():
        connection.register(f"__made_{name}" if lasting else f"_{name}", table)
        if lasting:
            connection.execute(f"CREATE TABLE __{name} AS FROM __made_{name}")
            connection.execute(f"CREATE VIEW _{name} AS FROM __{name}")
            connection.unregister(f"__made_{name}")
    for name, files in relations.files.items():
        if files:
            add_rows(connection, name, files, decode=not lasting)
    add_views(connection)
    for number, (name, pinned) in enumerate(relations.pinned.items()):
        _add_pinned(connection, f"_pin{number}", name, pinned)


def quoted(text: str) -> str:
    """A text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _add_pinned(
    connection: duckdb.DuckDBPyConnection, schema: str, name: str, relations: Relations
) -> None:
    """The view `name`, made in a schema of its own from the rows of older artifacts."""
    connection.execute(f"CREATE SCHEMA {schema}")
    connection.execute(f"SET search_path = '{schema}'")
    fill(connection, relations)
    connection.execute("SET search_path = 'main'")
    view = name.partition("@")[0]
    try:
        connection.execute(f'CREATE VIEW main."{name}" AS FROM {schema}."{view}"')
    except duckdb.CatalogException:
        raise ArtifactNotFoundError(
            f"'{name}' is not there: that artifact, or what it was made from, has no {view}"
        ) from None
