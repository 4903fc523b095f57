"""Difference: what two sets of pseudo-labels say of the same regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pipeline import sql
from pipeline.store import catalog
from schemas.errors import ArtifactError
from schemas.pseudo_labels import PSEUDO_LABELS

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

_SHOWN: Final = 20  # rows of a list


@dataclass(frozen=True)
class LabelDiff:
    """How two artifacts of pseudo-labels agree.

    Attributes:
        first: Address of the one.
        second: Address of the other.
        summary: Labels of each and of both; agreement, among all and among those kept by both;
            mean change of probability where they agree.
        moved: Concepts that regions moved from and to, most frequent first.
        examples: Regions that moved, those first of which both were surest.
        concepts: Concepts whose number of regions changed most.
    """

    first: str
    second: str
    summary: pa.Table
    moved: pa.Table
    examples: pa.Table
    concepts: pa.Table


def difference(root: Path, first: str, second: str) -> LabelDiff:
    """Compare two artifacts of pseudo-labels, region by region.

    Regions are the same if they have the same box in the same image, so labels of other
    proposals may be compared too.

    Raises:
        ArtifactNotFoundError: If one of them is not there.
        OptionError: If one is no pseudo-labels.
        ArtifactError: If they have no region in common.
    """
    found = [catalog.of_table(root, PSEUDO_LABELS, name) for name in (first, second)]
    names = [f"pseudo_labels@{artifact.manifest.fingerprint[:12]}" for artifact in found]
    with sql.connect(root, names=list(dict.fromkeys(names))) as connection:

        def ask(statement: str) -> pa.Table:
            filled = _BOTH.format(first=names[0], second=names[1]) + statement
            return sql.batches(sql.query(connection, filled)).read_all()

        summary = ask(_SUMMARY)
        if not summary.column("shared")[0].as_py():
            raise ArtifactError(
                f"{found[0].address} and {found[1].address} have no region in common: they are "
                f"about other images or other boxes"
            )
        return LabelDiff(
            found[0].address,
            found[1].address,
            summary,
            ask(_MOVED.format(shown=_SHOWN)),
            ask(_EXAMPLES.format(shown=_SHOWN)),
            ask(_CONCEPTS.format(shown=_SHOWN)),
        )


def as_json(found: LabelDiff) -> dict[str, Any]:
    """The difference as plain values."""
    lists = {name: getattr(found, name).to_pylist() for name in ("moved", "examples", "concepts")}
    return {
        "first": found.first,
        "second": found.second,
        **found.summary.to_pylist()[0],
        **lists,
    }


_BOTH: Final = """
WITH a AS (FROM "{first}"), b AS (FROM "{second}"),
both_ AS (
    SELECT image_id, a.region, a.concept AS a_concept, b.concept AS b_concept,
           a.probability AS a_probability, b.probability AS b_probability,
           a.kept AND b.kept AS kept, x0, y0, x1, y1
    FROM a JOIN b USING (image_id, x0, y0, x1, y1)
    QUALIFY row_number() OVER (  -- boxes may repeat within an image
        PARTITION BY image_id, a.region ORDER BY abs(a.region - b.region), b.region
    ) = 1
)
"""
_SUMMARY: Final = """
SELECT (SELECT count(*) FROM a) AS first_labels, (SELECT count(*) FROM b) AS second_labels,
       count(*) AS shared, avg((a_concept = b_concept)::INT) AS agreement,
       count(*) FILTER (kept) AS kept_by_both,
       avg((a_concept = b_concept)::INT) FILTER (kept) AS agreement_of_kept,
       avg(b_probability - a_probability) FILTER (a_concept = b_concept) AS mean_change
FROM both_
"""
_MOVED: Final = """
SELECT a_concept AS from_concept, b_concept AS to_concept, count(*) AS regions
FROM both_ WHERE a_concept != b_concept
GROUP BY ALL ORDER BY regions DESC, from_concept, to_concept LIMIT {shown}
"""
_EXAMPLES: Final = """
SELECT image_id, region, a_concept AS from_concept, a_probability AS from_probability,
       b_concept AS to_concept, b_probability AS to_probability
FROM both_ WHERE a_concept != b_concept
QUALIFY row_number() OVER (  -- one of each move
    PARTITION BY a_concept, b_concept
    ORDER BY least(a_probability, b_probability) DESC, image_id, region
) = 1
ORDER BY least(a_probability, b_probability) DESC, image_id, region LIMIT {shown}
"""
_CONCEPTS: Final = """
SELECT coalesce(x.concept, y.concept) AS concept, coalesce(x.n, 0) AS first_regions,
       coalesce(y.n, 0) AS second_regions
FROM (SELECT concept, count(*) AS n FROM a GROUP BY 1) AS x
FULL JOIN (SELECT concept, count(*) AS n FROM b GROUP BY 1) AS y ON x.concept = y.concept
WHERE coalesce(x.n, 0) != coalesce(y.n, 0)
ORDER BY abs(second_regions - first_regions) DESC, concept LIMIT {shown}
"""
