"""Boxes of many plain records at once: COCO's results and ground truth, as nearly all files are.

What is plain is read here as `stages.proposals.box_records` reads it, record by record, and ten
times as fast. Where one record of many is not, none of them is read here.

Shapes: N records, I images.
"""

from __future__ import annotations

from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from stages.proposals.box_file import ImageKey
from stages.proposals.box_records import text_of_id
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from schemas.box_forms import BoxLayout

_NEEDED: Final = {"image_id", "bbox"}
_KNOWN: Final = {*_NEEDED, "score", "id", "category_id", "area", "iscrowd", "segmentation"}
_NUMBERS: Final = {int, float}  # no bool, which is another type


class PlainBoxes(NamedTuple):
    """Boxes of records.

    Attributes:
        keys: I images, in the order of their first records.
        owners: (N,) place of each box's image among them.
        rows: (N, 5) float64 x0, y0, x1, y1 and the score; NaN if it has none.
    """

    keys: list[ImageKey]
    owners: NDArray[np.int64]
    rows: NDArray[np.float64]


def plain_boxes(records: Sequence[Any], layout: BoxLayout) -> PlainBoxes | None:
    """The boxes of records, if all are plain.

    Args:
        records: N of them, as the JSON has them.
        layout: What the four numbers of a box are.
    """
    if {*map(type, records)} != {dict}:
        return None
    shapes = {*map(tuple, records)}  # names of fields
    if not all(_NEEDED <= {*shape} <= _KNOWN for shape in shapes):
        return None
    scored = {"score" in shape for shape in shapes}
    boxes, ids = (list(map(itemgetter(name), records)) for name in ("bbox", "image_id"))
    scores = list(map(itemgetter("score"), records)) if scored == {True} else []
    if (
        len(scored) > 1
        or {*map(type, boxes)} != {list}
        or {*map(len, boxes)} != {4}
        or not {*map(type, chain(chain.from_iterable(boxes), scores))} <= _NUMBERS
        or not {*map(type, ids)} <= {int, str}
    ):
        return None
    places = {image: place for place, image in enumerate(dict.fromkeys(ids))}
    rows = np.full((len(records), 5), np.nan)
    try:
        keys = [ImageKey(text_of_id(image)) for image in places]
        rows[:, :4] = boxes
        if scores:
            rows[:, 4] = scores
    except (Refusal, OverflowError):
        return None
    if layout == "xywh":
        with np.errstate(over="ignore", invalid="ignore"):  # not finite, which selection drops
            rows[:, 2:4] += rows[:, :2]
    owners = np.fromiter(map(places.__getitem__, ids), np.int64, len(ids))
    return PlainBoxes(keys, owners, rows)
