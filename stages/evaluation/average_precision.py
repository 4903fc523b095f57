"""Average precision as COCO defines it, counted by faster-coco-eval.

Shapes: T IoU thresholds, Q recall points, K categories, A sizes.

Source: Lin et al., Microsoft COCO (arXiv:1405.0312); the precision of a split is averaged as the
published RegionCLIP evaluation does: over recall points and categories together, leaving out
categories without objects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from stages.evaluation.matching import is_of_size
from stages.evaluation.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from stages.evaluation.detection_records import DetectionRecords
    from stages.evaluation.vocabulary import Vocabulary

_AR_DETECTIONS = 100  # of an image, in AR100, whatever the limit of AP
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


def count_precision(
    records: DetectionRecords, num_categories: int, max_detections: int
) -> PrecisionRecall:
    """Match detections with objects and count precision at each recall.

    Args:
        records: Objects and detections of at least one image.
        num_categories: K.
        max_detections: Limit for AP, of each image and category.
    """
    ground_truth = _coco_index(records, records.objects, num_categories)
    detections = _coco_index(records, list(_coco_detections(records)), num_categories)
    evaluation = COCOeval_faster(ground_truth, detections, "bbox")
    evaluation.params.maxDets = sorted({_AR_DETECTIONS, max_detections})
    evaluation.evaluate()
    evaluation.accumulate()
    limits = evaluation.params.maxDets
    at, counts = limits.index(max_detections), evaluation.eval
    return PrecisionRecall(  # the last axis is the limit of detections
        precision=counts["precision"][..., at],
        recall=counts["recall"][..., limits.index(_AR_DETECTIONS)],
        objects=count_objects(records, num_categories),
        score=np.maximum(counts["scores"][_AP50, :, :, 0, at], 0.0),
    )


def count_objects(records: DetectionRecords, num_categories: int) -> NDArray[np.int64]:
    """How many objects of each category and size there are, crowds left out; (K, A)."""
    objects = records.arrays().ground_truth
    counted = ~objects.is_crowd & is_of_size(objects.area)  # (A, N)
    return np.stack(
        [np.bincount(objects.category[own], minlength=num_categories) for own in counted], axis=1
    )


def _coco_index(
    records: DetectionRecords, annotations: list[dict[str, Any]], num_categories: int
) -> Any:
    index = COCO()
    categories = [{"id": k, "name": str(k)} for k in range(num_categories)]
    index.dataset = {
        "images": records.images,
        "annotations": annotations,
        "categories": categories,
    }
    index.createIndex()
    return index


def _coco_detections(records: DetectionRecords) -> Iterator[dict[str, Any]]:
    """The detections as COCO has them, without the outlines that COCO's own loader adds."""
    for number, row in enumerate((row for rows in records.detections for row in rows), start=1):
        image, x, y, width, height, score, category = row.tolist()
        yield {
            "id": number,
            "image_id": int(image),
            "category_id": int(category),
            "bbox": [x, y, width, height],
            "area": width * height,
            "iscrowd": 0,
            "score": score,
        }
