"""Statistics of pseudo-labels for a report, each the result of a SQL query."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline import sql
from pipeline.progress import Silent
from pipeline.store import catalog
from schemas.pseudo_labels import PSEUDO_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.progress import Reporter

QUERIES: Final = Path(__file__).parent / "queries"
_LABELS: Final = "judged"  # the query whose result is a table for the other queries
_GROUND_TRUTH: Final = """
SELECT
    image_id,
    (rank - 1)::INTEGER AS object,
    objects[rank].category AS category,
    objects[rank].area AS area
FROM (SELECT image_id, objects FROM __labelled_images SEMI JOIN __all_labels USING (image_id)),
    unnest(generate_series(1, len(objects))) AS ranks (rank)
"""

Row = dict[str, Any]


@dataclass(frozen=True)
class LabelStatistics:
    """Results of the queries in `queries/`.

    Attributes:
        address: Address of the pseudo-labels.
        where: Further condition on them; None for all.
        results: Rows of each query.
    """

    address: str
    where: str | None
    results: Mapping[str, list[Row]]

    def __getitem__(self, query: str) -> list[Row]:
        return self.results[query]

    @property
    def counts(self) -> Row:
        """The row of the query `counts`."""
        return self.results["counts"][0]

    @property
    def ground_truth(self) -> Row:
        """The row of the query `ground_truth`."""
        return self.results["ground_truth"][0]

    @property
    def has_ground_truth(self) -> bool:
        """Whether the labelled images have ground-truth objects."""
        return bool(self.ground_truth["objects"])


def collect_statistics(
    root: Path,
    labels: str | None = None,
    where: str | None = None,
    reporter: Reporter | None = None,
) -> LabelStatistics:
    """Run all queries on an artifact of pseudo-labels.

    Labels are joined with captions and ground truth once, into a temporary table of DuckDB that
    spills to disk if it is large; a label is correct if its concept equals the category's name.

    Args:
        root: The store.
        labels: As pseudo_labels@3f9c, or a selection's name; default: the newest.
        where: SQL predicate over judged_labels: the labels to report on.
        reporter: Told of each query that is answered.

    Raises:
        ArtifactNotFoundError: If there are no such labels.
        ArtifactError: If their images or embeddings are missing from the store.
        OptionError: If `labels` names another table.
        QueryError: If the predicate is not one, or fails.
    """
    artifact = catalog.of_table(root, PSEUDO_LABELS, labels)
    for table in ("images", "concept_embeddings"):
        catalog.made_from(artifact, table)
    with sql.connect(root, [artifact.address]) as connection:
        condition = "true"
        if where is not None:
            sql.check_predicate(connection, where)
            condition = where
        queries = read_queries()
        judged = f"{queries.pop(_LABELS)} WHERE (\n{condition}\n)"
        with sql.condition_limits(connection):
            sql.create_table(connection, _LABELS, judged)
        sql.create_table(connection, "ground_truth", _GROUND_TRUTH)
        sql.create_table(connection, "pool", "SELECT concept FROM __labelled_concepts")
        results = {}
        reporter = reporter or Silent()
        reporter.start("report", len(queries), "queries")
        try:
            for name, statement in queries.items():
                answer = sql.batches(sql.query(connection, statement))
                results[name] = answer.read_all().to_pylist()
                reporter.advance(1)
        finally:
            reporter.stop()
    return LabelStatistics(artifact.address, where, results)


def read_queries() -> dict[str, str]:
    """The statement of each query, by name."""
    return {path.stem: path.read_text("utf-8") for path in sorted(QUERIES.glob("*.sql"))}
