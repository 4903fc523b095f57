"""Places for the tags of boxes in a picture: near their boxes, and not on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Rectangle = tuple[float, float, float, float]  # x0, y0, x1, y1

_STEP: Final = 6  # pixels between the places that are tried further away from a box
_ROWS: Final = 8  # heights of a tag, up and down, of these places


@dataclass(frozen=True)
class Tag:
    """A box in pixels of the picture, and the size of its tag."""

    box: Rectangle
    width: float
    height: float


def place_tags(tags: Sequence[Tag], size: tuple[int, int]) -> list[Rectangle]:
    """A rectangle for each tag, inside a picture of this width and height.

    No two overlap as long as there is room nearby. A tag touches its box if it can, where it hides
    the least of other boxes; else it is as near as possible. Small boxes choose first.
    """
    places: dict[int, Rectangle] = {}
    for index in sorted(range(len(tags)), key=lambda index: (_area(tags[index].box), index)):
        others = [other.box for at, other in enumerate(tags) if at != index]
        places[index] = _place(tags[index], list(places.values()), others, size)
    return [places[index] for index in range(len(tags))]


def touches(place: Rectangle, box: Rectangle) -> bool:
    """Whether two rectangles share at least a point."""
    return place[0] <= box[2] and box[0] <= place[2] and place[1] <= box[3] and box[1] <= place[3]


def _place(
    tag: Tag, taken: Sequence[Rectangle], others: Sequence[Rectangle], size: tuple[int, int]
) -> Rectangle:
    def is_free(place: Rectangle) -> bool:
        return not any(_shared(place, one) for one in taken)

    near = [place for place in _near(tag, size) if is_free(place)]
    if near:
        return min(near, key=lambda place: sum(_shared(place, box) for box in others))
    return next(filter(is_free, _around(tag, size)), next(_near(tag, size)))


def _near(tag: Tag, size: tuple[int, int]) -> Iterator[Rectangle]:
    """Places at the corners of the box: above, below, inside; the first is always the usual one."""
    x0, y0, x1, y1 = tag.box
    for y in (y0 - tag.height, y1, y0, y1 - tag.height):
        for x in (x0, x1 - tag.width):
            yield _inside(x, y, tag, size)


def _around(tag: Tag, size: tuple[int, int]) -> list[Rectangle]:
    """Places up to some widths and heights away, those near the usual one first."""
    x, y = tag.box[0], tag.box[1] - tag.height
    reach = range(-int(2 * tag.width), int(2 * tag.width) + 1, _STEP)
    offsets = [(right, down * tag.height) for right in reach for down in range(-_ROWS, _ROWS + 1)]
    offsets.sort(key=lambda offset: offset[0] ** 2 + offset[1] ** 2)
    return [_inside(x + right, y + down, tag, size) for right, down in offsets]


def _inside(x: float, y: float, tag: Tag, size: tuple[int, int]) -> Rectangle:
    left = min(max(0.0, x), max(0.0, size[0] - tag.width))
    top = min(max(0.0, y), max(0.0, size[1] - tag.height))
    return left, top, left + tag.width, top + tag.height


def _shared(a: Rectangle, b: Rectangle) -> float:
    """Area that two rectangles share."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return width * height if width > 0 and height > 0 else 0.0


def _area(box: Rectangle) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
