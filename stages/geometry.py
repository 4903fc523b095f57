"""Overlap of boxes: plain functions of numpy arrays.

Boxes are (x0, y0, x1, y1) as in `schemas.boxes`, all in the same frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def pairwise_iou(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Intersection over union of every pair.

    Args:
        a: (N, 4) boxes.
        b: (M, 4) boxes.

    Returns:
        (N, M) in [0, 1]; 0 where either box is empty.

    >>> pairwise_iou(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [0, 0, 2, 1]]))
    array([[0.33333333, 0.5       ]])
    """
    intersection = pairwise_intersection(a, b)  # (N, M)
    union = _areas(a)[:, None] + _areas(b)[None, :] - intersection
    iou = np.zeros(intersection.shape, np.result_type(intersection, np.float32))
    np.divide(intersection, union, out=iou, where=union > 0)
    return iou


def pairwise_intersection(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Area of the intersection of every pair, square pixels. (N, 4) and (M, 4) to (N, M).

    >>> pairwise_intersection(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2]]))
    array([[2.]])
    """
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])  # (N, M, 2)
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])  # (N, M, 2)
    return np.asarray(np.clip(bottom_right - top_left, 0, None).prod(axis=2))


def _areas(boxes: NDArray[Any]) -> NDArray[Any]:
    """Of an empty box any number: nothing intersects it, so its IoU is 0 over any union."""
    return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
