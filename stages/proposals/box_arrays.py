"""Boxes of many images in memory: collected in any order, kept as arrays, looked up by image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    ScoredBoxes = tuple[NDArray[np.float32], NDArray[np.float32]]  # (R, 4) boxes, (R,) scores

_BLOCK: Final = 1 << 16  # boxes held as Python objects before they become an array


class BoxArrays:
    """All boxes, grouped by image; the boxes of an image keep their order.

    Args:
        index_of: Index of each image id, from 0 on, in this order.
        owners: (N,) index of the image that each box belongs to.
        boxes: (N, 4) boxes and (N,) scores.

    Attributes:
        ids: Image ids, each once.
    """

    def __init__(
        self, index_of: Mapping[str, int], owners: NDArray[Any], boxes: ScoredBoxes
    ) -> None:
        order = np.argsort(owners, kind="stable")
        self.ids = list(index_of)
        self._boxes, self._scores = boxes[0][order], boxes[1][order]
        self._offsets = np.searchsorted(owners[order], np.arange(len(index_of) + 1))

    def boxes(self, index: int) -> ScoredBoxes:
        """Boxes (R, 4) and scores (R,) of ids[index]."""
        rows = slice(self._offsets[index], self._offsets[index + 1])
        return self._boxes[rows], self._scores[rows]


class BoxCollector:
    """Takes boxes one by one and makes `BoxArrays`; holds at most `_BLOCK` as Python objects."""

    def __init__(self) -> None:
        self._index_of: dict[str, int] = {}
        self._owners: list[int] = []
        self._rows: list[tuple[float, ...]] = []
        self._blocks = [(np.zeros(0, np.int32), np.zeros((0, 5), np.float32))]

    def add(self, image_id: str, row: tuple[float, ...]) -> None:
        """Add a box of an image: x0, y0, x1, y1, score."""
        self._owners.append(self._index_of.setdefault(image_id, len(self._index_of)))
        self._rows.append(row)
        if len(self._rows) == _BLOCK:
            self._close_block()

    def arrays(self) -> BoxArrays:
        """All boxes added so far."""
        self._close_block()
        owners = np.concatenate([owners for owners, _ in self._blocks])
        rows = np.concatenate([rows for _, rows in self._blocks])
        return BoxArrays(self._index_of, owners, (rows[:, :4], rows[:, 4]))

    def _close_block(self) -> None:
        if self._rows:
            with np.errstate(over="ignore"):  # beyond float32 is infinite, which selection drops
                rows = np.array(self._rows, np.float64).astype(np.float32)
            self._blocks.append((np.array(self._owners, np.int32), rows))
            self._owners, self._rows = [], []
