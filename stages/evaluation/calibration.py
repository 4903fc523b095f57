"""Calibration: whether predictions are correct as often as their scores promise.

Shapes: N predictions, B bins.

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
    """Scores, and whether each prediction is correct, all (N,); `category` decides the split."""

    score: NDArray[np.float64]
    correct: NDArray[np.bool_]
    category: NDArray[np.int64]


@dataclass(frozen=True)
class Bins:
    """Predictions by bin, each (B,): how many, the sum of scores, and how many are correct."""

    count: NDArray[np.float64]
    total: NDArray[np.float64]
    correct: NDArray[np.float64]

    def error(self) -> float:
        """Expected calibration error: mean distance of score and accuracy; nan if empty."""
        count = self.count.sum()
        return float(np.abs(self.correct - self.total).sum() / count) if count else float("nan")


def predictions_from_matches(matches: ObjectMatches) -> ScoredPredictions:
    """The detections that are right or wrong at IoU 0.5, without those that are neither."""
    kept = ~matches.ignored[0, 0]
    return ScoredPredictions(matches.score[kept], matches.hit[0, 0, kept], matches.category[kept])


def bin_indices(score: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin of each score, (N,); scores of 1 and above fall into the last."""
    return np.clip((score * BINS).astype(np.int64), 0, BINS - 1)


def split_bins(
    predictions: ScoredPredictions, splits: Mapping[str, Sequence[int]]
) -> dict[str, Bins]:
    """The bins of each split that has predictions."""
    index = bin_indices(predictions.score)
    bins = {}
    for split, ids in splits.items():
        member = np.isin(predictions.category, np.asarray(ids))
        if member.any():
            ones = np.ones(int(member.sum()))
            correct = predictions.correct[member].astype(np.float64)
            weights = (ones, predictions.score[member], correct)
            sums = [np.bincount(index[member], weights=w, minlength=BINS) for w in weights]
            bins[split] = Bins(*(column.astype(np.float64) for column in sums))
    return bins


def calibration_errors(bins: Mapping[str, Bins]) -> list[Metric]:
    """The expected calibration error of each split, and how many predictions it is over."""
    return [
        Metric("ECE", split, "", own.error(), int(own.count.sum())) for split, own in bins.items()
    ]


def calibration_rows(bins: Mapping[str, Bins]) -> pa.RecordBatch:
    """Rows of `CALIBRATION`; empty bins have no row."""
    rows = [
        (split, k, k / BINS, (k + 1) / BINS, int(n), own.total[k] / n, own.correct[k] / n)
        for split, own in bins.items()
        for k, n in enumerate(own.count.tolist())
        if n
    ]
    names = [column.name for column in CALIBRATION.columns]
    return CALIBRATION.batch({name: [row[i] for row in rows] for i, name in enumerate(names)})
