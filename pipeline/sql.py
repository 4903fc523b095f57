"""SQL over the store: DuckDB views of the newest artifacts, locked to reading."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import duckdb
import numpy as np
import pyarrow as pa

from pipeline.catalogues import catalogues
from pipeline.reference import all_tables
from pipeline.store import catalog, parts
from schemas.errors import ArtifactNotFoundError, QueryError
from schemas.table import vector_format

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.store.artifact import Artifact

VIEWS = Path(__file__).parent / "views"
_NAME = re.compile(r"CREATE VIEW (\w+)")
_READS = re.compile(r"^-- Reads: ([\w, ]+)\.$", re.MULTILINE)
_EXPLAIN = re.compile(r"\s*EXPLAIN\s+(?:ANALYZE\s+)?", re.IGNORECASE)
_CLOCKS = "current_date|current_time|current_timestamp|localtime|localtimestamp|tablesample|sample"
_BESIDE = {"_labelled_boxes": "proposals", "_labelled_concepts": "concept_embeddings"}
_LOCKED: dict[str, Any] = {
    "autoinstall_known_extensions": False,  # nothing is downloaded because a question needs it
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # names of Python variables are not names of tables
}


@dataclass(frozen=True)
class Relations:
    """What a connection may see: Parquet files by table name, and small tables made in memory."""

    files: Mapping[str, Sequence[Path]]
    tables: Mapping[str, pa.Table] = field(default_factory=dict)


def connect(root: Path, pins: Sequence[str] = ()) -> duckdb.DuckDBPyConnection:
    """A locked connection with a view for each table in the store.

    It shows the artifact asked for last with all it was made from, and of the tables still
    missing the newest. Pseudo-labels always come with the boxes and names they were made from.

    Args:
        root: The store.
        pins: Artifacts to prefer, with all they were made from, as `table@prefix`.

    Raises:
        ArtifactNotFoundError: If a pin matches nothing, or the store holds nothing.
        ArtifactError: If a part is damaged.
    """
    everything = catalog.everything(root)
    if not everything:
        raise ArtifactNotFoundError(f"nothing is in {root} yet; begin with 'rc ingest'")
    chosen = _chosen([catalog.find(root, pin) for pin in pins], everything)
    files = {name: artifact.files() for name, artifact in chosen.items()}
    if "concepts" in chosen:
        files["mentions"] = chosen["concepts"].files(drafts=True)
    if "metrics" in chosen and (found := chosen["metrics"].attachments("detections.parquet")):
        files["detections"] = found
    if "pseudo_labels" in chosen:
        files |= _beside(chosen["pseudo_labels"])
    shown = {artifact.path for artifact in chosen.values()}
    return open_locked(Relations(files, catalogues(everything, shown)))


def open_locked(relations: Relations, threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """An in-memory connection that can read the given files and nothing else."""
    # Statements may read this folder: it is DuckDB's alone, made when needed and then removed.
    spill = Path(tempfile.gettempdir()) / f"rc-sql-{uuid4().hex}"
    config = {**_LOCKED, "temp_directory": str(spill)} | ({"threads": threads} if threads else {})
    connection = duckdb.connect(":memory:", config=config)
    empty = {name: _empty(name) for name, files in relations.files.items() if not files}
    for name, table in {**relations.tables, **empty}.items():
        connection.register(f"_{name}", table)
    for name, files in relations.files.items():
        if files:
            _add_rows(connection, name, files)
    _add_views(connection)
    allowed = [str(path) for files in relations.files.values() for path in files]
    connection.execute(f"SET allowed_paths = [{', '.join(map(_quoted, allowed))}]")
    for setting in ("enable_external_access = false", "lock_configuration = true"):
        connection.execute(f"SET {setting}")
    return connection


def query(connection: duckdb.DuckDBPyConnection, statement: str) -> duckdb.DuckDBPyRelation:
    """The result of one reading statement, lazily.

    Raises:
        QueryError: If the statement does anything but read, or fails.
    """
    try:
        if not _only_reads(connection, statement):
            raise QueryError("rc sql answers one SELECT at a time and changes nothing")
        return connection.sql(statement)
    except duckdb.Error as error:
        raise QueryError(_first_line(error)) from None


def batches(relation: duckdb.DuckDBPyRelation) -> pa.RecordBatchReader:
    """The rows of an answer, computed as they are read.

    Raises:
        QueryError: If the statement fails, at once or while it is read.
    """
    read = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    try:
        reader = read(1024)
    except duckdb.Error as error:
        raise QueryError(_first_line(error)) from None
    return pa.RecordBatchReader.from_batches(reader.schema, _read(reader))


def matching(labels: Artifact, number: int, predicate: str) -> Iterator[pa.RecordBatch]:
    """Rows of one part of pseudo_labels for which a SQL predicate holds, in their order.

    The predicate may use every column of the view `pseudo_labels`: also the concept's name, the
    box, and the objectness. What it says of other rows, it says of those in the same part.

    Raises:
        QueryError: If it is not one expression, fails, or could say otherwise tomorrow.
    """
    path = labels.part(number)
    schema = parts.schema(path)
    relations = Relations({"pseudo_labels": [path], **_beside(labels, number)})
    columns = ", ".join(f"pseudo_labels.{name}" for name in schema.names)
    with open_locked(relations, threads=1) as connection:
        _check_predicate(connection, predicate)
        relation = query(
            connection,
            f"SELECT {columns} FROM pseudo_labels JOIN (SELECT image_id, region, "
            "row_number() OVER () AS _rank FROM _pseudo_labels) USING (image_id, region) "
            f"WHERE (\n{predicate}\n) ORDER BY _rank",
        )
        for batch in batches(relation):
            yield batch.cast(schema)


def _only_reads(connection: duckdb.DuckDBPyConnection, statement: str) -> bool:
    """Whether it is one SELECT, or the EXPLAIN of one: EXPLAIN ANALYZE runs what it explains."""
    try:
        kinds = [found.type.name for found in connection.extract_statements(statement)]
    except ValueError:  # a kind of statement that the Python client has no word for
        return False
    explained = _EXPLAIN.match(statement)
    if kinds == ["EXPLAIN"] and explained:
        return _only_reads(connection, statement[explained.end() :])
    return kinds == ["SELECT"]


def _check_predicate(connection: duckdb.DuckDBPyConnection, predicate: str) -> None:
    """Pass if it is one expression and follows from the rows alone."""
    try:
        duckdb.SQLExpression(predicate)
    except duckdb.Error as error:
        raise QueryError(
            f"--where takes one SQL predicate, such as 'probability > 0.5': {_first_line(error)}"
        ) from None
    fickle = connection.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() "
        "WHERE stability != 'CONSISTENT' AND regexp_full_match(function_name, '\\w+')"
    ).fetchall()
    words = "|".join(name for (name,) in fickle)
    if found := re.search(rf'\b({words})"?\s*\(|\b({_CLOCKS})\b', predicate, re.IGNORECASE):
        word = found[1] or found[2]
        raise QueryError(
            f"--where must choose the same regions every time, so it may not use {word}; "
            "choose by columns of pseudo_labels"
        )


def _read(reader: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise QueryError(_first_line(error)) from None


def _beside(labels: Artifact, number: int | None = None) -> dict[str, list[Path]]:
    """Files that the view `pseudo_labels` joins: boxes and names, for one part or for all."""
    files = {}
    for name, table in _BESIDE.items():
        if made_from := catalog.ancestor(labels, (table,)):
            if table == "proposals" and number is not None:
                files[name] = [made_from.part(number)]
            else:
                files[name] = made_from.files()
    return files


def _chosen(pinned: Sequence[Artifact], everything: Sequence[Artifact]) -> dict[str, Artifact]:
    """The artifact behind each table's view: pinned, else an ancestor of a pin, else the newest."""
    chosen = {artifact.manifest.artifact: artifact for artifact in pinned}
    for artifact in [*pinned, *reversed(everything)]:
        if chosen.setdefault(artifact.manifest.artifact, artifact) is artifact:
            for older in catalog.ancestry(artifact):
                chosen.setdefault(older.manifest.artifact, older)
    return chosen


