"""Shapes of boxes: size, aspect and height in the image, and how unlike others of its concept.

The size of an image is taken from the boxes in it, as far as they reach; so no other table is
read, and a box that covers the image has size 1.

Shapes: R labels, C concepts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

FEWEST: Final = 10  # boxes of a concept from which others are judged
_PRIOR: Final = 5.0  # boxes that the spread over all concepts counts as
_TINY: Final = 1e-6
_SIDES: Final = ("x0", "y0", "x1", "y1")


def boxes_of(rows: pa.Table | pa.RecordBatch) -> NDArray[np.float64]:
    """Boxes (R, 4) of rows with columns x0, y0, x1, y1."""
    sides = [rows.column(name).to_numpy(zero_copy_only=False) for name in _SIDES]
    return np.stack(sides, axis=1).astype(np.float64)


def shapes(boxes: NDArray[np.float64], images: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shapes (R, 3): logarithms of relative size and aspect, and relative height of the centre.

    Args:
        boxes: (R, 4), all of an image among them.
        images: (R,) number of the image of each, from 0.
    """
    if not len(boxes):
        return np.zeros((0, 3))
    extents = np.full((int(images.max()) + 1, 2), _TINY)
    np.maximum.at(extents, images, boxes[:, 2:])
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], _TINY)
    relative = sides / extents[images]
    size = np.log(np.maximum(relative.prod(axis=1), _TINY)) / 2
    aspect = np.log(sides[:, 0] / sides[:, 1])
    height = (boxes[:, 1] + boxes[:, 3]) / 2 / extents[images, 1]
    return np.stack([size, aspect, height], axis=1)


class ShapeStatistics:
    """Mean and spread of shapes for each concept, in one pass."""

    def __init__(self, concepts: int) -> None:
        self._counts = np.zeros(concepts)
        self._sums = np.zeros((concepts, 3))
        self._squares = np.zeros((concepts, 3))

    def add(self, concepts: NDArray[np.int64], shapes: NDArray[np.float64]) -> None:
        """Count shapes (R, 3) of concepts (R,)."""
        np.add.at(self._counts, concepts, 1)
        np.add.at(self._sums, concepts, shapes)
        np.add.at(self._squares, concepts, shapes**2)

    def unlikeness(
        self, concepts: NDArray[np.int64], shapes: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """How unlike the boxes of its concept each of R is, in [0, 1]; NaN if these are few.

        1 - exp(-d² / 6), d² being the squared distance from the mean in standard deviations,
        whose expectation is 3. The spread of a concept is drawn towards that of all.
        """
        counts = np.maximum(self._counts, 1)[:, None]
        means = self._sums / counts
        inside = np.maximum(self._squares / counts - means**2, 0)
        total = max(float(self._counts.sum()), 1.0)
        spread = np.maximum((inside * self._counts[:, None]).sum(axis=0) / total, _TINY)
        variance = (inside * self._counts[:, None] + spread * _PRIOR) / (counts + _PRIOR)
        distance = ((shapes - means[concepts]) ** 2 / variance[concepts]).sum(axis=1)
        enough = self._counts[concepts] >= FEWEST
        return np.where(enough, 1 - np.exp(-distance / 6), np.nan)
