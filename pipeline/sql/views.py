"""Views over Parquet files with vectors as FLOAT arrays, and the views of `views/` over those."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.store import parts
from schemas.errors import QueryError
from schemas.table import vector_format

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER: Final = Path(__file__).parent / "views"
_NAME: Final = re.compile(r"CREATE VIEW (\w+)")
_READS: Final = re.compile(r"^-- Reads: ([\w, ]+)\.$", re.MULTILINE)


def add_parquet_view(
    connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path], *, decode: bool
) -> None:
    """Create the view `_name` over Parquet files; with `decode`, vectors are FLOAT arrays.

    Raises:
        QueryError: If DuckDB cannot open one of them.
    """
    columns = []
    for field in _schema(files):
        if decode and (vector := vector_format(field)):
            function = _decoding_function(connection, *vector)
            columns.append(f'{function}("{field.name}") AS "{field.name}"')
        else:
            columns.append(f'"{field.name}"')
    paths = _list_of(connection, name, [as_written(path) for path in files], in_text=not decode)
    source = f"read_parquet({paths}, hive_partitioning = false)"  # x=1/ in a path is no column
    try:
        connection.execute(f"CREATE VIEW _{name} AS SELECT {', '.join(columns)} FROM {source}")
    except duckdb.IOException as error:
        raise QueryError(
            f"DuckDB cannot open the {name} of {files[0].parent}: {str(error).splitlines()[0]}. If "
            "a folder on the way has a backslash in its name, give the store another path."
        ) from None


def _list_of(
    connection: duckdb.DuckDBPyConnection, name: str, paths: Sequence[str], *, in_text: bool
) -> str:
    """An expression for a list of paths.

    A variable of the connection, since every view over this one would parse and bind a list of
    100,000 literals again; literals where a view must outlive the connection.
    """
    if in_text:
        return "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"
    [(schema,)] = connection.execute("SELECT current_schema()").fetchall()
    variable = f"files_of_{schema}_{name}"
    connection.execute(f"SET VARIABLE {variable} = $1", [paths])
    return f"getvariable('{variable}')"


def as_written(path: Path) -> str:
    """What DuckDB takes for this path alone; it takes every path for a pattern.

    The path is absolute, because `~`, `s3:` and the like mean something at the beginning only.

    >>> as_written(Path("/data/run[1]*/part-00000.parquet"))
    '/data/run[[]1][*]/part-00000.parquet'
    """
    return re.sub(r"[*?[]", r"[\g<0>]", str(path.absolute()))


def add_views(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the views of `views/` whose tables exist, and a plain view for every other table."""
    for _name, reads, statement in view_files():
        if all(_exists(connection, table) for table in reads):
            connection.execute(statement)
    for name in _names(connection):
        has_plain_view = name.startswith("_") and not name.startswith("__")
        if has_plain_view and not _exists(connection, name[1:]):
            connection.execute(f"CREATE VIEW {name[1:]} AS SELECT * FROM {name}")


@cache
def view_files() -> list[tuple[str, list[str], str]]:
    """Name, tables read and statement of each view."""
    views = []
    for path in sorted(FOLDER.glob("*.sql")):
        text = path.read_text()
        name, reads = _NAME.search(text), _READS.search(text)
        if not name or not reads:
            raise QueryError(f"{path.name} lacks 'CREATE VIEW' or the '-- Reads:' line")
        views.append((name[1], reads[1].split(", "), text))
    return views


def _names(connection: duckdb.DuckDBPyConnection) -> list[str]:
    rows = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE NOT internal "
        "AND schema_name = current_schema() ORDER BY 1"
    ).fetchall()
    return [name for (name,) in rows]


def _exists(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    return name in _names(connection)


def _schema(files: Sequence[Path]) -> pa.Schema:
    """Columns of the first part that has rows; if none has, of the first part."""
    return parts.schema(next((path for path in files if parts.count(path)), files[0]))


def _decoding_function(connection: Any, width: int, number_format: str) -> str:
    """Name of the SQL function that turns stored vectors into FLOAT[width]."""
    name = f"_{number_format}_{width}"
    item = np.dtype(number_format).itemsize

    def convert(column: pa.ChunkedArray) -> Any:
        stored = column.combine_chunks().cast(pa.binary(width * item))
        start, count = stored.offset * width * item, len(stored) * width
        values = np.frombuffer(stored.buffers()[1], number_format, count, start)
        return pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float32)), width)

    try:
        connection.create_function(name, convert, ["BLOB"], f"FLOAT[{width}]", type="arrow")
    except duckdb.Error as error:
        if "already" not in str(error):
            raise
    return f"main.{name}"
