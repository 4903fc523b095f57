"""Recall of proposals: the share of ground-truth boxes that some proposal covers, as counts.

Matching is greedy and one to one: the pair with the highest IoU is matched first, then the best
of the remaining pairs, and so on. One matching serves all thresholds.

Source: box proposal evaluation as in detectron2's `_evaluate_box_proposals` (its greedy order);
thresholds of COCO's AR.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stages.geometry import pairwise_iou

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

IOU_THRESHOLDS: Final = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)  # IoU
AR_PROPOSALS: Final = 100  # first proposals of an image, which count for AR@100


@dataclass
class RecallCounts:
    """How many objects were covered, as integers: the sum over parts is the count of the whole.

    Attributes:
        objects: Ground-truth objects.
        hits_50: Objects covered at IoU 0.5 by any proposal.
        ar100_hits: Objects covered by the first `AR_PROPOSALS`, at each of `IOU_THRESHOLDS`.
    """

    objects: int = 0
    hits_50: int = 0
    ar100_hits: list[int] = field(default_factory=lambda: [0] * len(IOU_THRESHOLDS))

    def add(self, proposals: NDArray[np.float32], objects: NDArray[np.float32]) -> None:
        """Count one image: proposals (R, 4), best first, and objects (G, 4) without crowds."""
        ious = matched_ious(proposals, objects)  # (G,)
        first_ious = matched_ious(proposals[:AR_PROPOSALS], objects)
        self.objects += len(objects)
        self.hits_50 += int((ious >= IOU_THRESHOLDS[0]).sum())
        for k, threshold in enumerate(IOU_THRESHOLDS):
            self.ar100_hits[k] += int((first_ious >= threshold).sum())

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON values; `recall_and_ar100` turns them into shares."""
        return asdict(self)


def matched_ious(
    proposals: NDArray[np.float32], objects: NDArray[np.float32]
) -> NDArray[np.float64]:
    """IoU of each object with the proposal matched to it; 0 if that is below `IOU_THRESHOLDS[0]`.

    Args:
        proposals: (R, 4) boxes.
        objects: (G, 4) boxes.

    Returns:
        (G,) in [0, 1].
    """
    iou = pairwise_iou(objects.astype(np.float64), proposals.astype(np.float64))  # (G, R)
    matched = np.zeros(len(objects))
    used: set[int] = set()
    pairs = np.argwhere(iou >= IOU_THRESHOLDS[0])
    for g, r in pairs[np.argsort(-iou[tuple(pairs.T)], kind="stable")].tolist():
        if matched[g] == 0 and r not in used:
            matched[g] = iou[g, r]
            used.add(r)
    return matched


def recall_and_ar100(counts: Mapping[str, Any]) -> tuple[float, float]:
    """Recall at IoU 0.5 and AR@100 from summed counts; NaN without objects.

    >>> recall_and_ar100({"objects": 4, "hits_50": 3, "ar100_hits": [2] * 10})
    (0.75, 0.5)
    """
    objects = int(counts["objects"])
    if objects == 0:
        return float("nan"), float("nan")
    return counts["hits_50"] / objects, sum(counts["ar100_hits"]) / len(IOU_THRESHOLDS) / objects
