"""Boxes of many images in memory: collected in any order, kept as arrays, looked up by image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stages.proposals.box_file import BadRecords, ImageKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from schemas.box_forms import BoxLayout
    from stages.proposals.box_file import OwnedBoxes, ScoredBoxes
    from stages.proposals.plain_records import PlainBoxes
    from stages.proposals.region_dump import ScoreKind

_BLOCK: Final = 1 << 16  # boxes held as Python objects before they become an array


class BoxArrays:
    """All boxes of a file, grouped by image; a `BoxFile`. The boxes of an image keep their order.

    Args:
        keys: What the file calls its images.
        owners: (N,) index of the image that each box belongs to.
        boxes: (N, 4) corners and (N,) scores; if no score is finite, every score is 1.
        layout: The order in which the file had the numbers.
        in_fractions: Whether they are fractions of the sides by definition.
        bad: Records that could not be read.
    """

    kind: ScoreKind = "score"

    def __init__(
        self,
        keys: Iterable[ImageKey],
        owners: NDArray[Any],
        boxes: ScoredBoxes,
        layout: BoxLayout = "xyxy",
        in_fractions: bool = False,
        bad: BadRecords | None = None,
    ) -> None:
        self.keys = list(keys)
        self.layout = layout
        self.in_fractions = in_fractions
        self.bad = bad or BadRecords()
        order = np.argsort(owners, kind="stable")
        self._boxes, self._scores = boxes[0][order], boxes[1][order]
        self._offsets = np.searchsorted(owners[order], np.arange(len(self.keys) + 1))
        self.has_scores = not len(self._scores) or not np.isnan(self._scores).all()
        if not self.has_scores:
            self._scores = np.ones_like(self._scores)

    def __len__(self) -> int:
        """Number of boxes."""
        return len(self._scores)

    def boxes(self, index: int) -> ScoredBoxes:
        """Corners (R, 4) and scores (R,) of keys[index]."""
        rows = slice(self._offsets[index], self._offsets[index + 1])
        return self._boxes[rows], self._scores[rows]

    def blocks(self) -> Iterator[OwnedBoxes]:
        """See `BoxFile.blocks`."""
        for first in range(0, len(self._scores), _BLOCK):
            rows = np.arange(first, min(first + _BLOCK, len(self._scores)))
            owners = np.searchsorted(self._offsets, rows, side="right") - 1
            yield owners, self._boxes[rows], self._scores[rows]


class BoxCollector:
    """Takes boxes one by one and makes `BoxArrays`; holds at most `_BLOCK` as Python objects.

    Attributes:
        bad: Records that could not be read.
        layout: The order in which the file has the numbers; None before the first box.
    """

    def __init__(self) -> None:
        self.bad = BadRecords()
        self.layout: BoxLayout | None = None
        self._index_of: dict[ImageKey, int] = {}
        self._keys: list[ImageKey] = []
        self._same: dict[int, int] = {}  # images that turned out to be one
        self._owners: list[int] = []
        self._rows: list[tuple[float, ...]] = []
        self._blocks = [(np.zeros(0, np.int32), np.zeros((0, 5), np.float32))]

    def know(self, key: ImageKey) -> int:
        """Index of an image, which may have no boxes."""
        index = self._index_of.get(key)
        if index is None:
            index = self._index_of[key] = len(self._keys)
            self._keys.append(key)
        return index

    def add(self, key: ImageKey, row: tuple[float, ...]) -> None:
        """Add a box of an image: x0, y0, x1, y1, score; NaN if it has no score."""
        self._owners.append(self.know(key))
        self._rows.append(row)
        if len(self._rows) == _BLOCK:
            self._close_block()

    def add_many(self, boxes: PlainBoxes, layout: BoxLayout) -> None:
        """Add boxes after those that were added; `layout` is how the file has their numbers."""
        self._close_block()
        places = np.array([self.know(key) for key in boxes.keys], np.int32)
        self._blocks.append((places[boxes.owners], _rounded(boxes.rows)))
        self.layout = self.layout or layout

    def replace(self, old: ImageKey, new: ImageKey) -> None:
        """Give an image the key that is only known later; two of one key are one image."""
        index = self._index_of.pop(old, None)
        if index is None:
            return
        self._keys[index] = new
        if self._index_of.setdefault(new, index) != index:
            self._same[index] = self._index_of[new]

    def arrays(self, *, in_fractions: bool = False) -> BoxArrays:
        """All boxes added so far."""
        self._close_block()
        owners = np.concatenate([owners for owners, _ in self._blocks])
        rows = np.concatenate([rows for _, rows in self._blocks])
        kept = [index for index in range(len(self._keys)) if index not in self._same]
        if self._same:
            places = np.zeros(len(self._keys), np.int32)
            places[kept] = np.arange(len(kept))
            places[list(self._same)] = places[list(self._same.values())]
            owners = places[owners]
        keys = [self._keys[index] for index in kept]
        boxes = rows[:, :4], rows[:, 4]
        return BoxArrays(keys, owners, boxes, self.layout or "xywh", in_fractions, self.bad)

    def _close_block(self) -> None:
        if self._rows:
            rows = _rounded(np.array(self._rows, np.float64))
            self._blocks.append((np.array(self._owners, np.int32), rows))
            self._owners, self._rows = [], []


def _rounded(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # beyond float32 is infinite, which selection drops
        return rows.astype(np.float32)
