"""What a person's boxes of an image say of the labels that they began with.

Each label looks for the box that became of it: first by its region, which Label Studio and CVAT
hand back, then by overlap. A label whose box is gone was deleted.

Shapes: K labels and N returned boxes of an image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from stages.geometry import pairwise_iou

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

NO_REGION: Final = -(1 << 31)  # of a box that does not say which label it was
MIN_IOU: Final = 0.5  # of two boxes that may be one, where no region says so
TOLERANCE: Final = 1.0  # pixels by which a side may differ: programs round, and hands shake


@dataclass(frozen=True, slots=True)
class NamedBoxes:
    """Boxes of an image.

    Attributes:
        regions: (N,) int64, as in proposals; `NO_REGION` where it is not known.
        names: (N,) texts, as an object array.
        sides: (N, 4) float64: x0, y0, x1, y1, inside the image.
    """

    regions: NDArray[np.int64]
    names: NDArray[np.object_]
    sides: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.regions)


class Unread(NamedTuple):
    """Something that is no upright box, and may be what became of a label.

    Attributes:
        region: Of the label, if known.
        name: That it has; None if it has none, or none that can be read.
    """

    region: int
    name: str | None


class Opinion(NamedTuple):
    """What a person says of a label.

    Attributes:
        verdict: One of `schemas.reviews.VERDICTS`.
        concept: What it is, if the name was changed.
        box: x0, y0, x1, y1 that it should have, if it was moved.
    """

    verdict: str
    concept: str | None = None
    box: tuple[float, ...] | None = None


def opinions(
    labels: NamedBoxes, boxes: NamedBoxes, unread: Collection[Unread] = ()
) -> tuple[list[Opinion], int]:
    """What the boxes say of each label, and how many of them are new.

    A label without a partner was deleted, so it is wrong, unless something that was not read may be
    its partner: it has its region, or no known region and the same name or none.

    Args:
        labels: K, as exported.
        boxes: N, as they came back.
        unread: What came back besides.

    Returns:
        K opinions, and the number of boxes without a partner.
    """
    partner = partners(labels, boxes)
    regions = {one.region for one in unread} - {NO_REGION}
    names = {one.name for one in unread if one.region == NO_REGION}
    said = []
    for at, other in enumerate(partner.tolist()):
        if other >= 0:
            said.append(_opinion(labels, boxes, at, other))
        else:
            may_be = int(labels.regions[at]) in regions or {None, labels.names[at]} & names
            said.append(Opinion("unsure" if may_be else "wrong"))
    return said, len(boxes) - int((partner >= 0).sum())


def partners(labels: NamedBoxes, boxes: NamedBoxes) -> NDArray[np.int64]:
    """The box that became of each label; -1 if none did.

    Of boxes with the region of a label, that with the highest IoU; if several are equal, one of the
    same name, then the first. The other labels and boxes are paired by IoU if it is at least
    `MIN_IOU`, the highest first; of equal ones those of the same name first, then in their order.

    Args:
        labels: K, each with a region of its own.
        boxes: N.

    Returns:
        (K,) positions in `boxes`, each at most once.
    """
    partner = np.full(len(labels), -1, np.int64)
    is_free = np.ones(len(boxes), np.bool_)
    by_region: dict[int, list[int]] = {}
    for other, region in enumerate(boxes.regions.tolist()):
        by_region.setdefault(region, []).append(other)
    by_region.pop(NO_REGION, None)
    for at, region in enumerate(labels.regions.tolist()):
        if region in by_region:
            best = _pairs(labels, boxes, at, np.array(by_region[region])).in_order()[0]
            partner[at], is_free[best[1]] = best[1], False
    free = np.flatnonzero(is_free)
    rest = [_pairs(labels, boxes, at, free).near() for at in np.flatnonzero(partner < 0).tolist()]
    for at, other in _Pairs.joined(rest).in_order() if rest else ():
        if partner[at] < 0 and is_free[other]:
            partner[at], is_free[other] = other, False
    return partner


class _Pairs(NamedTuple):
    """Labels and boxes that may be one: their IoU, whether names differ, and their positions."""

    ious: NDArray[np.float64]
    differ: NDArray[np.bool_]
    labels: NDArray[np.int64]
    boxes: NDArray[np.int64]

    @classmethod
    def joined(cls, some: Sequence[_Pairs]) -> _Pairs:
        """All of several."""
        ious, differ, labels, boxes = zip(*some, strict=True)
        columns = (np.concatenate(ious), np.concatenate(differ))
        return cls(*columns, np.concatenate(labels), np.concatenate(boxes))

    def near(self) -> _Pairs:
        """Those that overlap enough."""
        near = self.ious >= MIN_IOU
        return _Pairs(self.ious[near], self.differ[near], self.labels[near], self.boxes[near])

    def in_order(self) -> list[tuple[int, int]]:
        """Positions of label and box, the best pair first."""
        order = np.lexsort((self.boxes, self.labels, self.differ, -self.ious))
        return list(zip(self.labels[order].tolist(), self.boxes[order].tolist(), strict=True))


def _pairs(labels: NamedBoxes, boxes: NamedBoxes, at: int, others: NDArray[np.int64]) -> _Pairs:
    """A label with some boxes."""
    ious = pairwise_iou(labels.sides[at : at + 1], boxes.sides[others])[0]
    differ = boxes.names[others] != labels.names[at]
    return _Pairs(ious, differ, np.full(len(others), at), others)


def _opinion(labels: NamedBoxes, boxes: NamedBoxes, at: int, other: int) -> Opinion:
    name = boxes.names[other]
    renamed = None if name == labels.names[at] else str(name)
    if np.abs(labels.sides[at] - boxes.sides[other]).max() > TOLERANCE:
        return Opinion("wrong-box", renamed, tuple(boxes.sides[other].tolist()))
    return Opinion("right") if renamed is None else Opinion("wrong", renamed)
