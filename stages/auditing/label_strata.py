"""What pseudo-labels are sorted by into strata, with those that a caption mentions apart.

Shapes: R labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from stages.auditing.strata import GroupedCount, NameCount

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.auditing.strata import Strata

Sorted = Literal["probability", "margin", "entropy", "cosine", "objectness", "size", "concept"]
_GROUPS: Final = ("in a caption", "in no caption", "captions unknown")
_DEVIATIONS: Final = (0.5, 0.25, 0.4)  # expected of a judgement, where half, 7 % or 20 % are right


def label_strata(by: Sorted) -> LabelRanges | LabelConcepts:
    """Strata of a quantity, or of concepts; nothing is counted yet."""
    return LabelConcepts() if by == "concept" else LabelRanges(by)


class LabelRanges:
    """Ranges of a quantity, of labels that a caption mentions and of others."""

    def __init__(self, column: str) -> None:
        self._column = column
        self._count = GroupedCount(_GROUPS)

    def add(self, rows: pa.RecordBatch) -> None:
        """Count R labels."""
        groups = _mentioned(rows)
        self._count.add(groups, self._values(rows), np.choose(groups, _DEVIATIONS))

    def divide(self, most: int) -> Strata:
        """About so many strata of what was counted."""
        return self._count.divide(most)

    def strata(self, rows: pa.RecordBatch) -> NDArray[np.int64]:
        """The stratum of each of R labels, after `divide`."""
        return self._count.strata(_mentioned(rows), self._values(rows))

    def _values(self, rows: pa.RecordBatch) -> NDArray[np.float64]:
        if self._column != "size":
            return _floats(rows, self._column)
        x0, y0, x1, y1 = (_floats(rows, name) for name in ("x0", "y0", "x1", "y1"))
        return (x1 - x0) * (y1 - y0)


class LabelConcepts:
    """The most frequent concepts, and all others together."""

    def __init__(self) -> None:
        self._count = NameCount()

    def add(self, rows: pa.RecordBatch) -> None:
        """Count R labels."""
        self._count.add(_ids(rows), np.choose(_mentioned(rows), _DEVIATIONS))

    def divide(self, most: int) -> Strata:
        """At most so many strata of what was counted."""
        return self._count.divide(most)

    def strata(self, rows: pa.RecordBatch) -> NDArray[np.int64]:
        """The stratum of each of R labels, after `divide`."""
        return self._count.strata(_ids(rows))


def _floats(rows: pa.RecordBatch, column: str) -> NDArray[np.float64]:
    known = rows.column(column).fill_null(1.0)  # a cosine is null where a person is certain
    values: NDArray[Any] = known.to_numpy(zero_copy_only=False)
    return values.astype(np.float64)


def _ids(rows: pa.RecordBatch) -> NDArray[np.int64]:
    ids: NDArray[Any] = rows.column("concept_id").to_numpy(zero_copy_only=False)
    return ids.astype(np.int64)


def _mentioned(rows: pa.RecordBatch) -> NDArray[np.int64]:
    """0 where a caption mentions the concept, 1 where none does, 2 where that is not known."""
    known = rows.column("in_caption")
    mentioned: NDArray[Any] = known.fill_null(False).to_numpy(zero_copy_only=False)
    unknown: NDArray[Any] = known.is_null().to_numpy(zero_copy_only=False)
    return np.where(unknown, 2, np.where(mentioned, 0, 1))
