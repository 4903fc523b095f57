"""Connections to DuckDB that show the views of a store and can only read them."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, Final

import duckdb

from pipeline.sql.relations import empty_table, store_relations
from pipeline.sql.spill import new_spill_folder
from pipeline.sql.views import add_parquet_view, add_views, as_written
from schemas.errors import ArtifactNotFoundError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from pipeline.sql.relations import Relations

MEMORY_MB: Final = 2048  # per connection; a larger query uses the disk while it runs
_LOCKED_SETTINGS: Final[dict[str, Any]] = {
    "autoinstall_known_extensions": False,  # a query never downloads anything
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # a Python variable is not a table
}


def connect(  # all but the store have defaults
    root: Path,
    prefer: Sequence[str] = (),
    names: Sequence[str] = (),
    subjects: Sequence[str] = (),
    memory_mb: int = MEMORY_MB,
    only: Collection[str] | None = None,
) -> duckdb.DuckDBPyConnection:
    """A locked connection with a view for each table in the store.

    The views show the preferred artifacts and their inputs; then, for each subject table, its
    newest artifact and the inputs of that; then the newest artifact of every other table. So the
    tables of one query fit together. Pseudo-labels always have the concept names of their own pool.

    Args:
        root: The store.
        prefer: Artifacts to prefer, with all their inputs, as `table@prefix`.
        names: Additional views of other artifacts, such as `pseudo_labels@3f9c`; see
            `statements.pins_in`.
        subjects: Tables that the query is about, see `statements.subject_tables`; if empty,
            pseudo_labels.
        memory_mb: Megabytes that DuckDB may use.
        only: Views to show, see `statements.views_read`; default: all. Looking at all files of
            others takes time.

    Raises:
        ArtifactNotFoundError: If a pin matches nothing, or the store is empty.
        ArtifactError: If a part is damaged.
    """
    relations = store_relations(root, prefer, names, subjects, only)
    return open_locked(relations, memory_mb=memory_mb)


def open_locked(
    relations: Relations, threads: int | None = None, memory_mb: int = MEMORY_MB
) -> duckdb.DuckDBPyConnection:
    """An in-memory connection that can read the given files and nothing else."""
    spill = new_spill_folder()  # statements can read it, so only DuckDB writes there
    half_free = shutil.disk_usage(spill.parent).free // 2  # other programs keep the other half
    config = {
        **_LOCKED_SETTINGS,
        "temp_directory": str(spill),
        "max_temp_directory_size": f"{half_free // 2**20}MiB",
        "memory_limit": f"{memory_mb}MB",
    }
    connection = duckdb.connect(":memory:", config=config)
    if threads:
        connection.execute(f"SET threads = {threads}")
    add_relations(connection, relations)
    opened = {
        name for path in relations.paths() for name in (str(path.absolute()), as_written(path))
    }
    connection.execute("SET allowed_paths = $1", [sorted(opened)])
    [bar] = connection.execute("SELECT current_setting('enable_progress_bar')").fetchall()
    if bar == (True,):  # it would be drawn amid the answer; in a notebook it may not even be set
        connection.execute("SET enable_progress_bar = false")
    for setting in ("enable_external_access = false", "lock_configuration = true"):
        connection.execute(f"SET {setting}")
    return connection


def add_relations(
    connection: duckdb.DuckDBPyConnection, relations: Relations, *, persistent: bool = False
) -> None:
    """Create the views of `relations`.

    Args:
        connection: Where to create them.
        relations: Files and in-memory tables behind the views.
        persistent: Create only what outlives this process: copies of the in-memory tables, and
            vectors as stored bytes, not as FLOAT arrays.
    """
    empty = {name: empty_table(name) for name, files in relations.files.items() if not files}
    for name, table in {**relations.tables, **empty}.items():
        connection.register(f"__made_{name}" if persistent else f"_{name}", table)
        if persistent:
            connection.execute(f"CREATE TABLE __{name} AS FROM __made_{name}")
            connection.execute(f"CREATE VIEW _{name} AS FROM __{name}")
            connection.unregister(f"__made_{name}")
    for name, files in relations.files.items():
        if files:
            add_parquet_view(connection, name, files, decode=not persistent)
    add_views(connection)
    for number, (name, pinned) in enumerate(relations.pinned.items()):
        _add_pinned(connection, f"_pin{number}", name, pinned)


def sql_literal(text: str) -> str:
    """A text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _add_pinned(
    connection: duckdb.DuckDBPyConnection, schema: str, name: str, relations: Relations
) -> None:
    """Create the view `name` over older artifacts, in a separate schema."""
    connection.execute(f"CREATE SCHEMA {schema}")
    connection.execute(f"SET search_path = '{schema}'")
    add_relations(connection, relations)
    connection.execute("SET search_path = 'main'")
    view = name.partition("@")[0]
    try:
        connection.execute(f'CREATE VIEW main."{name}" AS FROM {schema}."{view}"')
    except duckdb.CatalogException:
        raise ArtifactNotFoundError(
            f"'{name}' does not exist: neither that artifact nor its inputs have {view}"
        ) from None
