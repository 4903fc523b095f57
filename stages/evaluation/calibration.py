"""Calibration: do scores say how often they are right?

Shapes: N scores, B bins.

Source: Guo et al., On Calibration of Modern Neural Networks (arXiv:1706.04599): the expected
calibration error, over bins of equal width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from schemas.calibration import CALIBRATION
from stages.evaluation.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.evaluation.matching import ObjectMatches

BINS: Final = 15


@dataclass(frozen=True)
class ScoredPredictions:
    """Scores and whether they were right, each (N,); `category` is whose split they count for."""

    score: NDArray[np.float64]
    right: NDArray[np.bool_]
    category: NDArray[np.int64]


@dataclass(frozen=True)
class Bins:
    """Scores by bin, each (B,): how many, their sum, and how many were right."""

    count: NDArray[np.float64]
    total: NDArray[np.float64]
    right: NDArray[np.float64]

    def error(self) -> float:
        """Expected calibration error: mean distance of score and accuracy; nan without scores."""
        number = self.count.sum()
        return float(np.abs(self.right - self.total).sum() / number) if number else float("nan")


def from_matches(matches: ObjectMatches) -> ScoredPredictions:
    """The detections that are right or wrong at IoU 0.5; those neither are left out."""
    kept = ~matches.ignored[0, 0]
    return ScoredPredictions(matches.score[kept], matches.hit[0, 0, kept], matches.category[kept])


def bin_of(score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin of each score, (N,); 1 and what is above falls into the last."""
    return np.clip((score * BINS).astype(np.int64), 0, BINS - 1)


def by_split(said: ScoredPredictions, splits: Mapping[str, Sequence[int]]) -> dict[str, Bins]:
    """The bins of each split that has scores."""
    place = bin_of(said.score)
    found = {}
    for split, ids in splits.items():
        own = np.isin(said.category, np.asarray(ids))
        if own.any():
            ones = np.ones(int(own.sum()))
            weights = (ones, said.score[own], said.right[own].astype(np.float64))
            sums = [np.bincount(place[own], weights=w, minlength=BINS) for w in weights]
            found[split] = Bins(*(each.astype(np.float64) for each in sums))
    return found


def errors(bins: Mapping[str, Bins]) -> list[Metric]:
    """The expected calibration error of each split, with how many scores it is over."""
    return [
        Metric("ECE", split, "", own.error(), int(own.count.sum())) for split, own in bins.items()
    ]


def calibration_rows(bins: Mapping[str, Bins]) -> pa.RecordBatch:
    """Rows of `CALIBRATION`; empty bins have none."""
    rows = [
        (split, k, k / BINS, (k + 1) / BINS, int(n), own.total[k] / n, own.right[k] / n)
        for split, own in bins.items()
        for k, n in enumerate(own.count.tolist())
        if n
    ]
    names = [column.name for column in CALIBRATION.columns]
    return CALIBRATION.batch({name: [row[at] for row in rows] for at, name in enumerate(names)})
