"""Where raw boxes come from: a network, another localizer, chance, a grid, or an earlier dump.

For a row of `images` a source returns boxes (R, 4) in pixels of the original image and their
scores (R,), before any selection; or None if it does not know the image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from stages.pixels import load_image
from stages.seeds import generator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stages.base import Part
    from stages.models.preprocess import NetworkInput, Size
    from stages.models.rpn import Rpn
    from stages.proposals.localizers import LocalizerBoxes
    from stages.proposals.region_dump import DumpReader, ScoreKind

    Row = Mapping[str, Any]

GRID_STEP: Final = 8  # pixels between the lines on which corners of random boxes lie, as published


class RawBoxes(NamedTuple):
    """Raw boxes of an image.

    Attributes:
        boxes: (R, 4).
        scores: (R,).
        levels: (R,) feature map of the network that each box comes from, fine to coarse; None if
            the boxes come from no network.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    levels: NDArray[np.uint8] | None = None


class BoxSource(ABC):
    """Gives the raw boxes of an image.

    Attributes:
        kind: Whether scores are raw logits, or scores of any other kind.
        needs_pixels: Whether `prepare` reads the image.
    """

    kind: ScoreKind = "score"
    needs_pixels: bool = False

    def prepare(self, row: Row) -> NetworkInput | None:
        """The image as `boxes` needs it; called in advance, in threads.

        Raises:
            SourceError: If the image cannot be read.
        """
        return None

    @abstractmethod
    def boxes(self, row: Row, prepared: NetworkInput | None) -> RawBoxes | None:
        """Boxes (R, 4) and scores (R,) of an image, given what `prepare` returned.

        Raises:
            Refusal: If it is not clear whose boxes they are.
        """

    def report(self, part: Part) -> None:  # noqa: B027 - most sources have nothing to note
        """Note facts about all images of the part together."""


class RpnBoxSource(BoxSource):
    """Boxes of a region proposal network; see `Rpn.raw_boxes`."""

    kind = "logit"
    needs_pixels = True

    def __init__(
        self, rpn: Rpn, size: Size, pre_nms: int | None = None, precision: str = "float32"
    ) -> None:
        self._rpn, self._size, self._precision = rpn, size, precision
        self._pre_nms = pre_nms or rpn.spec.pre_nms

    def prepare(self, row: Row) -> NetworkInput | None:
        """See `BoxSource.prepare`: decoded, resized, normalised."""
        return self._rpn.prepare(load_image(row), self._size)

    def boxes(self, row: Row, prepared: NetworkInput | None) -> RawBoxes | None:
        """See `BoxSource.boxes`."""
        if prepared is None:
            return None
        size = (row["width"], row["height"])
        return RawBoxes(*self._rpn.raw_boxes(prepared, size, self._pre_nms, self._precision))

    def report(self, part: Part) -> None:
        """Note how many boxes were taken from each map, and from how many maps."""
        maps = len(self._rpn.spec.strides)
        part.note("network", {"neck": self._rpn.spec.neck, "maps": maps, "pre_nms": self._pre_nms})


class LocalizerBoxSource(BoxSource):
    """Boxes of a foreign file; see `stages.proposals.localizers`."""

    def __init__(self, localizer: LocalizerBoxes, name: str) -> None:
        self.kind = localizer.kind
        self._localizer = localizer
        self._name = name
        self._ways: Counter[str] = Counter()

    def boxes(self, row: Row, prepared: NetworkInput | None) -> RawBoxes | None:
        """See `BoxSource.boxes`."""
        place = self._localizer.find(row)
        if place is None:
            return None
        boxes, scores = self._localizer.boxes(place[0], row)
        if len(boxes):
            self._ways[place[1]] += 1
        return RawBoxes(boxes, scores)

    def report(self, part: Part) -> None:
        """Note how images were matched; of the file, what is the same for every part."""
        matching, file = self._localizer.matching, self._localizer.file
        part.count("matched_by", dict(self._ways))
        ids = len(file.keys)
        part.note(
            "localizer",
            {
                "file": self._name,
                "ids": ids,
                "ids_matched": ids - matching.unmatched - matching.ambiguous,
                "ids_ambiguous": matching.ambiguous,
                "example": list(matching.example),
                "boxes": self._localizer.in_file,
                "bad_records": file.bad.count,
                "has_scores": file.has_scores,
            },
        )
        if part.number == 0:  # of the whole file, so one part tells
            for record, reason, detail in file.bad.rows():
                part.refuse(record, reason, detail)


class DumpBoxSource(BoxSource):
    """Boxes of an earlier dump of ours."""

    def __init__(self, dump: DumpReader) -> None:
        self.kind = dump.kind
        self._dump = dump
        self._index_of = {image_id: index for index, image_id in enumerate(dump.image_ids)}

    def boxes(self, row: Row, prepared: NetworkInput | None) -> RawBoxes | None:
        """See `BoxSource.boxes`."""
        index = self._index_of.get(row["image_id"])
        if index is None:
            return None
        return RawBoxes(*self._dump[index][1:], self._dump.levels(index))


class RandomBoxSource(BoxSource):
    """Boxes sampled for each image independently; every score is 1."""

    def __init__(self, regions: int, seed: int) -> None:
        self._regions, self._seed = regions, seed

    def boxes(self, row: Row, prepared: NetworkInput | None) -> RawBoxes | None:
        """See `BoxSource.boxes`."""
        rng = generator(self._seed, "boxes", row["image_id"])
        boxes = random_boxes(row["width"], row["height"], self._regions, rng)
        return RawBoxes(boxes, np.ones(len(boxes), np.float32))


class GridBoxSource(BoxSource):
    """The whole image, its quarters, its ninths, ..., at most `regions`; every score is 1."""

    def __init__(self, regions: int) -> None:
        self._regions = regions

    def boxes(self, row: Row, prepared: NetworkInput | None) -> RawBoxes | None:
        """See `BoxSource.boxes`."""
        boxes = grid_boxes(row["width"], row["height"], self._regions)
        return RawBoxes(boxes, np.ones(len(boxes), np.float32))


def random_boxes(
    width: int, height: int, number: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Boxes (number, 4) with corners on a grid of `GRID_STEP` pixels; all boxes equally likely.

    The right and the bottom border of the image are lines of the grid too.
    """
    x, y = (_two_lines(side, number, rng) for side in (width, height))
    return np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1)


def grid_boxes(width: int, height: int, max_boxes: int) -> NDArray[np.float32]:
    """The cells of a 1 x 1, 2 x 2, 3 x 3, ... division, coarse to fine; only whole divisions.

    >>> grid_boxes(6, 2, 6)[:3].tolist()
    [[0.0, 0.0, 6.0, 2.0], [0.0, 0.0, 3.0, 1.0], [3.0, 0.0, 6.0, 1.0]]
    """
    cells = [np.zeros((0, 4))]
    total = 0
    for n in count(1):
        total += n * n
        if total > max_boxes:
            break
        x, y = np.linspace(0, width, n + 1), np.linspace(0, height, n + 1)
        rows, columns = np.divmod(np.arange(n * n), n)
        cells.append(np.stack([x[columns], y[rows], x[columns + 1], y[rows + 1]], axis=1))
    return np.concatenate(cells).astype(np.float32)


def _two_lines(side: int, number: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Two different lines of the grid across a side, the lower first. (number, 2)."""
    lines = np.append(np.arange(0, side, GRID_STEP), side).astype(np.float32)
    first = rng.integers(len(lines), size=number)
    second = rng.integers(len(lines) - 1, size=number)
    second += second >= first
    return np.sort(lines[np.stack([first, second], axis=1)], axis=1)
