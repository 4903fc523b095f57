"""Boxes of masks: what surrounds a polygon, or a run-length encoded mask of COCO."""

from __future__ import annotations

from itertools import accumulate, chain
from typing import TYPE_CHECKING, Any, Final

from stages.sources.json_ids import finite_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Xywh = tuple[float, float, float, float]

_MOST_RUNS: Final = 1 << 24  # of one mask; more than any photograph has


def box_of_segmentation(segmentation: Any) -> Xywh | None:
    """x, y, width and height of a mask, in pixels; None if it is no mask.

    Args:
        segmentation: Polygons as lists of x, y, x, y, ...; or an object with `size` (height,
            width) and `counts`, the lengths of runs down the columns, as numbers or compressed.

    >>> box_of_segmentation([[1, 2, 5, 2, 5, 4]])
    (1.0, 2.0, 4.0, 2.0)
    >>> box_of_segmentation({"size": [3, 4], "counts": [4, 1, 2, 2, 3]})
    (1.0, 1.0, 2.0, 2.0)
    """
    try:
        if isinstance(segmentation, dict):
            return _box_of_runs(segmentation)
        return _box_of_polygons(segmentation) if isinstance(segmentation, list) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _box_of_polygons(polygons: Sequence[Any]) -> Xywh | None:
    nested = polygons if polygons and isinstance(polygons[0], list) else [polygons]
    if any(not isinstance(polygon, list) or len(polygon) % 2 for polygon in nested):
        return None
    numbers = [finite_number(value) for value in chain.from_iterable(nested)]
    xs = [x for x in numbers[::2] if x is not None]
    ys = [y for y in numbers[1::2] if y is not None]
    if not xs or len(xs) + len(ys) < len(numbers):
        return None
    return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def _box_of_runs(mask: dict[str, Any]) -> Xywh | None:
    height, width = (int(side) for side in mask["size"]) if "size" in mask else (0, 0)
    counts = mask.get("counts")
    if isinstance(counts, str):
        counts = _decompress(counts)
    if not isinstance(counts, list) or not 0 < len(counts) <= _MOST_RUNS or min(counts) < 0:
        return None
    ends = list(accumulate(int(count) for count in counts))
    if height <= 0 or ends[-1] != height * width:
        return None
    return _surrounding(((s, e) for s, e in zip(ends[::2], ends[1::2], strict=False)), height)


def _surrounding(runs: Iterable[tuple[int, int]], height: int) -> Xywh:
    """The box of runs (first, end) that go down the columns; zeros if there are none."""
    columns: list[int] = []
    rows: list[int] = []
    for first, end in runs:
        if first < end:
            columns += [first // height, (end - 1) // height]
            is_within_a_column = columns[-2] == columns[-1]
            rows += [first % height, (end - 1) % height] if is_within_a_column else [0, height - 1]
    if not rows:
        return 0.0, 0.0, 0.0, 0.0
    x, y = float(min(columns)), float(min(rows))
    return x, y, max(columns) + 1 - x, max(rows) + 1 - y


def _decompress(text: str) -> list[int]:
    """The lengths of runs in COCO's compressed text.

    Each number is written in groups of 5 bits, lowest first, as characters from '0' on; bit 5 says
    that another group follows. From the fourth number on, it is the difference to the one two
    before it.

    Raises:
        ValueError: If the text is no such code.
    """
    counts: list[int] = []
    number, shift = 0, 0
    for character in text:
        group = ord(character) - 48
        if not 0 <= group < 64 or shift > 60:
            raise ValueError("not a compressed mask")
        number |= (group & 31) << shift
        shift += 5
        if not group & 32:
            if group & 16:
                number -= 1 << shift
            counts.append(number + (counts[-2] if len(counts) > 2 else 0))
            number, shift = 0, 0
    if shift:
        raise ValueError("the compressed mask ends within a number")
    return counts
