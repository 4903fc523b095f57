"""Selection: from all boxes of a localizer to the few proposals of an image.

Non-maximum suppression is torchvision's. It runs within each feature map of the network, as
published, or over the boxes of all maps together, which also drops duplicates across maps.

Shapes: R boxes of an image, K kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torchvision.ops import nms

from schemas.boxes import clip

if TYPE_CHECKING:
    from numpy.typing import NDArray

_GROWTH: Final = 4  # boxes tried at first, in multiples of those needed; then that factor again


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which boxes become proposals.

    Attributes:
        nms: Of two boxes with a higher IoU, the one with the lower score is dropped; 1 keeps both.
        top_k: Largest number of proposals of an image.
        min_size: Smallest width and height, pixels of the original image.
        min_score: Lowest score, in the unit of the scores; None for no limit.
    """

    nms: float
    top_k: int
    min_size: float = 0.0
    min_score: float | None = None

    def __call__(
        self,
        boxes: NDArray[np.float32],
        scores: NDArray[np.float32],
        size: tuple[int, int],
        device: torch.device | None = None,
        levels: NDArray[np.uint8] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The proposals among the boxes of an image.

        Boxes are clipped to the image first; those that are empty or not finite are dropped.

        Args:
            boxes: (R, 4).
            scores: (R,); boxes are ranked by them, highest first; equal scores keep their order.
            size: Width and height of the image, pixels.
            device: Where overlaps are computed.
            levels: (R,) boxes suppress each other only within a level; None: all do.

        Returns:
            (K, 4) boxes, best first, and (K,) their indices among the R.
        """
        clipped = clip(boxes, *size)
        sizes = clipped[:, 2:] - clipped[:, :2]
        valid = (
            finite(boxes, scores) & (sizes > 0).all(axis=1) & (sizes >= self.min_size).all(axis=1)
        )
        if self.min_score is not None:
            valid &= scores >= self.min_score
        indices = np.flatnonzero(valid)
        order = indices[np.argsort(-scores[indices], kind="stable")]
        if levels is None:
            kept = order[suppress(clipped[order], self.nms, self.top_k, device)]
            return clipped[kept], kept
        survives = np.zeros(len(order), bool)
        for level in np.unique(levels[order]):
            members = np.flatnonzero(levels[order] == level)
            kept = suppress(clipped[order[members]], self.nms, self.top_k, device)
            survives[members[kept]] = True
        kept = order[np.flatnonzero(survives)[: self.top_k]]
        return clipped[kept], kept


def finite(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which boxes (R, 4) have finite corners and a finite score (R,). (R,)."""
    return np.asarray(np.isfinite(boxes).all(axis=1) & np.isfinite(scores))


def suppress(
    boxes: NDArray[np.float32], threshold: float, max_kept: int, device: torch.device | None = None
) -> NDArray[np.int64]:
    """Indices of the boxes kept by non-maximum suppression, at most `max_kept`.

    Whether a box is kept depends only on the boxes before it. So the first few are tried, and more
    only if too few of them are kept.

    Args:
        boxes: (R, 4), best first.
        threshold: IoU; a box is dropped if it overlaps a better kept box by more than this.
        max_kept: Largest number of indices to return.
        device: Where overlaps are computed.

    Returns:
        (K,) ascending, K at most `max_kept`.
    """
    if threshold >= 1 or len(boxes) == 0:
        return np.arange(min(len(boxes), max_kept))
    num_tried = _GROWTH * max_kept
    kept = _nms(boxes[:num_tried], threshold, device)
    while len(kept) < max_kept and num_tried < len(boxes):
        num_tried *= _GROWTH
        kept = _nms(boxes[:num_tried], threshold, device)
    return kept[:max_kept]


def _nms(
    boxes: NDArray[np.float32], threshold: float, device: torch.device | None
) -> NDArray[np.int64]:
    # ranks instead of scores: ranks have no ties, and torchvision leaves the order of ties open
    ranks = torch.arange(len(boxes), 0, -1, dtype=torch.float32, device=device)
    kept = nms(torch.from_numpy(boxes).to(ranks.device), ranks, threshold)
    return np.asarray(kept.cpu())
