"""Pseudo-labels as people decided: confirmed, renamed, with another box, or left out."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.compute as pc

from stages.selecting.changed_labels import given, replaced

if TYPE_CHECKING:
    from stages.selecting.changed_labels import Row
    from stages.selecting.decisions import Decision, Decisions

_LEFT_OUT: Final = "left out"


class ReviewedLabels:
    """Applies decisions to labels, and counts what became of them.

    Labels need not be those that were reviewed: of labels made anew from the same proposals and
    concepts, one that says what people said is right, and another becomes it.

    Args:
        decisions: About regions.
    """

    def __init__(self, decisions: Decisions) -> None:
        self._of = decisions.of
        self._images = pa.array(sorted({image for image, _ in decisions.of}), pa.string())
        self._counts: Counter[str] = Counter()

    def of(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Rows of `pseudo_labels`, as people decided about them, all kept.

        Of those that come without being kept, the ones that people decided stay.
        """
        among = pc.indices_nonzero(pc.is_in(rows.column("image_id"), value_set=self._images))
        some = rows.take(among)
        keys = zip(
            some.column("image_id").to_pylist(), some.column("region").to_pylist(), strict=True
        )
        found = [(place, d) for place, key in enumerate(keys) if (d := self._of.get(key))]
        decided = some.take(pa.array([place for place, _ in found], pa.int64())).to_pylist()
        changed: dict[int, Row | None] = {}
        for (place, decision), row in zip(found, decided, strict=True):
            row_now = _decided(row, decision)
            if row_now is not row:
                changed[among[place].as_py()] = row_now
                self._counts[row_now["reviewed"] if row_now else _LEFT_OUT] += 1
        result = replaced(rows, changed)
        return result.filter(result.column("kept"))

    def counts(self) -> dict[str, int]:
        """How many labels by what became of them, in words of `schemas.pseudo_labels.REVIEWED`."""
        return dict(sorted(self._counts.items()))


def _decided(row: Row, decision: Decision) -> Row | None:
    """A label as people decided; None if it is left out, itself if they said nothing of it."""
    if decision.concept_id is None:
        about = decision.nothing_known or row["concept_id"] == decision.judged
        return None if about else row
    if decision.concept_id == row["concept_id"] and decision.box is None:
        return row | {"kept": True, "reviewed": row["reviewed"] or "right"}
    return given(row, decision.concept_id, decision.box)
