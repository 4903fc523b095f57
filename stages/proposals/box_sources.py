"""Where raw boxes come from: a network, another localizer, chance, a grid, or an earlier dump.

A source gives, for a row of `images`, boxes (R, 4) in pixels of the original image and their
scores (R,), before any selection; or None if it knows nothing of the image.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from stages.pixels import load_image
from stages.seeds import generator
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stages.base import Part
    from stages.models.preprocess import PreparedImage, Size
    from stages.models.rpn import Rpn
    from stages.proposals.localizers import Localizer
    from stages.proposals.region_dump import DumpReader, Kind

    Row = Mapping[str, Any]

LINES: Final = 8  # pixels between the lines that corners of random boxes lie on, as published


class Boxes(NamedTuple):
    """Raw boxes of an image.

    Attributes:
        boxes: (R, 4).
        scores: (R,).
        levels: (R,) the map of a network each comes from, fine to coarse; None if from none.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    levels: NDArray[np.uint8] | None = None


class BoxSource(ABC):
    """Gives the raw boxes of an image.

    Attributes:
        kind: Whether scores are raw logits, or scores of the source's own making.
        looks: Whether it needs to see images.
    """

    kind: Kind = "score"
    looks: bool = False

    def look(self, row: Row) -> PreparedImage | None:
        """The image as `boxes` wants to see it; called ahead, in threads.

        Raises:
            SourceError: If the image cannot be read.
        """
        return None

    @abstractmethod
    def boxes(self, row: Row, seen: PreparedImage | None) -> Boxes | None:
        """Boxes (R, 4) and scores (R,) of an image, given what `look` saw.

        Raises:
            Refusal: If this image cannot be told from another.
        """

    def report(self, part: Part) -> None:  # noqa: B027 - most have nothing to say
        """Note what follows from all images of the part together."""


class FromRpn(BoxSource):
    """Boxes of a region proposal network; see `Rpn.raw_boxes`."""

    kind = "logit"
    looks = True

    def __init__(self, rpn: Rpn, size: Size, pre_nms: int) -> None:
        self._rpn, self._size, self._pre_nms = rpn, size, pre_nms

    def look(self, row: Row) -> PreparedImage | None:
        """See `BoxSource.look`: decoded, resized, normalised."""
        return self._rpn.prepare(load_image(row), self._size)

    def boxes(self, row: Row, seen: PreparedImage | None) -> Boxes | None:
        """See `BoxSource.boxes`."""
        size = (row["width"], row["height"])
        return None if seen is None else Boxes(*self._rpn.raw_boxes(seen, size, self._pre_nms))


class FromLocalizer(BoxSource):
    """Boxes of a foreign file; what was found for one image is not given to another."""

    def __init__(self, localizer: Localizer, kind: Kind | None = None) -> None:
        self.kind = kind or localizer.kind
        self._localizer = localizer
        self._owners: dict[int, str] = {}

    def boxes(self, row: Row, seen: PreparedImage | None) -> Boxes | None:
        """See `BoxSource.boxes`."""
        place = self._localizer.find(row["image_id"])
        if place is None:
            return None
        owner = self._owners.setdefault(place, row["image_id"])
        if owner != row["image_id"]:
            raise Refusal("ambiguous-id", f"its boxes were given to {owner}, of the same name")
        return Boxes(*self._localizer.boxes(place))

    def report(self, part: Part) -> None:
        """Note how many ids of the file were used, and, once, how many there are."""
        part.note("ids_matched", len(self._owners))
        if part.number == 0:  # notes of parts are added up
            part.note("ids_in_file", len(self._localizer))


class FromDump(BoxSource):
    """Boxes of an earlier dump of ours."""

    def __init__(self, dump: DumpReader) -> None:
        self.kind = dump.kind
        self._dump = dump
        self._places = {image_id: place for place, image_id in enumerate(dump.image_ids)}

    def boxes(self, row: Row, seen: PreparedImage | None) -> Boxes | None:
        """See `BoxSource.boxes`."""
        place = self._places.get(row["image_id"])
        if place is None:
            return None
        return Boxes(*self._dump[place][1:], self._dump.levels(place))


class AtRandom(BoxSource):
    """Boxes drawn for each image by itself; all score 1."""

    def __init__(self, regions: int, seed: int) -> None:
        self._regions, self._seed = regions, seed

    def boxes(self, row: Row, seen: PreparedImage | None) -> Boxes | None:
        """See `BoxSource.boxes`."""
        draw = generator(self._seed, "boxes", row["image_id"])
        found = random_boxes(row["width"], row["height"], self._regions, draw)
        return Boxes(found, np.ones(len(found), np.float32))


class OnGrid(BoxSource):
    """The whole image, its quarters, its ninths, and so on, at most `regions`; all score 1."""

    def __init__(self, regions: int) -> None:
        self._regions = regions

    def boxes(self, row: Row, seen: PreparedImage | None) -> Boxes | None:
        """See `BoxSource.boxes`."""
        found = grid_boxes(row["width"], row["height"], self._regions)
        return Boxes(found, np.ones(len(found), np.float32))


def random_boxes(
    width: int, height: int, number: int, draw: np.random.Generator
) -> NDArray[np.float32]:
    """Boxes (number, 4) with corners on a grid of `LINES` pixels, all corner pairs as likely.

    The image's far borders are lines too, so that boxes may reach them.
    """
    x, y = (_two_lines(side, number, draw) for side in (width, height))
    return np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1)


def grid_boxes(width: int, height: int, most: int) -> NDArray[np.float32]:
    """The cells of a 1 x 1, 2 x 2, 3 x 3, ... division, coarse to fine; at most `most`.

    >>> grid_boxes(6, 2, 6)[:3].tolist()
    [[0.0, 0.0, 6.0, 2.0], [0.0, 0.0, 3.0, 1.0], [3.0, 0.0, 6.0, 1.0]]
    """
    cells = [np.zeros((0, 4))]
    total = 0
    for n in count(1):
        total += n * n
        if total > most:
            break
        x, y = np.linspace(0, width, n + 1), np.linspace(0, height, n + 1)
        rows, columns = np.divmod(np.arange(n * n), n)
        cells.append(np.stack([x[columns], y[rows], x[columns + 1], y[rows + 1]], axis=1))
    return np.concatenate(cells).astype(np.float32)


def _two_lines(side: int, number: int, draw: np.random.Generator) -> NDArray[np.float32]:
    """Two different lines across a side, the lower first. (number, 2)."""
    lines = np.append(np.arange(0, side, LINES), side).astype(np.float32)
    first = draw.integers(len(lines), size=number)
    second = draw.integers(len(lines) - 1, size=number)
    second += second >= first
    return np.sort(lines[np.stack([first, second], axis=1)], axis=1)
