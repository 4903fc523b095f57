"""Boxes of many images in memory: gathered in any order, kept as arrays, given image by image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Boxes = tuple[NDArray[np.float32], NDArray[np.float32]]  # (R, 4) boxes, (R,) scores

_BLOCK: Final = 1 << 16  # boxes that may be Python objects at a time


class BoxArrays:
    """All boxes, put together by image; those of an image keep their order.

    Attributes:
        ids: Image ids, each once.
    """

    def __init__(self, slots: Mapping[str, int], owner: NDArray[Any], boxes: Boxes) -> None:
        order = np.argsort(owner, kind="stable")
        self.ids = list(slots)
        self._boxes, self._scores = boxes[0][order], boxes[1][order]
        self._offsets = np.searchsorted(owner[order], np.arange(len(slots) + 1))

    def boxes(self, index: int) -> Boxes:
        """Boxes (R, 4) and scores (R,) of ids[index]."""
        rows = slice(self._offsets[index], self._offsets[index + 1])
        return self._boxes[rows], self._scores[rows]


class Gathering:
    """Takes boxes one by one, and makes `BoxArrays` of them; never holds many Python objects."""

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._owner: list[int] = []
        self._rows: list[tuple[float, ...]] = []
        self._blocks = [(np.zeros(0, np.int32), np.zeros((0, 5), np.float32))]

    def add(self, image_id: str, row: tuple[float, ...]) -> None:
        """A box of an image: x0, y0, x1, y1, score."""
        self._owner.append(self._slots.setdefault(image_id, len(self._slots)))
        self._rows.append(row)
        if len(self._rows) == _BLOCK:
            self._close()

    def arrays(self) -> BoxArrays:
        """All that was added."""
        self._close()
        owner = np.concatenate([owner for owner, _ in self._blocks])
        rows = np.concatenate([rows for _, rows in self._blocks])
        return BoxArrays(self._slots, owner, (rows[:, :4], rows[:, 4]))

    def _close(self) -> None:
        if self._rows:
            with np.errstate(over="ignore"):  # beyond float32 is infinite, which selection drops
                rows = np.array(self._rows, np.float64).astype(np.float32)
            self._blocks.append((np.array(self._owner, np.int32), rows))
            self._owner, self._rows = [], []
