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
    from collections.abc import Collection, Iterator

    from numpy.typing import NDArray

NO_REGION: Final = -(1 << 31)  # of a box that does not say which label it was
MIN_IOU: Final = 0.5  # of two boxes that may be one, where no region says so
TOLERANCE: Final = 1.0  # pixels by which a side may differ: programs round, and hands shake

_TOGETHER: Final = 1 << 20  # pairs whose overlap is computed at once


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
    others = np.flatnonzero(partner >= 0)
    moves = np.zeros(len(labels))
    if len(others):
        moves[others] = np.abs(labels.sides[others] - boxes.sides[partner[others]]).max(axis=1)
    said = []
    for at, (other, move) in enumerate(zip(partner.tolist(), moves.tolist(), strict=True)):
        if other >= 0:
            name = str(boxes.names[other])
            renamed = None if name == labels.names[at] else name
            is_moved = move > TOLERANCE
            said.append(_opinion(renamed, boxes.sides[other] if is_moved else None))
        else:
            may_be = int(labels.regions[at]) in regions or {None, labels.names[at]} & names
            said.append(Opinion("unsure" if may_be else "wrong"))
    return said, len(boxes) - len(others)


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
        if candidates := by_region.get(region):
            best = candidates[0]
            if len(candidates) > 1:
                best = next(_pairs(labels, boxes, np.array([at]), np.array(candidates), 0.0))[1]
            partner[at], is_free[best] = best, False
    rows, columns = np.flatnonzero(partner < 0), np.flatnonzero(is_free)
    for at, other in _pairs(labels, boxes, rows, columns, MIN_IOU):
        if partner[at] < 0 and is_free[other]:
            partner[at], is_free[other] = other, False
    return partner


def _pairs(
    labels: NamedBoxes,
    boxes: NamedBoxes,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    least: float,
) -> Iterator[tuple[int, int]]:
    """Pairs of some labels and some boxes with at least some IoU, the best first."""
    found = [(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64))]
    step = max(1, _TOGETHER // max(1, len(columns)))
    for some in (rows[start : start + step] for start in range(0, len(rows), step)):
        ious = pairwise_iou(labels.sides[some], boxes.sides[columns])
        first, second = np.nonzero(ious >= least)
        found.append((ious[first, second], some[first], columns[second]))
    overlaps, ats, others = (np.concatenate(column) for column in zip(*found, strict=True))
    differ = labels.names[ats] != boxes.names[others]
    order = np.lexsort((others, ats, differ, -overlaps))
    return zip(ats[order].tolist(), others[order].tolist(), strict=True)


def _opinion(renamed: str | None, moved_to: NDArray[np.float64] | None) -> Opinion:
    if moved_to is not None:
        return Opinion("wrong-box", renamed, tuple(moved_to.tolist()))
    return Opinion("right") if renamed is None else Opinion("wrong", renamed)
