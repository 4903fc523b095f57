"""Recall of proposals: the share of drawn objects that some box covers, as counts that add up.

Every object gets at most one box and every box at most one object: of all pairs the best is
matched first, then the best of what is left. One matching serves all thresholds.

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

THRESHOLDS: Final = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)  # IoU
AT: Final = 100  # proposals an image may use for AR@100


@dataclass
class RecallCounts:
    """What was found, as integers, so that counts of parts add up to those of the whole.

    Attributes:
        objects: Objects looked for.
        hits_50: Of these, covered at IoU 0.5 by any proposal.
        ar100_hits: Covered by one of the first `AT` proposals, at each of `THRESHOLDS`.
    """

    objects: int = 0
    hits_50: int = 0
    ar100_hits: list[int] = field(default_factory=lambda: [0] * len(THRESHOLDS))

    def add(self, proposals: NDArray[np.float32], objects: NDArray[np.float32]) -> None:
        """Count one image: proposals (R, 4), best first, and objects (G, 4) that are no crowds."""
        found = covered_ious(proposals, objects)  # (G,)
        first = covered_ious(proposals[:AT], objects)
        self.objects += len(objects)
        self.hits_50 += int((found >= THRESHOLDS[0]).sum())
        for k, threshold in enumerate(THRESHOLDS):
            self.ar100_hits[k] += int((first >= threshold).sum())

    def note(self) -> dict[str, Any]:
        """The counts as JSON; `shares` makes figures of them."""
        return asdict(self)


def covered_ious(
    proposals: NDArray[np.float32], objects: NDArray[np.float32]
) -> NDArray[np.float64]:
    """IoU of each object with the proposal matched to it; 0 if that is below `THRESHOLDS[0]`.

    Args:
        proposals: (R, 4) boxes.
        objects: (G, 4) boxes.

    Returns:
        (G,) in [0, 1].
    """
    iou = pairwise_iou(objects.astype(np.float64), proposals.astype(np.float64))  # (G, R)
    best = np.zeros(len(objects))
    used: set[int] = set()
    pairs = np.argwhere(iou >= THRESHOLDS[0])
    for g, r in pairs[np.argsort(-iou[tuple(pairs.T)], kind="stable")].tolist():
        if best[g] == 0 and r not in used:
            best[g] = iou[g, r]
            used.add(r)
    return best


def shares(counts: Mapping[str, Any]) -> tuple[float, float]:
    """Recall at IoU 0.5 and AR@100 from added-up notes; nan without objects.

    >>> shares({"objects": 4, "hits_50": 3, "ar100_hits": [2] * 10})
    (0.75, 0.5)
    """
    objects = int(counts["objects"])
    if objects == 0:
        return float("nan"), float("nan")
    return counts["hits_50"] / objects, sum(counts["ar100_hits"]) / len(THRESHOLDS) / objects
