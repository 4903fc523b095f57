"""What-if: which pseudo-labels given thresholds would keep."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import product
from typing import TYPE_CHECKING, Any, Final

from pipeline import sql
from pipeline.store import catalog
from schemas.pseudo_labels import PSEUDO_LABELS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """Lower limits, exclusive, of a pseudo-label that is kept; None is no limit."""

    probability: float | None = None
    margin: float | None = None
    objectness: float | None = None
    cosine: float | None = None

    def predicate(self) -> str:
        """The condition as SQL over pseudo_labels, for `--where`; `true` if no limit is set."""
        limits = [(f.name, getattr(self, f.name)) for f in fields(self)]
        return " AND ".join(f"{n} > {_digits(v)}" for n, v in limits if v is not None) or "true"


def _digits(value: float) -> str:
    """A threshold with all its digits: 0.9999999 is not 1."""
    return repr(float(value)).removesuffix(".0")


def grid(values: Mapping[str, Sequence[float]]) -> list[Thresholds]:
    """Every combination of the values of each quantity, in order."""
    names = [name for name, limits in values.items() if limits]
    return [
        Thresholds(**dict(zip(names, chosen, strict=True)))
        for chosen in product(*(values[name] for name in names))
    ]


def forecast(
    root: Path,
    thresholds: Sequence[Thresholds],
    where: str | None = None,
    labels: str | None = None,
) -> Iterator[pa.RecordBatch]:
    """A row of statistics for each of the thresholds.

    Columns: where (the condition), labels, share (of all labels), images, concepts, in_caption
    (share of those whose captions are known), and, if images have ground truth: on_objects
    (labels whose region overlaps an object by IoU 0.5), precision (share of those with its
    category) and recall (share of objects with a label of their category).

    Args:
        root: The store.
        thresholds: Each gives one row.
        where: A further condition for all rows.
        labels: pseudo_labels@…, or a selection's name; default: the newest.

    Raises:
        QueryError: If the condition is not a predicate.
    """
    address = catalog.of_table(root, PSEUDO_LABELS, labels).address
    with sql.connect(root, [address]) as connection:
        if where is not None:
            sql.check_columns(connection, where)
        num_objects = _count_objects(connection)
        for limits in thresholds:
            condition = limits.predicate()
            if where is not None:
                condition = f"(\n{where}\n) AND {condition}" if condition != "true" else where
            yield from sql.chosen(connection, statement(condition, num_objects))


def statement(condition: str, num_objects: int, judged: str = "judged_labels") -> str:
    """The SQL statement of `forecast` for one condition.

    Args:
        condition: SQL over the rows of `judged`.
        num_objects: Number of ground-truth objects; see `COUNT_OBJECTS`.
        judged: Table or view of the labels with the ground-truth object that each overlaps.
    """
    quoted = condition.replace("'", "''")
    return _STATEMENT.format(
        condition=condition, quoted=quoted, num_objects=num_objects, judged=judged
    )


def _count_objects(connection: Any) -> int:
    result = sql.query(connection, COUNT_OBJECTS)
    return int(sql.batches(result).read_all().column(0)[0].as_py())


# Ground-truth objects of all images with pseudo-labels, also of those that a selection left out.
COUNT_OBJECTS: Final = """
SELECT coalesce(sum(len(objects)), 0) AS n
FROM __labelled_images SEMI JOIN __all_labels USING (image_id)
"""
# The columns that `statement` reads, small enough to be kept in memory: 40 bytes per row.
JUDGED_LABELS: Final = """
SELECT
    hash(image_id) AS image_id, concept_id, probability, margin, objectness, cosine, in_caption,
    object, truth, CASE WHEN truth IS NOT NULL THEN concept END AS concept
FROM judged_labels
"""
_STATEMENT: Final = """
WITH chosen AS (FROM {judged} WHERE (
{condition}
))
SELECT
    '{quoted}' AS "where",
    count(*) AS labels,
    count(*) / (SELECT greatest(count(*), 1) FROM _pseudo_labels) AS share,
    count(DISTINCT image_id) AS images,
    count(DISTINCT concept_id) AS concepts,
    avg(in_caption::INT) AS in_caption,
    count(truth) AS on_objects,
    avg((concept = truth)::INT) FILTER (truth IS NOT NULL) AS precision,
    CASE WHEN {num_objects} > 0 THEN
        count(DISTINCT (image_id, object)) FILTER (concept = truth) / {num_objects}
    END AS recall
FROM chosen
"""