def _add_rows(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]) -> None:
    """The view `_name` of the Parquet files as they are, vectors shown as FLOAT arrays."""
    columns = []
    for field_ in _schema(files):
        if found := vector_format(field_):
            function = _as_floats(connection, *found)
            columns.append(f'{function}("{field_.name}") AS "{field_.name}"')
        else:
            columns.append(f'"{field_.name}"')
    paths = ", ".join(_quoted(str(path)) for path in files)
    source = f"SELECT {', '.join(columns)} FROM read_parquet([{paths}])"
    connection.execute(f"CREATE VIEW _{name} AS {source}")


def _schema(files: Sequence[Path]) -> pa.Schema:
    """Columns of the first part that has rows; of an artifact without rows, of its first part."""
    return parts.schema(next((path for path in files if parts.count(path)), files[0]))


def _empty(name: str) -> pa.Table:
    """The rows of an artifact without parts."""
    tables = {table.name: table for table in all_tables()}
    return tables[_BESIDE.get(name, name)].arrow.empty_table()


def _as_floats(connection: Any, width: int, number_format: str) -> str:
    """Name of a SQL function that turns stored vectors into FLOAT[width]."""
    name = f"_{number_format}_{width}"
    item = np.dtype(number_format).itemsize

    def convert(column: pa.ChunkedArray) -> pa.Array:
        stored = column.combine_chunks().cast(pa.binary(width * item))
        start, count = stored.offset * width * item, len(stored) * width
        values = np.frombuffer(stored.buffers()[1], number_format, count, start)
        return pa.FixedSizeListArray.from_arrays(pa.array(values.astype(np.float32)), width)

    try:
        connection.create_function(
            name,
            convert,
            ["BLOB"],
            f"FLOAT[{width}]",
            type="arrow",
        )
    except duckdb.Error as error:
        if "already" not in str(error):
            raise
    return name


def _add_views(connection: duckdb.DuckDBPyConnection) -> None:
    """The views of `views/` whose tables are there, then a plain view for every other table."""
    for _name, reads, statement in _view_files():
        if all(_exists(connection, table) for table in reads):
            connection.execute(statement)
    plain = connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
    for (name,) in plain:
        shown = name.startswith("_") and not name.startswith("__")
        if shown and not _exists(connection, name[1:]):
            connection.execute(f"CREATE VIEW {name[1:]} AS SELECT * FROM {name}")


@cache
def _view_files() -> list[tuple[str, list[str], str]]:
    """Name, tables needed and statement of each view, in an order in which they can be made."""
    found = []
    for path in sorted(VIEWS.glob("*.sql")):
        text = path.read_text()
        name, reads = _NAME.search(text), _READS.search(text)
        if not name or not reads:
            raise QueryError(f"{path.name} lacks 'CREATE VIEW' or its '-- Reads:' line")
        found.append((name[1], reads[1].split(", "), text))
    return found


def _exists(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    known = connection.execute(
        "SELECT count(*) FROM duckdb_views() WHERE view_name = ?", [name]
    ).fetchone()
    return bool(known and known[0])


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: Any) -> str:
    return str(error).splitlines()[0]
