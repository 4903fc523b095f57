"""Precision-recall curves at IoU 0.5, of every split and every category.

Shapes: Q recall points, K categories.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from schemas.curves import CURVES
from stages.evaluation.matching import RECALLS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from stages.evaluation.average_precision import PrecisionRecall
    from stages.evaluation.vocabulary import Vocabulary


def split_curves(
    precision: PrecisionRecall, splits: Mapping[str, Sequence[int]]
) -> dict[str, NDArray[np.float64]]:
    """Mean precision (Q,) of the categories of each split that have objects; their mean is AP50."""
    curves = {}
    for split, ids in splits.items():
        known = [k for k in ids if precision.objects[k, 0]]
        if known:
            curves[split] = np.asarray(precision.precision[0, :, known, 0].mean(axis=0))
    return curves


def curve_rows(precision: PrecisionRecall, vocabulary: Vocabulary) -> pa.RecordBatch:
    """Rows of `CURVES`: splits, then categories, each by rising recall."""
    curves = [
        (split, "", values, np.zeros(len(RECALLS)))
        for split, values in split_curves(precision, vocabulary.splits).items()
    ]
    curves += [
        ("all", vocabulary.names[k], precision.precision[0, :, k, 0], precision.score[:, k])
        for k in np.flatnonzero(precision.objects[:, 0])
    ]
    count = len(RECALLS)
    score = np.concatenate([np.zeros(0), *(values for *_, values in curves)])
    return CURVES.batch(
        {
            "split": np.repeat([split for split, *_ in curves], count).tolist(),
            "category": np.repeat([name for _, name, *_ in curves], count).tolist(),
            "recall": np.tile(RECALLS, len(curves)).astype(np.float32),
            "precision": np.concatenate([np.zeros(0), *(values for *_, values, _ in curves)]),
            "score": pa.array(score.astype(np.float32), mask=score == 0),
        }
    )
