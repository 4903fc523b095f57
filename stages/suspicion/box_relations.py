"""What boxes of one image say of each other: called otherwise, or one inside the other.

Shapes: R labels of an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from stages.geometry import pairwise_intersection, pairwise_iou

if TYPE_CHECKING:
    from numpy.typing import NDArray

OVERLAP: Final = 0.3  # IoU from which two boxes are taken for one thing; many are suppressed at 0.5


@dataclass(frozen=True)
class BoxesOfImage:
    """The labels of an image.

    Attributes:
        boxes: (R, 4).
        concepts: (R,).
        probabilities: (R,).
        kept: (R,); others say nothing of any.
    """

    boxes: NDArray[np.float64]
    concepts: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    kept: NDArray[np.bool_]


def relations(labels: BoxesOfImage) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The signals `overlaps_differ` and `nested`, (R,) each; the first NaN if nothing overlaps."""
    iou = pairwise_iou(labels.boxes, labels.boxes)
    same = labels.concepts[:, None] == labels.concepts[None, :]
    others = labels.kept[None, :] & ~np.eye(len(iou), dtype=np.bool_)
    return _overlaps_differ(labels, iou, same, others), _nested(labels, iou, same, others)


def _overlaps_differ(
    labels: BoxesOfImage,
    iou: NDArray[np.float64],
    same: NDArray[np.bool_],
    others: NDArray[np.bool_],
) -> NDArray[np.float64]:
    weights = np.where(others & (iou >= OVERLAP), iou * labels.probabilities[None, :], 0.0)
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((weights * ~same).sum(axis=1) / total)


def _nested(
    labels: BoxesOfImage,
    iou: NDArray[np.float64],
    same: NDArray[np.bool_],
    others: NDArray[np.bool_],
) -> NDArray[np.float64]:
    areas = np.maximum(labels.boxes[:, 2:] - labels.boxes[:, :2], 0).prod(axis=1)
    smaller = np.minimum(areas[:, None], areas[None, :])
    shared = pairwise_intersection(labels.boxes, labels.boxes)
    inside = np.divide(shared, smaller, out=np.zeros(iou.shape), where=smaller > 0)
    mine, theirs = labels.probabilities[:, None], labels.probabilities[None, :]
    earlier = np.tri(len(iou), k=-1, dtype=np.bool_)  # of equals the first is taken for the best
    better = (theirs > mine) | ((theirs == mine) & earlier)
    depth = np.where(others & same & better, inside * (1 - iou), 0.0)
    return np.asarray(depth.max(axis=1, initial=0.0))
