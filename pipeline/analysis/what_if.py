"""What if: what thresholds would keep of the pseudo-labels, before anything is chosen."""

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
    """What a pseudo-label must be above to be kept; None asks nothing."""

    probability: float | None = None
    margin: float | None = None
    objectness: float | None = None
    cosine: float | None = None

    def predicate(self) -> str:
        """The condition as SQL over pseudo_labels, as `--where` takes it; true if none is set."""
        asked = [(f.name, getattr(self, f.name)) for f in fields(self)]
        return " AND ".join(f"{n} > {_digits(v)}" for n, v in asked if v is not None) or "true"


def _digits(value: float) -> str:
    """A threshold with all its digits: 0.9999999 is not 1."""
    return repr(float(value)).removesuffix(".0")


def grid(values: Mapping[str, Sequence[float]]) -> list[Thresholds]:
    """Every combination of the values given for each quantity, in order."""
    names = [name for name, given in values.items() if given]
    return [
        Thresholds(**dict(zip(names, chosen, strict=True)))
        for chosen in product(*(values[name] for name in names))
    ]


def forecast(
    root: Path, asked: Sequence[Thresholds], where: str | None = None, labels: str | None = None
) -> Iterator[pa.RecordBatch]:
    """A row for each combination of thresholds.

    Columns: where (the condition to copy), labels, share (of all labels), images, concepts,
    in_caption (share of those whose captions are known), and where people drew objects:
    on_objects (labels whose region overlaps an object by IoU 0.5), precision (share of those
    that name its category) and recall (share of objects that some label names rightly).

    Args:
        root: The store.
        asked: Thresholds, each on its own.
        where: A condition that holds beside all of them.
        labels: pseudo_labels@…, or a selection's name; default: the newest.

    Raises:
        QueryError: If the condition is no predicate.
    """
    address = catalog.of_table(root, PSEUDO_LABELS, labels).address
    with sql.connect(root, [address]) as connection:
        if where is not None:
            sql.check_columns(connection, where)
        drawn = _objects(connection)
        for thresholds in asked:
            condition = thresholds.predicate()
            if where is not None:
                condition = f"(\n{where}\n) AND {condition}" if condition != "true" else where
            yield from sql.batches(sql.query(connection, statement(condition, drawn)))


def statement(condition: str, drawn: int, judged: str = "judged_labels") -> str:
    """The question that `forecast` asks for one condition.

    Args:
        condition: SQL over the rows of `judged`.
        drawn: How many objects people drew; see `DRAWN`.
        judged: Where the labels are, beside the object that each overlaps.
    """
    quoted = condition.replace("'", "''")
    return _STATEMENT.format(condition=condition, quoted=quoted, drawn=drawn, judged=judged)


def _objects(connection: Any) -> int:
    asked = sql.query(connection, DRAWN)
    return int(sql.batches(asked).read_all().column(0)[0].as_py())


# Ground-truth objects in the images that have pseudo-labels, also of those that a selection left.
DRAWN: Final = """
SELECT coalesce(sum(len(objects)), 0) AS n
FROM __labelled_images SEMI JOIN __all_labels USING (image_id)
"""
# What `statement` reads of judged labels, small enough to be held in memory: 40 bytes a row.
JUDGED: Final = """
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
    CASE WHEN {drawn} > 0 THEN
        count(DISTINCT (image_id, object)) FILTER (concept = truth) / {drawn}
    END AS recall
FROM chosen
"""
