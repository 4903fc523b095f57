"""Pictures of three squares each, with objects drawn around them, in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from schemas.images import IMAGES
from tests.in_memory import InMemory
from tests.stages.training import tiny

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Object = dict[str, Any]


def objects(number: int) -> list[Object]:
    """The squares of a picture."""
    _, _, boxes, concepts = tiny.picture(number)
    return [drawn(box, tiny.NAMES[concept]) for box, concept in zip(boxes, concepts, strict=True)]


def drawn(box: list[float], category: str, *, is_crowd: bool = False) -> Object:
    """An object as `images` has it."""
    sides = dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))
    area = (box[2] - box[0]) * (box[3] - box[1])
    return {"category": category, **sides, "area": area, "is_crowd": is_crowd}


def images(numbers: range, draw: Callable[[int], list[Object]] = objects) -> pa.Table:
    """Rows of `images`, 60 x 48 pixels, packed, with what `draw` says of each."""
    table = tiny.images(numbers)
    place = table.column_names.index("objects")
    column = pa.array([draw(n) for n in numbers], IMAGES.arrow.field("objects").type)
    return table.set_column(place, IMAGES.arrow.field("objects"), column)


def parts(folder: Path, draw: Callable[[int], list[Object]] = objects, count: int = 12) -> InMemory:
    """Images in two parts, as a single task reads them; `folder` is made."""
    folder.mkdir(parents=True, exist_ok=True)
    half = count // 2
    slices = [
        InMemory({"images": images(numbers, draw)}, number=k)
        for k, numbers in enumerate((range(half), range(half, count)))
    ]
    return InMemory({}, folder, more=slices)
