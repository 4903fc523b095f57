"""The numbers of a report on pseudo-labels, each asked of the store in SQL."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline import sql
from pipeline.store import catalog
from schemas.pseudo_labels import PSEUDO_LABELS

if TYPE_CHECKING:
    from collections.abc import Mapping

QUESTIONS: Final = Path(__file__).parent / "questions"
_GATHERED: Final = "judged"  # the question whose answer the others are asked of
_DRAWN: Final = """
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
class Numbers:
    """Answers to the questions in `questions/`.

    Attributes:
        address: The pseudo-labels they are about.
        where: What else had to hold of them; None for nothing.
        answers: Rows by question.
    """

    address: str
    where: str | None
    answers: Mapping[str, list[Row]]

    def __getitem__(self, question: str) -> list[Row]:
        return self.answers[question]

    @property
    def counts(self) -> Row:
        """The one row of the question `counts`."""
        return self.answers["counts"][0]

    @property
    def drawn(self) -> Row:
        """The one row of the question `drawn`."""
        return self.answers["drawn"][0]

    @property
    def judged(self) -> bool:
        """Whether people drew objects on the labelled images."""
        return bool(self.drawn["objects"])


def gather(root: Path, labels: str | None = None, where: str | None = None) -> Numbers:
    """Ask all questions about an artifact of pseudo-labels.

    Labels are joined with captions and ground truth once, into a table of DuckDB's own that goes
    to disk if it does not fit; a label is right if its concept is the category's very name.

    Args:
        root: The store.
        labels: As pseudo_labels@3f9c, or a selection's name; default: the newest.
        where: SQL predicate over judged_labels: the labels to report on.

    Raises:
        ArtifactNotFoundError: If there are no such labels.
        ArtifactError: If their images or names are not in the store any more.
        OptionError: If `labels` names another table.
        QueryError: If the predicate is none, or fails.
    """
    artifact = catalog.of_table(root, PSEUDO_LABELS, labels)
    for table in ("images", "concept_embeddings"):
        catalog.made_from(artifact, table)
    with sql.connect(root, [artifact.address]) as connection:
        condition = "true"
        if where is not None:
            sql.check_predicate(connection, where)
            condition = where
        gathered = f"{questions()[_GATHERED]} WHERE (\n{condition}\n)"
        sql.create_table(connection, _GATHERED, gathered)
        sql.create_table(connection, "drawn", _DRAWN)
        sql.create_table(connection, "pool", "SELECT concept FROM __labelled_concepts")
        answers = {
            question: sql.batches(sql.query(connection, statement)).read_all().to_pylist()
            for question, statement in questions().items()
            if question != _GATHERED
        }
    return Numbers(artifact.address, where, answers)


def questions() -> dict[str, str]:
    """The statement of each question, by name."""
    return {path.stem: path.read_text("utf-8") for path in sorted(QUESTIONS.glob("*.sql"))}
