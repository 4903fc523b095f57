"""The stage on a file of reviews and a small export, without a store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.reviews import REVIEWS
from stages.import_reviews import ImportReviews
from stages.outcome import Result
from tests.in_memory import InMemory
from tests.stages.reviewing.small_export import LABELS

if TYPE_CHECKING:
    from pathlib import Path

LABEL_ROWS = [
    {"image_id": f"image/{number}", "region": region, "concept_id": category}
    for number, labels in LABELS.items()
    for region, (category, *_) in enumerate(labels)
]


def imported(
    file: Path, folder: Path, rows: Any = None, **options: Any
) -> tuple[list[dict[str, Any]], list[str], InMemory]:
    """Rows, what is said of them, and the part."""
    labels = pa.Table.from_pylist(LABEL_ROWS if rows is None else rows)
    labels = labels.cast(pa.schema([REVIEWS.arrow.field(name) for name in labels.column_names]))
    part = InMemory({"pseudo_labels": labels})
    stage = ImportReviews(called="first", file=file, exported=folder, **options)
    found: list[dict[str, Any]] = []
    for batch in stage.run(part):
        REVIEWS.check(batch)
        found += batch.to_pylist()
    outcome = stage.outcome(Result(len(found), {}, part.notes))
    return found, [*outcome.summary, outcome.empty or "", *outcome.losses], part
