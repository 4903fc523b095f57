"""Predicates: the rows of pseudo_labels that a stage asks for with --where."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import duckdb

from pipeline.sql import syntax
from pipeline.sql.connection import open_locked
from pipeline.sql.relations import of_part
from pipeline.sql.statements import batches, first_line, query, text
from pipeline.store import parts
from schemas.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from pipeline.store.artifact import Artifact


def matching(labels: Artifact, number: int, predicate: str) -> Iterator[pa.RecordBatch]:
    """Rows of one part of pseudo_labels for which a SQL predicate holds, in their order, kept.

    The predicate may use every column of the view `pseudo_labels`: also the concept's name, the
    box, and the objectness. What it says of other rows, it says of those in the same part.

    Raises:
        QueryError: If it is not one expression, fails, or could say otherwise tomorrow.
    """
    schema = parts.schema(labels.part(number))
    columns = ", ".join(
        "true AS kept" if name == "kept" else f"pseudo_labels.{name}" for name in schema.names
    )
    with open_locked(of_part(labels, number), threads=1) as connection:
        check_columns(connection, predicate)
        relation = query(
            connection,
            f"SELECT {columns} FROM pseudo_labels JOIN (SELECT image_id, region, "
            "row_number() OVER () AS _rank FROM _pseudo_labels) USING (image_id, region) "
            f"WHERE (\n{predicate}\n) ORDER BY _rank",
        )
        for batch in batches(relation):
            yield batch.cast(schema)


@lru_cache(maxsize=16)
def means_kept(predicate: str) -> bool:
    """Whether a predicate holds for the rows that are kept, and follows from that alone.

    >>> [means_kept(text) for text in ("kept", "kept = true", "NOT kept", "kept AND in_caption")]
    [True, True, False, False]

    Raises:
        QueryError: If it is not one expression.
    """
    with duckdb.connect(config={"enable_external_access": "false"}) as connection:
        check_predicate(connection, predicate)
        cases = "(VALUES (true), (false)) AS cases (kept)"
        statement = f"SELECT kept, coalesce((\n{predicate}\n)::BOOLEAN, false) FROM {cases}"
        try:
            return all(kept == holds for kept, holds in connection.execute(statement).fetchall())
        except duckdb.Error:  # it is about other columns
            return False


def check_some_match(labels: Artifact, predicate: str) -> None:
    """Pass if a predicate is one of the rows of pseudo_labels, and holds for any of them.

    Raises:
        QueryError: If not: before a stage is run that would have nothing to do.
    """
    for number in labels.numbers:
        with open_locked(of_part(labels, number), threads=1) as connection:
            check_predicate(connection, predicate)
            if _holds(connection, predicate, 1):
                return
    raise QueryError(f"no row of {labels.address} is one for which --where holds: {predicate}")


def check_columns(connection: duckdb.DuckDBPyConnection, predicate: str) -> None:
    """Pass if a predicate is one of the rows of pseudo_labels.

    Raises:
        QueryError: If not; it names the columns there are.
    """
    check_predicate(connection, predicate)
    _holds(connection, predicate, 0)


def _holds(connection: duckdb.DuckDBPyConnection, predicate: str, most: int) -> int:
    """For how many rows of pseudo_labels a predicate holds, `most` at most."""
    asked = f"SELECT 1 FROM pseudo_labels WHERE (\n{predicate}\n) LIMIT {most}"
    try:
        return sum(batch.num_rows for batch in batches(query(connection, asked)))
    except QueryError as error:
        if "Referenced column" not in str(error):
            raise
        columns = ", ".join(connection.sql("FROM pseudo_labels LIMIT 0").columns)
        said = str(error).rstrip(".!")
        raise QueryError(f"{said}. The columns for --where are {columns}") from None


def check_predicate(connection: duckdb.DuckDBPyConnection, predicate: str) -> None:
    """Pass if it is one expression and follows from the rows alone.

    Raises:
        QueryError: If not.
    """
    try:
        duckdb.SQLExpression(text(predicate))
    except duckdb.Error as error:
        raise QueryError(
            f"--where takes one SQL predicate, such as 'probability > 0.5': {first_line(error)}"
        ) from None
    nodes = syntax.tree(connection, f"SELECT (\n{predicate}\n)")
    if not syntax.only_selects(nodes):
        raise QueryError("--where takes one SQL predicate, and a predicate changes nothing")
    if found := syntax.fickle(connection, nodes):
        raise QueryError(
            f"--where must choose the same regions every time, so it may not use {found}; "
            "choose by columns of the rows"
        )
