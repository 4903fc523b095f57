"""Average precision as COCO defines it, from matches.

Shapes: T IoU thresholds, Q recall points, K categories, A sizes, M detections.

Source: Lin et al., Microsoft COCO (arXiv:1405.0312); the precision of a split is averaged as the
published RegionCLIP evaluation does: over recall points and categories together, leaving out
categories without objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stages.evaluation.matching import RECALLS, SIZES, THRESHOLDS
from stages.evaluation.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from stages.evaluation.matching import ObjectMatches
    from stages.evaluation.vocabulary import Vocabulary

AR_DETECTIONS: Final = 100  # of an image, in AR100, whatever the limit of AP
_AP50, _AP75 = 0, 5  # indices of thresholds in 0.50, 0.55, ... 0.95
_SIZE_INDEX = {"APs": 1, "APm": 2, "APl": 3}


@dataclass(frozen=True)
class PrecisionRecall:
    """Precision and recall of every category; -1 where a category has no objects.

    Attributes:
        precision: (T, Q, K, A) at each recall.
        recall: (T, K, A) with at most `recall_at` detections of an image.
        objects: (K, A) how many objects of each size, crowds left out.
        score: (Q, K) the score at which each recall is reached at IoU 0.5; 0 where it is not.
        recall_at: Limit of detections of an image for `recall`.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    objects: NDArray[np.int64]
    score: NDArray[np.float64]
    recall_at: int = 100

    def metrics(self, vocabulary: Vocabulary, *, with_recall: bool) -> list[Metric]:
        """AP in all its forms of each split, optionally AR; AP and AP50 of each category.

        Splits, sizes and categories without objects have no row.
        """
        metrics = [
            metric
            for split, ids in vocabulary.splits.items()
            for metric in self._split_metrics(ids, split, with_recall)
        ]
        for k, name in enumerate(vocabulary.names):
            metrics += [
                Metric("AP", "all", name, *self._mean(self.precision[..., 0], [k])),
                Metric("AP50", "all", name, *self._mean(self.precision[_AP50, :, :, 0], [k])),
            ]
        return [metric for metric in metrics if metric.objects]

    def group_metric(self, name: str, ids: list[int]) -> list[Metric]:
        """AP over some categories, called `name`; no row if they have no objects."""
        metric = Metric(name, "all", "", *self._mean(self.precision[..., 0], ids))
        return [metric] if metric.objects else []

    def _split_metrics(self, ids: list[int], split: str, with_recall: bool) -> Iterator[Metric]:
        all_sizes = self.precision[..., 0]  # (T, Q, K)
        yield Metric("AP", split, "", *self._mean(all_sizes, ids))
        yield Metric("AP50", split, "", *self._mean(all_sizes[_AP50], ids))
        yield Metric("AP75", split, "", *self._mean(all_sizes[_AP75], ids))
        for name, size in _SIZE_INDEX.items():
            yield Metric(name, split, "", *self._mean(self.precision[..., size], ids, size))
        if with_recall:
            yield Metric(f"AR{self.recall_at}", split, "", *self._mean(self.recall[..., 0], ids))

    def _mean(
        self, values: NDArray[np.float64], ids: list[int], size: int = 0
    ) -> tuple[float, int]:
        """Mean of values (..., K) over some categories, without -1, and their number of objects."""
        selected = values[..., ids]
        known = selected[selected > -1]
        return (float(known.mean()) if len(known) else 0.0), int(self.objects[ids, size].sum())


def precision_from_matches(
    matches: ObjectMatches, max_detections: int, recall_at: int = AR_DETECTIONS
) -> PrecisionRecall:
    """Precision at each recall, from matches.

    Args:
        matches: Of as many detections of each image and category as either limit, if it has them.
        max_detections: Limit for AP, of each image and category.
        recall_at: The same for AR.
    """
    objects = count_objects(matches)
    shape = (len(THRESHOLDS), len(RECALLS), matches.num_categories, len(SIZES))
    precision, score = -np.ones(shape), np.zeros(shape[1:3])
    ranking = _Ranking(matches.first(max_detections))
    for a in range(len(SIZES)):
        present = np.flatnonzero(objects[:, a])
        # the hit at which each recall is reached, from 0; at recall 0 the first one
        reached = {
            k: np.searchsorted(np.arange(1, n + 1) / n, RECALLS)
            for k, n in zip(present.tolist(), objects[present, a].tolist(), strict=True)
        }
        for t in range(len(THRESHOLDS)):
            for k, curve in ranking.precision_at_hits(t, a, reached):
                precision[t, :, k, a] = _at(curve, reached[k])
        if a == 0:
            for k, at_hits in ranking.score_at_hits(_AP50, a, reached):
                score[:, k] = _at(at_hits, reached[k])
                score[0, k] = ranking.highest_score(k)
    recall = _recall(matches.first(recall_at), objects)
    return PrecisionRecall(precision, recall, objects, score, recall_at)


class _Ranking:
    """Detections of all categories by falling score, (M,), and what is counted along them.

    A precision is highest at a hit, so that hits are all that need to be looked at.
    """

    def __init__(self, matches: ObjectMatches) -> None:
        order, self._begins = matches.ranked()
        self._hit, self._ignored = matches.hit[..., order], matches.ignored[..., order]
        self._score = matches.score[order]

    def precision_at_hits(
        self, t: int, a: int, categories: Iterable[int]
    ) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Of each category: the highest precision at or behind each of its hits."""
        at, first = self._hits(t, a)
        judged = np.cumsum(~self._ignored[t, a])
        before = np.append(0, judged)[self._begins]
        judged = judged[at]
        for k in categories:
            own = judged[first[k] : first[k + 1]] - before[k]
            precision = np.arange(1, len(own) + 1) / own
            yield k, np.maximum.accumulate(precision[::-1])[::-1]

    def score_at_hits(
        self, t: int, a: int, categories: Iterable[int]
    ) -> Iterator[tuple[int, NDArray[np.float64]]]:
        """Of each category: the score of each of its hits."""
        at, first = self._hits(t, a)
        for k in categories:
            yield k, self._score[at[first[k] : first[k + 1]]]

    def highest_score(self, k: int) -> float:
        """Of the detections of a category; 0 if there are none."""
        begin, end = self._begins[k : k + 2]
        return float(self._score[begin]) if begin < end else 0.0

    def _hits(self, t: int, a: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Positions of the hits, and the first of each category among them (K + 1,)."""
        at = np.flatnonzero(self._hit[t, a])
        return at, np.searchsorted(at, self._begins)


def _at(values: NDArray[np.float64], places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Values at places; 0 behind the last."""
    return np.append(values, 0.0)[np.minimum(places, len(values))]


def count_objects(matches: ObjectMatches) -> NDArray[np.int64]:
    """How many objects of each category and size there are, crowds left out; (K, A)."""
    return _by_category(matches.object_category, matches.counted, matches.num_categories).T


def _recall(matches: ObjectMatches, objects: NDArray[np.int64]) -> NDArray[np.float64]:
    """Share of the objects (K, A) that were found, (T, K, A); -1 where there are none."""
    found = np.stack(
        [_by_category(matches.category, hit, matches.num_categories).T for hit in matches.hit]
    )
    return np.where(objects > 0, found / np.maximum(objects, 1), -1.0)


def _by_category(
    category: NDArray[np.int64], chosen: NDArray[np.bool_], num_categories: int
) -> NDArray[np.int64]:
    """How many of N are chosen (A, N) of each category, (A, K)."""
    return np.stack([np.bincount(category[own], minlength=num_categories) for own in chosen])
