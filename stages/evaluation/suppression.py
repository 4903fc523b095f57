"""Soft non-maximum suppression: of overlapping detections those of lower score lose some of it.

Shapes: R regions of an image, K categories, M detections kept.

Source: Bodla et al., Soft-NMS (arXiv:1704.04503), in the form the published RegionCLIP evaluates
its detectors with: within a category, and scores that fall to the pruning bound are dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from stages.geometry import pairwise_iou

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class SoftNms:
    """How an overlap lowers a score.

    Attributes:
        method: gaussian: times exp(-IoU² / sigma), whatever the overlap; linear: times 1 - IoU
            where the IoU is above `nms`.
        sigma: Of gaussian; smaller is stricter.
        prune: Scores that are not above it are dropped.
        nms: Of linear.
    """

    method: str = "gaussian"
    sigma: float = 0.5
    prune: float = 0.001
    nms: float = 0.5

    def decay(self, iou: NDArray[np.float64]) -> NDArray[np.float64]:
        """Factors in [0, 1], of the same shape as the overlaps."""
        if self.method == "gaussian":
            return np.asarray(np.exp(-(iou**2) / self.sigma))
        return np.where(iou > self.nms, 1.0 - iou, 1.0)


def soft_nms_detections(
    scores: NDArray[np.float64],
    passing: NDArray[np.bool_],
    boxes: NDArray[np.float32],
    soft: SoftNms,
    limit: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The best detections of an image, their scores lowered by those before them.

    Each step keeps the candidate of highest score and lowers the scores of those it overlaps in
    its category. Candidates are kept in the order of their final scores, so `limit` steps are
    enough. The best candidate of every category is remembered; a step updates one category. Of
    equal scores the lower region comes first, then the lower category. The first detection is
    kept even if it is not above the pruning bound, as published.

    Args:
        scores: (R, K).
        passing: (R, K) whether a score is a candidate.
        boxes: (R, 4), or (R, K, 4) if every category has boxes of its own.
        soft: How scores are lowered.
        limit: Detections kept, at most.

    Returns:
        Region (M,), category (M,), and lowered score (M,), highest first.
    """
    left = np.where(passing, scores, -np.inf).T.copy()  # (K, R): a category is one row
    if not left.size:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    kept: list[tuple[int, int, float]] = []
    best_region, best = left.argmax(axis=1), left.max(axis=1)  # (K,) each
    while len(kept) < limit and best.max() > -np.inf:
        k = _best_category(best_region, best)
        region, own = int(best_region[k]), boxes if boxes.ndim == 2 else boxes[:, k]
        kept.append((region, k, float(best[k])))
        left[k, region] = -np.inf
        others = np.flatnonzero(left[k] > -np.inf)
        overlaps = pairwise_iou(own[[region]], own[others])[0].astype(np.float64)
        left[k, others] *= soft.decay(overlaps)
        if len(kept) == 1:  # from here on no category has candidates at or below the bound
            left[~(left > soft.prune)] = -np.inf
            best_region, best = left.argmax(axis=1), left.max(axis=1)
        else:
            left[k, ~(left[k] > soft.prune)] = -np.inf
            best_region[k] = left[k].argmax()
            best[k] = left[k, best_region[k]]
    regions, categories, lowered = zip(*kept, strict=True) if kept else ((), (), ())
    return np.array(regions, np.int64), np.array(categories, np.int64), np.array(lowered, float)


def _best_category(best_region: NDArray[np.int64], best: NDArray[np.float64]) -> int:
    """The category with the highest score of all; of equals the one with the lower region."""
    equals = np.flatnonzero(best == best.max())
    return int(equals[best_region[equals].argmin()])
