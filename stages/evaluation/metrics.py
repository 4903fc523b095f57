"""Metrics as rows; top-1 and top-5 accuracy of classified boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from schemas.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.evaluation.vocabulary import Vocabulary


class Metric(NamedTuple):
    """A row of `METRICS`: one number, and how many objects it was measured over."""

    metric: str
    split: str
    category: str
    value: float
    objects: int


def metric_rows(metrics: Sequence[Metric]) -> pa.RecordBatch:
    """The metrics as rows, in the order of their table's key."""
    ordered = sorted(metrics)
    names = [column.name for column in METRICS.columns]
    return METRICS.batch({n: [metric[i] for metric in ordered] for i, n in enumerate(names)})


def accuracy(
    truth: NDArray[np.int64], rank: NDArray[np.int64], vocabulary: Vocabulary
) -> list[Metric]:
    """Top-1 and top-5 of each split, top-1 of each category, and the mean of the latter.

    A split counts the objects of its categories; each is classified among the whole vocabulary.
    Splits and categories without objects have no row.

    Args:
        truth: (N,) category ids.
        rank: (N,) rank of the true category among all, 0 is best.
        vocabulary: Names and splits.
    """
    ranks = {int(k): rank[truth == k] for k in np.unique(truth)}
    metrics = [
        Metric("top1", "all", vocabulary.names[k], float((own < 1).mean()), len(own))
        for k, own in ranks.items()
    ]
    for split, ids in vocabulary.splits.items():
        own = rank[np.isin(truth, ids)]
        if not len(own):
            continue
        means = [float((ranks[k] < 1).mean()) for k in ids if k in ranks]
        metrics += [
            Metric("top1", split, "", float((own < 1).mean()), len(own)),
            Metric("top5", split, "", float((own < 5).mean()), len(own)),
            Metric("top1_macro", split, "", float(np.mean(means)), len(own)),
        ]
    return metrics
