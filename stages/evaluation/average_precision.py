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

from stages.evaluation.matching import within
from stages.evaluation.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from stages.evaluation.detection_records import DetectionRecords
    from stages.evaluation.vocabulary import Vocabulary

_AR_DETECTIONS = 100  # of an image, in AR100 whatever AP is allowed
_AP50, _AP75 = 0, 5  # places among the thresholds 0.50, 0.55, ... 0.95
_OF_SIZE = {"APs": 1, "APm": 2, "APl": 3}  # places among the sizes


@dataclass(frozen=True)
class Precision:
    """What is left of an evaluation once it is counted; -1 where a category has no objects.

    Attributes:
        precision: (T, Q, K, A) at the number of detections AP is allowed.
        recall: (T, K, A) at `recall_at` detections.
        objects: (K, A) how many objects of each size, crowds left out.
        score: (Q, K) the lowest that reaches each recall at IoU 0.5; 0 where none does.
        recall_at: Detections of an image that recall is allowed.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    objects: NDArray[np.int64]
    score: NDArray[np.float64]
    recall_at: int = 100

    def metrics(self, vocabulary: Vocabulary, *, with_recall: bool) -> list[Metric]:
        """AP in all its forms and if asked AR of each split; AP and AP50 of each category.

        What there are no objects for has no row.
        """
        metrics = [
            metric
            for split, ids in vocabulary.splits.items()
            for metric in self._of_split(ids, split, with_recall)
        ]
        for k, name in enumerate(vocabulary.names):
            metrics += [
                Metric("AP", "all", name, *self._mean(self.precision[..., 0], [k])),
                Metric("AP50", "all", name, *self._mean(self.precision[_AP50, :, :, 0], [k])),
            ]
        return [metric for metric in metrics if metric.objects]

    def of_group(self, name: str, ids: list[int]) -> list[Metric]:
        """AP over some categories, under a name of its own; no row if they have no objects."""
        metric = Metric(name, "all", "", *self._mean(self.precision[..., 0], ids))
        return [metric] if metric.objects else []

    def _of_split(self, ids: list[int], split: str, with_recall: bool) -> Iterator[Metric]:
        usual = self.precision[..., 0]  # (T, Q, K)
        yield Metric("AP", split, "", *self._mean(usual, ids))
        yield Metric("AP50", split, "", *self._mean(usual[_AP50], ids))
        yield Metric("AP75", split, "", *self._mean(usual[_AP75], ids))
        for name, size in _OF_SIZE.items():
            yield Metric(name, split, "", *self._mean(self.precision[..., size], ids, size))
        if with_recall:
            yield Metric(f"AR{self.recall_at}", split, "", *self._mean(self.recall[..., 0], ids))

    def _mean(
        self, values: NDArray[np.float64], ids: list[int], size: int = 0
    ) -> tuple[float, int]:
        """Mean of what is known (..., K) of some categories, and how many objects they have."""
        chosen = values[..., ids]
        known = chosen[chosen > -1]
        return (float(known.mean()) if len(known) else 0.0), int(self.objects[ids, size].sum())


def count_precision(
    records: DetectionRecords, num_categories: int, max_detections: int
) -> Precision:
    """Match detections with objects and count precision at each recall.

    Args:
        records: Everything that was gathered; needs at least one image.
        num_categories: K.
        max_detections: Of an image and category, as many as AP looks at.
    """
    truth = _index(records, records.objects, num_categories)
    found = _index(records, list(_detections(records)), num_categories)
    evaluation = COCOeval_faster(truth, found, "bbox")
    evaluation.params.maxDets = sorted({_AR_DETECTIONS, max_detections})
    evaluation.evaluate()
    evaluation.accumulate()
    looked_at = evaluation.params.maxDets
    at, counts = looked_at.index(max_detections), evaluation.eval
    return Precision(  # the last axis: detections
        precision=counts["precision"][..., at],
        recall=counts["recall"][..., looked_at.index(_AR_DETECTIONS)],
        objects=objects_of(records, num_categories),
        score=np.maximum(counts["scores"][_AP50, :, :, 0, at], 0.0),
    )


def objects_of(records: DetectionRecords, num_categories: int) -> NDArray[np.int64]:
    """How many objects of each category and size there are, crowds left out; (K, A)."""
    drawn = records.arrays().drawn
    counted = ~drawn.is_crowd & within(drawn.area)  # (A, N)
    return np.stack(
        [np.bincount(drawn.category[own], minlength=num_categories) for own in counted], axis=1
    )


def _index(
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


def _detections(records: DetectionRecords) -> Iterator[dict[str, Any]]:
    """The detections as COCO has them, without the outlines its own loader would add."""
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
