"""SQL over the store: DuckDB views of the newest artifacts, locked to reading."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store import catalog
from schemas.errors import ArtifactNotFoundError, QueryError
from schemas.table import vector_format

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.store.artifact import Artifact

VIEWS = Path(__file__).parent / "views"
_NAME = re.compile(r"CREATE VIEW (\w+)")
_READS = re.compile(r"^-- Reads: ([\w, ]+)\.$", re.MULTILINE)


@dataclass(frozen=True)
class Relations:
    """What a connection may see: Parquet files by table name, and small tables made in memory."""

    files: Mapping[str, Sequence[Path]]
    tables: Mapping[str, pa.Table] = field(default_factory=dict)


def connect(root: Path, pins: Sequence[str] = ()) -> duckdb.DuckDBPyConnection:
    """A locked connection with a view for each table in the store.

    Args:
        root: The store.
        pins: Artifacts to use instead of the newest of their table, as `table@prefix`.

    Raises:
        ArtifactNotFoundError: If a pin matches nothing, or the store holds nothing.
    """
    chosen = _chosen(root, pins)
    files = {name: artifact.files() for name, artifact in chosen.items()}
    for name, table in (("mentions", "concepts"),):
        if table in chosen:
            files[name] = chosen[table].files(drafts=True)
    if "metrics" in chosen and (found := chosen["metrics"].attachments("detections.parquet")):
        files["detections"] = found
    everything = catalog.everything(root)
    return open_locked(Relations(files, _catalogues(everything, chosen)))


def open_locked(relations: Relations) -> duckdb.DuckDBPyConnection:
    """An in-memory connection that can read the given files and nothing else."""
    connection = duckdb.connect(":memory:")
    for name, table in relations.tables.items():
        connection.register(f"_{name}", table)
        connection.execute(f"CREATE VIEW {name} AS SELECT * FROM _{name}")
    for name, files in relations.files.items():
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
        statements = connection.extract_statements(statement)
    except duckdb.Error as error:
        raise QueryError(_first_line(error)) from None
    if len(statements) != 1 or statements[0].type.name not in ("SELECT", "EXPLAIN"):
        raise QueryError("rc sql answers one SELECT at a time and changes nothing")
    try:
        return connection.sql(statements[0].query)
    except duckdb.Error as error:
        raise QueryError(_first_line(error)) from None


def batches(relation: duckdb.DuckDBPyRelation) -> pa.RecordBatchReader:
    """The rows of an answer, computed as they are read.

    Raises:
        QueryError: If the statement fails.
    """
    try:
        return relation.fetch_arrow_reader(1024)
    except duckdb.Error as error:
        raise QueryError(_first_line(error)) from None


def matching(labels: Artifact, number: int, predicate: str) -> Iterator[pa.RecordBatch]:
    """Rows of one part of pseudo_labels for which a SQL predicate holds, in their order.

    The predicate may use every column of the view `pseudo_labels`: also the concept's name, the
    box, and the objectness.
    """
    relations = Relations(_beside(labels, number))
    columns = ", ".join(f"_rows.{name}" for name in pq.read_schema(labels.part(number)).names)
    with open_locked(relations) as connection:
        relation = query(
            connection,
            f"SELECT {columns} FROM (SELECT *, row_number() OVER () AS _rank "
            f"FROM _pseudo_labels) AS _rows JOIN pseudo_labels USING (image_id, region) "
            f"WHERE ({predicate}\n) ORDER BY _rank",
        )
        yield from batches(relation)


def _beside(labels: Artifact, number: int) -> dict[str, list[Path]]:
    """Files that the view `pseudo_labels` joins, for one part."""
    files = {"pseudo_labels": [labels.part(number)]}
    if proposals := catalog.ancestor(labels, ("proposals",)):
        files["proposals"] = [proposals.part(number)]
    if concepts := catalog.ancestor(labels, ("concept_embeddings",)):
        files["concept_embeddings"] = concepts.files()
    return files


def _chosen(root: Path, pins: Sequence[str]) -> dict[str, Artifact]:
    """The artifact behind each table's view: pinned, or an ancestor of a pin, or the newest."""
    chosen: dict[str, Artifact] = {}
    for pin in pins:
        artifact = catalog.find(root, pin)
        chosen[artifact.manifest.artifact] = artifact
    for artifact in list(chosen.values()):
        for older in catalog.ancestry(artifact):
            chosen.setdefault(older.manifest.artifact, older)
    tables = {path.parent.name for path in catalog.committed(root)}
    if not tables:
        raise ArtifactNotFoundError(f"nothing is in {root} yet; begin with 'rc ingest'")
    for table in sorted(tables - set(chosen)):
        chosen[table] = catalog.find(root, table)
    return chosen


def _catalogues(found: Sequence[Artifact], chosen: Mapping[str, Artifact]) -> dict[str, pa.Table]:
    """Tables about the artifacts themselves."""
    shown = {artifact.path for artifact in chosen.values()}
    artifacts = [
        {
            "artifact": a.address,
            "table": a.manifest.artifact,
            "stage": a.manifest.stage.name,
            "rows": a.manifest.rows,
            "parts": len(a.manifest.parts),
            "bytes": a.manifest.bytes(),
            "dropped": sum(a.manifest.dropped.values()),
            "seconds": float(a.manifest.run.get("seconds", 0.0)),
            "created": str(a.manifest.run.get("created", "")),
            "shown": a.path in shown,
        }
        for a in found
    ]
    edges = [
        {"artifact": a.address, "role": role, "made_from": address}
        for a in found
        for role, address in a.manifest.inputs.items()
    ]
    return {
        "artifacts": pa.Table.from_pylist(artifacts),
        "lineage": pa.Table.from_pylist(
            edges,
            pa.schema([(n, pa.string()) for n in ("artifact", "role", "made_from")]),
        ),
        "quarantine": _quarantine(found),
    }


def _quarantine(found: Sequence[Artifact]) -> pa.Table:
    """What all stages refused, with the artifact it was refused for."""
    schema = pa.schema([(n, pa.string()) for n in ("artifact", "record", "reason", "detail")])
    tables = [schema.empty_table()]
    for artifact in found:
        for path in artifact.attachments("quarantine.parquet"):
            rows = pq.read_table(path)
            names = pa.array([artifact.address] * len(rows), pa.string())
            tables.append(rows.add_column(0, "artifact", names).cast(schema))
    return pa.concat_tables(tables)


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
    for path in files:
        with pq.ParquetFile(path) as file:
            if file.metadata.num_rows:
                return file.schema_arrow
    return pq.read_schema(files[0])


def _as_floats(connection: Any, width: int, number_format: str) -> str:
    """Name of a SQL function that turns stored vectors into FLOAT[width]."""
    name = f"_{number_format}_{width}"

    def convert(column: pa.ChunkedArray) -> pa.Array:
        blobs = b"".join(column.to_pylist())
        floats = np.frombuffer(blobs, number_format).astype(np.float32)
        return pa.FixedSizeListArray.from_arrays(pa.array(floats), width)

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
        if name.startswith("_") and not _exists(connection, name[1:]):
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
