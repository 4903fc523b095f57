"""Forms of boxes: what the four numbers of a box mean in a file that another program wrote.

A file has a layout: x, y, width, height (COCO's JSON) or corners x0, y0, x1, y1. Programs write
corners where sizes belong, and fractions where pixels belong, and no field says so. All boxes of a
file together do: pixels do not all lie within [0, 1], and boxes seldom leave their images.
Nothing is guessed: a file whose boxes speak against its layout is refused, until the user names
the form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from schemas.boxes import from_xywh
from schemas.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BoxForm = Literal["auto", "xywh", "xyxy", "normalised"]  # an option of ingest and of propose
BoxLayout = Literal["xywh", "xyxy"]
BOX_FORM_DOC: Final = (
    "what the numbers of a box are: x, y, width, height or corners, in pixels, or fractions of the "
    "image; auto: as the format has it, refused if the boxes themselves speak against it"
)

_LEAVING: Final = 0.1  # share of boxes outside their images from which a layout is doubted
_FITTING: Final = 0.95  # share of boxes that must fit another layout, so that it is likelier
_MARGIN: Final = 0.02  # of a side: a sloppy box may lie so far outside


@dataclass(slots=True)
class BoxCensus:
    """Counts, over all boxes of a file, what their numbers can mean; add in any order.

    Attributes:
        name: Of the file, for messages.
        layout: What its format says the numbers are.
    """

    name: str
    layout: BoxLayout = "xywh"
    boxes: int = 0
    within_one: int = 0
    leaving: int = 0  # in this layout, inverted or outside their image
    fitting: int = 0  # in the other layout, inside their image
    leaving_one: int = 0  # the same two, for images of 1 x 1
    fitting_one: int = 0

    def add(self, numbers: NDArray[np.float32], sizes: NDArray[np.float32] | None = None) -> None:
        """Count boxes; those that are not finite, or zeros alone, are passed over.

        Args:
            numbers: (R, 4) as the file has them.
            sizes: (R, 2) width and height of each box's image, or (2,) of all; None or not above 0
                where they are not known.
        """
        is_box = np.isfinite(numbers).all(axis=1) & numbers.any(axis=1)  # not a row of padding
        known = np.zeros(2, np.float32) if sizes is None else sizes
        known = np.broadcast_to(known, (len(numbers), 2))[is_box]
        limits = np.where((known > 0).all(axis=1, keepdims=True), known, np.float32(np.inf))
        numbers = numbers[is_box]
        ones = np.ones_like(limits)
        self.boxes += len(numbers)
        self.within_one += int(_inside(numbers, ones).all(axis=1).sum())
        self.leaving += int(_leaves(numbers, limits, self.layout).sum())
        self.fitting += int((~_leaves(numbers, limits, _other(self.layout))).sum())
        self.leaving_one += int(_leaves(numbers, ones, self.layout).sum())
        self.fitting_one += int((~_leaves(numbers, ones, _other(self.layout))).sum())

    def form(self, asked: BoxForm = "auto") -> tuple[BoxLayout, bool]:
        """The layout of the numbers, and whether they are fractions of the image.

        Args:
            asked: What the user says they are. Of fractions, the layout follows from the boxes.

        Raises:
            SourceError: With `auto`, if the boxes speak against what the format says.
        """
        if asked == "normalised":
            is_other = _is_likelier(self.boxes, self.leaving_one, self.fitting_one)
            return (_other(self.layout) if is_other else self.layout), True
        if asked == "auto":
            doubt = self.doubt()
            if doubt:
                raise SourceError(doubt)
            return self.layout, False
        return asked, False

    def doubt(self) -> str | None:
        """Why the numbers are not what the format says, and what to do; None if they can be."""
        if 2 * self.within_one > self.boxes:
            return (
                f"{self.name}: {self.within_one:,} of {self.boxes:,} boxes are within [0, 1], so "
                "they look normalised; give --boxes normalised, or, if they are pixels, "
                f"--boxes {self.layout}"
            )
        if _is_likelier(self.boxes, self.leaving, self.fitting):
            other = _other(self.layout)
            return (
                f"{self.name}: read as {_MEANING[self.layout]}, {self.leaving:,} of {self.boxes:,} "
                f"boxes leave their images; read as {_MEANING[other]}, {self.fitting:,} fit; give "
                f"--boxes {other}, or, if the boxes are only inexact, --boxes {self.layout}"
            )
        return None


def to_corners(numbers: NDArray[np.float32], layout: BoxLayout) -> NDArray[np.float32]:
    """Corners of boxes in a layout. (R, 4) to (R, 4), in the same unit."""
    return from_xywh(numbers) if layout == "xywh" else numbers


_MEANING: Final = {"xywh": "x, y, width, height", "xyxy": "corners x0, y0, x1, y1"}


def _other(layout: BoxLayout) -> BoxLayout:
    return "xyxy" if layout == "xywh" else "xywh"


def _is_likelier(boxes: int, leaving: int, fitting: int) -> bool:
    """Whether boxes have the other layout: in this one many leave, in the other nearly all fit."""
    return leaving > _LEAVING * boxes and fitting >= _FITTING * boxes


def _leaves(
    numbers: NDArray[np.float32], sizes: NDArray[np.float32], layout: BoxLayout
) -> NDArray[np.bool_]:
    """Whether each box, in a layout, is inverted or leaves its image by more than the margin."""
    with np.errstate(over="ignore"):
        corners = to_corners(numbers, layout)
    is_inverted = (corners[:, 2:] <= corners[:, :2]).any(axis=1)
    return np.asarray(is_inverted | ~_inside(corners, sizes).all(axis=1))


def _inside(corners: NDArray[np.float32], sizes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether each number is inside its image, with the margin. (R, 4) and (R, 2) to (R, 4)."""
    limits = np.concatenate([sizes, sizes], axis=1)
    margin = np.maximum(_MARGIN * limits, limits > 1)  # a pixel at least, unless they are fractions
    return np.asarray((corners >= -margin) & (corners <= limits + margin))
