"""Predicates: the condition of --where over the rows of pseudo_labels."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import duckdb

from pipeline.sql import syntax
from pipeline.sql.connection import open_locked
from pipeline.sql.limits import condition_limits
from pipeline.sql.relations import part_relations
from pipeline.sql.statements import check_encoding, chosen, first_line
from pipeline.sql.suggestions import NO_COLUMN
from pipeline.store import parts
from schemas.errors import QueryError
from schemas.suspicions import SUSPICIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from pipeline.store.artifact import Artifact

_LABELS: Final = "pseudo_labels"
_REVIEWED: Final = "(image_id, region) IN (SELECT image_id, region FROM _reviews)"


def matching(
    labels: Artifact,
    number: int,
    predicate: str,
    suspicions: Artifact | None = None,
    *,
    reviews: Artifact | None = None,
) -> Iterator[pa.RecordBatch]:
    """Rows of one part of pseudo_labels for which a SQL predicate holds, in their order, kept.

    With reviews, all rows of regions that people reviewed besides; `kept` says of these whether
    the predicate holds.

    The predicate may use every column of the view `pseudo_labels`, including the concept's name,
    the box and the objectness; with suspicions of these labels, of the view `suspected_labels`.
    Its subqueries see the rows of the same part only.

    Raises:
        QueryError: If it is not one expression, fails, or is not deterministic.
    """
    schema = parts.schema(labels.part(number))
    holds = f"coalesce((\n{predicate}\n), false)" if reviews else "true"
    columns = ", ".join(
        f"{holds} AS kept" if name == "kept" else f"pseudo_labels.{name}" for name in schema.names
    )
    view = _view(suspicions)
    relations = part_relations(labels, number, suspicions, reviews)
    with open_locked(relations, threads=1) as connection:
        check_columns(connection, predicate, view)
        rows = chosen(
            connection,
            f"SELECT {columns} FROM {view} JOIN (SELECT image_id, region, "
            "row_number() OVER () AS _rank FROM _pseudo_labels) USING (image_id, region) "
            f"WHERE {_taken(predicate, reviews)} ORDER BY _rank",
        )
        for batch in rows:
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
        cases = "(VALUES (true), (false)) AS pseudo_labels (kept)"
        statement = f"SELECT kept FROM {cases} WHERE (\n{predicate}\n)"
        try:
            with condition_limits(connection):
                return connection.execute(statement).fetchall() == [(True,)]
        except duckdb.Error:  # it is about other columns, or allowed nowhere in a condition
            return False


def any_match(
    labels: Artifact,
    predicate: str,
    suspicions: Artifact | None = None,
    *,
    reviews: Artifact | None = None,
) -> bool:
    """Whether there are rows for `matching`.

    Raises:
        QueryError: If the predicate is invalid.
    """
    for number in labels.numbers:
        if suspicions is not None and number not in suspicions.numbers:
            continue  # what is computed has these parts; its plan says so if it lacks any
        relations = part_relations(labels, number, suspicions, reviews)
        with open_locked(relations, threads=1) as connection:
            check_predicate(connection, predicate)
            if _count_matches(connection, predicate, 1, _view(suspicions), reviews):
                return True
    return False


def check_columns(
    connection: duckdb.DuckDBPyConnection, predicate: str, view: str = _LABELS
) -> None:
    """Check that a predicate is valid over the columns of pseudo_labels.

    Raises:
        QueryError: If it is invalid; the message lists the columns.
    """
    check_predicate(connection, predicate)
    _count_matches(connection, predicate, 0, view)


def _view(suspicions: Artifact | None) -> str:
    """What a predicate is about, under the name that it knows."""
    return _LABELS if suspicions is None else f"suspected_labels AS {_LABELS}"


def _taken(predicate: str, reviews: Artifact | None) -> str:
    """A predicate, or that people reviewed the region."""
    return f"((\n{predicate}\n) OR {_REVIEWED})" if reviews else f"(\n{predicate}\n)"


def _count_matches(
    connection: duckdb.DuckDBPyConnection,
    predicate: str,
    limit: int,
    view: str,
    reviews: Artifact | None = None,
) -> int:
    """How many rows of a view are taken; the count stops at `limit`."""
    statement = f"SELECT 1 FROM {view} WHERE {_taken(predicate, reviews)} LIMIT {limit}"
    try:
        return sum(batch.num_rows for batch in chosen(connection, statement))
    except QueryError as error:
        if not str(error).startswith(NO_COLUMN):
            raise
        columns = ", ".join(connection.sql(f"FROM {view} LIMIT 0").columns)
        more = f", and with --suspicions those of {SUSPICIONS.name}" if view == _LABELS else ""
        raise QueryError(f"{error}. The columns for --where are {columns}{more}") from None


def check_predicate(connection: duckdb.DuckDBPyConnection, predicate: str) -> None:
    """Check that a predicate is one expression that depends on the rows alone.

    Raises:
        QueryError: If it is not.
    """
    if not predicate.strip():
        raise QueryError(
            "--where is empty, as an unset shell variable makes it: write a condition, or leave "
            "--where out"
        )
    try:
        duckdb.SQLExpression(check_encoding(predicate))
    except duckdb.Error as error:
        raise QueryError(
            f"--where takes one SQL predicate, such as 'probability > 0.5': {first_line(error)}"
        ) from None
    nodes = syntax.syntax_nodes(connection, f"SELECT (\n{predicate}\n)")
    if not syntax.only_selects(nodes):
        raise QueryError("--where takes one SQL predicate, and a predicate changes nothing")
    if name := syntax.first_nondeterministic(connection, nodes):
        raise QueryError(
            f"--where must choose the same regions every time, so it may not use {name}; "
            "use columns of the rows"
        )
