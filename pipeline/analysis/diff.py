"""Diff: compare two sets of pseudo-labels, region by region."""

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
    """Agreement of two artifacts of pseudo-labels.

    Attributes:
        first: Address of the first.
        second: Address of the second.
        summary: Number of labels of each and of both; agreement, among all and among those kept
            by both; mean change of probability where they agree.
        moved: Pairs of concepts with the number of regions that changed from one to the other.
        examples: Regions whose concept changed, those of highest probability in both first.
        concepts: Concepts whose number of regions changed most.
    """

    first: str
    second: str
    summary: pa.Table
    moved: pa.Table
    examples: pa.Table
    concepts: pa.Table


def diff_labels(root: Path, first: str, second: str) -> LabelDiff:
    """Compare two artifacts of pseudo-labels, region by region.

    Regions are equal if they have the same box in the same image, so labels of different
    artifacts of proposals can be compared too.

    Raises:
        ArtifactNotFoundError: If one of them does not exist.
        OptionError: If one is not an artifact of pseudo-labels.
        ArtifactError: If they have no region in common.
    """
    artifacts = [catalog.of_table(root, PSEUDO_LABELS, name) for name in (first, second)]
    names = [f"pseudo_labels@{artifact.manifest.fingerprint[:12]}" for artifact in artifacts]
    with sql.connect(root, names=list(dict.fromkeys(names))) as connection:

        def run(statement: str) -> pa.Table:
            filled = _PAIRED.format(first=names[0], second=names[1]) + statement
            return sql.batches(sql.query(connection, filled)).read_all()

        summary = run(_SUMMARY)
        if not summary.column("shared")[0].as_py():
            raise ArtifactError(
                f"{artifacts[0].address} and {artifacts[1].address} have no region in common: "
                f"they have different images or different boxes"
            )
        return LabelDiff(
            artifacts[0].address,
            artifacts[1].address,
            summary,
            run(_MOVED.format(shown=_SHOWN)),
            run(_EXAMPLES.format(shown=_SHOWN)),
            run(_CONCEPTS.format(shown=_SHOWN)),
        )


def as_json(diff: LabelDiff) -> dict[str, Any]:
    """The difference as plain values."""
    lists = {name: getattr(diff, name).to_pylist() for name in ("moved", "examples", "concepts")}
    return {
        "first": diff.first,
        "second": diff.second,
        **diff.summary.to_pylist()[0],
        **lists,
    }


_PAIRED: Final = """
WITH a AS (FROM "{first}"), b AS (FROM "{second}"),
paired AS (
    SELECT image_id, a.region, a.concept AS a_concept, b.concept AS b_concept,
           a.probability AS a_probability, b.probability AS b_probability,
           a.kept AND b.kept AS kept, x0, y0, x1, y1
    FROM a JOIN b USING (image_id, x0, y0, x1, y1)
    QUALIFY row_number() OVER (  -- an image may have equal boxes
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
FROM paired
"""
_MOVED: Final = """
SELECT a_concept AS from_concept, b_concept AS to_concept, count(*) AS regions
FROM paired WHERE a_concept != b_concept
GROUP BY ALL ORDER BY regions DESC, from_concept, to_concept LIMIT {shown}
"""
_EXAMPLES: Final = """
SELECT image_id, region, a_concept AS from_concept, a_probability AS from_probability,
       b_concept AS to_concept, b_probability AS to_probability
FROM paired WHERE a_concept != b_concept
QUALIFY row_number() OVER (  -- one of each pair of concepts
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
