"""Selection: from all boxes of a localizer to the few proposals worth looking at.

Non-maximum suppression is torchvision's, within each map of the network as published, or over the
boxes of all maps together, where near-duplicates across maps go too.

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

_FIRST: Final = 4  # times as many boxes are tried as are wanted, then that many times more


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which boxes become proposals.

    Attributes:
        nms: Of two boxes that overlap by a higher IoU the less object-like goes; 1 keeps both.
        top_k: Proposals of an image, at most.
        min_size: Least width and height, pixels of the original image.
        min_score: Least score, in the unit of the scores; None for no limit.
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

        Boxes are cut at the image's borders first; what is not finite or empty is dropped.

        Args:
            boxes: (R, 4).
            scores: (R,); rank boxes, the highest first, of equals the first.
            size: Width and height of the image, pixels.
            device: Where overlaps are computed.
            levels: (R,) boxes suppress each other only within a level; None: all do.

        Returns:
            (K, 4) boxes, best first, and (K,) their places among the R.
        """
        cut = clip(boxes, *size)
        sides = cut[:, 2:] - cut[:, :2]
        good = (
            finite(boxes, scores) & (sides > 0).all(axis=1) & (sides >= self.min_size).all(axis=1)
        )
        if self.min_score is not None:
            good &= scores >= self.min_score
        places = np.flatnonzero(good)
        order = places[np.argsort(-scores[places], kind="stable")]
        if levels is None:
            kept = order[suppress(cut[order], self.nms, self.top_k, device)]
            return cut[kept], kept
        alive = np.zeros(len(order), bool)
        for level in np.unique(levels[order]):
            own = np.flatnonzero(levels[order] == level)
            alive[own[suppress(cut[order[own]], self.nms, self.top_k, device)]] = True
        kept = order[np.flatnonzero(alive)[: self.top_k]]
        return cut[kept], kept


def finite(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which boxes (R, 4) and their scores (R,) are all finite numbers. (R,)."""
    return np.asarray(np.isfinite(boxes).all(axis=1) & np.isfinite(scores))


def suppress(
    boxes: NDArray[np.float32], threshold: float, most: int, device: torch.device | None = None
) -> NDArray[np.int64]:
    """Places of the first boxes that no better kept box overlaps by more than `threshold`.

    Whether a box is kept follows from those before it alone. So the first few are tried, and
    more only if they do not yield enough.

    Args:
        boxes: (R, 4), best first.
        threshold: IoU.
        most: Places wanted.
        device: Where overlaps are computed.

    Returns:
        (K,) rising, K at most `most`.
    """
    if threshold >= 1 or len(boxes) == 0:
        return np.arange(min(len(boxes), most))
    tried = _FIRST * most
    kept = _suppress(boxes[:tried], threshold, device)
    while len(kept) < most and tried < len(boxes):
        tried *= _FIRST
        kept = _suppress(boxes[:tried], threshold, device)
    return kept[:most]


def _suppress(
    boxes: NDArray[np.float32], threshold: float, device: torch.device | None
) -> NDArray[np.int64]:
    # the rank stands in for the score: it has no ties, whose order torchvision does not promise
    ranks = torch.arange(len(boxes), 0, -1, dtype=torch.float32, device=device)
    kept = nms(torch.from_numpy(boxes).to(ranks.device), ranks, threshold)
    return np.asarray(kept.cpu())
