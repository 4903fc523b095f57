"""Labels of YOLO: one text per image, one line per object: class, then fractions of the image.

| numbers after the class | meaning |
|---|---|
| 4 | centre x, centre y, width, height |
| 5 | the same and a score, which is not kept |
| 6 or more, an even number | corners of an outline x, y, x, y, ...; its box is kept |
| with `kpt_shape` in data.yaml | the first four as above, then keypoints, which are not kept |

The image is the upright one. A fraction may lie a little outside [0, 1], as rounding makes it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from schemas.quarantine import Reason
from stages.sources.record import Refusal, SourceObject

if TYPE_CHECKING:
    from collections.abc import Mapping

FRACTIONS: Final = (1.0, 1.0)  # the frame of a box in fractions
_MARGIN: Final = 0.05  # how far outside [0, 1] rounding and sloppy boxes lead
_SHORTEST_OUTLINE: Final = 6  # three corners


@dataclass(slots=True)
class ImageLabels:
    """The objects in a label file; a reason and a sentence for each line that is none."""

    objects: list[SourceObject] = field(default_factory=list)
    problems: list[tuple[Reason, str]] = field(default_factory=list)


def read_labels(content: bytes, names: Mapping[int, str], *, has_keypoints: bool) -> ImageLabels:
    """The objects of a label file.

    Args:
        content: Of the file.
        names: Of the classes, by number.
        has_keypoints: Whether keypoints follow each box.
    """
    labels = ImageLabels()
    text = content.decode("utf-8-sig", errors="replace")  # what is no number is refused below
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            labels.objects.append(_object(line.split(), names, has_keypoints=has_keypoints))
        except Refusal as refusal:
            labels.problems.append((refusal.reason, f"line {number}: {refusal.detail}"))
    return labels


def _object(cells: list[str], names: Mapping[int, str], *, has_keypoints: bool) -> SourceObject:
    numbers = _numbers(cells)
    number, values = numbers[0], numbers[1:]
    if has_keypoints:
        values = values[:4]
    if min(values) < -_MARGIN or max(values) > 1 + _MARGIN:
        raise Refusal(
            Reason.BAD_BOX,
            f"{max(values, key=abs):g} is no fraction of the image's width or height",
        )
    if not number.is_integer() or int(number) not in names:
        raise Refusal(Reason.UNKNOWN_CATEGORY, f"class {number:g} has no name in the data set")
    category = names[int(number)]
    if len(values) >= _SHORTEST_OUTLINE:
        return _outlined(category, values)
    x, y, width, height = values[:4]
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return SourceObject(category, box, frame=FRACTIONS)


def _numbers(cells: list[str]) -> list[float]:
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError as error:
        raise Refusal(Reason.BAD_BOX, "not all of it is numbers") from error
    if not all(map(math.isfinite, numbers)):
        raise Refusal(Reason.BAD_BOX, "not all numbers are finite")
    after = len(numbers) - 1
    if after < 4 or (after > 5 and after % 2):
        raise Refusal(
            Reason.BAD_BOX, f"{after} numbers after the class are neither a box nor an outline"
        )
    return numbers


def _outlined(category: str, values: list[float]) -> SourceObject:
    corners = np.array(values).reshape(-1, 2)  # (corners, 2)
    (x0, y0), (x1, y1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    x, y = corners.T
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    return SourceObject(category, (x0, y0, x1, y1), area=area, frame=FRACTIONS)
