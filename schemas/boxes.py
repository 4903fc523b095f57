"""Boxes: the one convention, and the conversions into it.

A box is (x0, y0, x1, y1) in pixels of the original image (after its EXIF orientation is
applied), float32, origin at the top-left corner of the top-left pixel, x1 and y1 exclusive.
Resized or normalised boxes never leave the function that needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def from_xywh(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Corners from corner and size, as COCO writes them. (R, 4) to (R, 4).

    >>> from_xywh(np.float32([[10, 20, 30, 40]]))
    array([[10., 20., 40., 60.]], dtype=float32)
    """
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def to_xywh(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Corner and size, as COCO writes them, from corners. (R, 4) to (R, 4).

    >>> to_xywh(np.float32([[10, 20, 40, 60]]))
    array([[10., 20., 30., 40.]], dtype=float32)
    """
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def clip(boxes: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Boxes cut at the borders of their image. (R, 4) to (R, 4); may become empty.

    >>> clip(np.float32([[-5, 2, 50, 8]]), width=20, height=10)
    array([[ 0.,  2., 20.,  8.]], dtype=float32)
    """
    limit = np.array([width, height, width, height], dtype=np.float32)
    return np.clip(boxes, np.float32(0), limit)


def area(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Area in square pixels, 0 for an empty box. (R, 4) to (R,).

    >>> area(np.float32([[0, 0, 2, 3], [5, 5, 4, 9]]))
    array([6., 0.], dtype=float32)
    """
    size = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return np.asarray(size[:, 0] * size[:, 1])
