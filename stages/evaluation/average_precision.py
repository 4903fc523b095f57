"""Average precision as COCO defines it, counted by faster-coco-eval.

Shapes: N objects and M detections of an image, T IoU thresholds, Q recall points, K categories.

Source: Lin et al., Microsoft COCO (arXiv:1405.0312); the precision of a split is averaged as the
published RegionCLIP evaluation does: over recall points and categories together, leaving out
categories without objects.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from schemas.boxes import to_xywh
from stages.evaluation.metrics import Metric

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from stages.evaluation.vocabulary import Vocabulary

_AR_DETECTIONS = 100  # of an image, in AR100 whatever AP is allowed
_AP50, _AP75 = 0, 5  # places among the thresholds 0.50, 0.55, ... 0.95


@dataclass
class Ledger:
    """Objects and detections of all images, gathered image by image."""

    images: list[dict[str, Any]] = field(default_factory=list)
    objects: list[dict[str, Any]] = field(default_factory=list)
    detections: list[NDArray[np.float64]] = field(default_factory=list)

    def add_image(self, width: int, height: int) -> None:
        """Begin the next image; what is added belongs to it."""
        self.images.append({"id": len(self.images) + 1, "width": width, "height": height})

    def add_objects(
        self,
        boxes: NDArray[np.float32],
        category: Sequence[int],
        area: Sequence[float],
        is_crowd: Sequence[bool],
    ) -> None:
        """Add ground truth; a crowd is neither missed nor mistaken. Boxes (N, 4), the rest (N,)."""
        for box, k, size, crowd in zip(to_xywh(boxes), category, area, is_crowd, strict=True):
            self.objects.append(
                {
                    "id": len(self.objects) + 1,  # 0 would read as "matched with nothing"
                    "image_id": len(self.images),
                    "category_id": int(k),
                    "bbox": [float(value) for value in box],
                    "area": float(size),
                    "iscrowd": int(crowd),
                }
            )

    def add_detections(
        self, boxes: NDArray[np.float32], category: NDArray[np.int64], score: NDArray[np.float64]
    ) -> None:
        """Add what was said about the image. Boxes (M, 4), the rest (M,)."""
        image = np.full((len(boxes), 1), len(self.images), dtype=np.float64)
        self.detections.append(np.column_stack([image, to_xywh(boxes), score, category]))


@dataclass(frozen=True)
class Precision:
    """What is left of an evaluation once it is counted; -1 where a category has no objects.

    Attributes:
        precision: (T, Q, K) at all sizes and the number of detections AP is allowed.
        recall: (T, K) at all sizes and 100 detections.
        objects: (K,) how many objects, crowds left out.
    """

    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    objects: NDArray[np.int64]

    def metrics(self, vocabulary: Vocabulary, *, with_recall: bool) -> list[Metric]:
        """AP, AP50, AP75 and if asked AR100 of each split; AP and AP50 of each category."""
        metrics = [
            metric
            for split, ids in vocabulary.splits.items()
            for metric in self._of(ids, split, "", with_recall)
        ]
        for k, name in enumerate(vocabulary.names):
            metrics += [m for m in self._of([k], "all", name, False) if m.metric != "AP75"]
        return metrics

    def _of(self, ids: list[int], split: str, category: str, with_recall: bool) -> list[Metric]:
        count = int(self.objects[ids].sum())
        if count == 0:
            return []
        chosen = self.precision[:, :, ids]
        values = {"AP": chosen, "AP50": chosen[_AP50], "AP75": chosen[_AP75]}
        if with_recall:
            values["AR100"] = self.recall[:, ids]
        return [
            Metric(name, split, category, float(value[value > -1].mean()), count)
            for name, value in values.items()
        ]


def count_precision(ledger: Ledger, num_categories: int, max_detections: int) -> Precision:
    """Match detections with objects and count precision at each recall.

    Args:
        ledger: Everything that was gathered; needs at least one image.
        num_categories: K.
        max_detections: Of an image and category, as many as AP looks at.
    """
    truth = _index(ledger, ledger.objects, num_categories)
    found = _index(ledger, list(_detections(ledger)), num_categories)
    evaluation = COCOeval_faster(truth, found, "bbox")
    evaluation.params.maxDets = sorted({_AR_DETECTIONS, max_detections})
    evaluation.evaluate()
    evaluation.accumulate()
    looked_at = evaluation.params.maxDets
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]
    return Precision(  # the last two axes: sizes, of which 0 is all; detections
        precision=precision[:, :, :, 0, looked_at.index(max_detections)],
        recall=recall[:, :, 0, looked_at.index(_AR_DETECTIONS)],
        objects=_objects_of(ledger, num_categories),
    )


def _index(ledger: Ledger, annotations: list[dict[str, Any]], num_categories: int) -> Any:
    index = COCO()
    categories = [{"id": k, "name": str(k)} for k in range(num_categories)]
    index.dataset = {
        "images": ledger.images,
        "annotations": annotations,
        "categories": categories,
    }
    index.createIndex()
    return index


def _detections(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """The detections as COCO has them, without the outlines its own loader would add."""
    for number, row in enumerate((row for rows in ledger.detections for row in rows), start=1):
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


def _objects_of(ledger: Ledger, num_categories: int) -> NDArray[np.int64]:
    counted = [o["category_id"] for o in ledger.objects if not o["iscrowd"]]
    return np.bincount(np.array(counted, dtype=np.int64), minlength=num_categories)
