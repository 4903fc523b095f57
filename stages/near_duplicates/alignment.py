"""Alignment: which part of one picture shows what another shows, and how well the two agree.

The sides of the part are moved as long as the agreement grows, in steps that become finer. So a
copy agrees whatever was cut off, and two pictures with nothing in common do not.

Shapes: S side of a grey picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from stages.near_duplicates.spectra import WHOLE, Window, spectra

if TYPE_CHECKING:
    from numpy.typing import NDArray

Side = Literal["image", "other"]

FREQUENCIES: Final = 16  # of each axis; a picture and its copy still agree in them
SMALLEST_PART: Final = 0.8  # of a side; what shows less is not the same picture
UNCROPPED: Final = 0.97  # share of a side from which on nothing is called cropped
_STEPS: Final = (0.02, 0.01, 0.005)  # by which a side moves
_ROUNDS: Final = 8  # of each step
_MOVED: Final = (("x0",), ("x1",), ("y0",), ("y1",), ("x0", "x1"), ("y0", "y1"))


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """Where two pictures may agree.

    Attributes:
        mirrored: Whether the other is to be mirrored first.
        larger: Which of the two shows more; None if nobody knows.
        window: The part of the larger one that the smaller one shows; after it is mirrored.
    """

    mirrored: bool = False
    larger: Side | None = None
    window: Window = WHOLE


@dataclass(frozen=True, slots=True)
class PictureAgreement:
    """How two pictures agree.

    Attributes:
        similarity: Correlation of their spectra where they are aligned, in [-1, 1].
        mirrored: Whether one has left and right exchanged.
        cropped: Which of them shows only a part of the other.
    """

    similarity: float
    mirrored: bool
    cropped: Side | None


def agreement(
    image: NDArray[np.uint8], other: NDArray[np.uint8], hypothesis: Hypothesis
) -> PictureAgreement:
    """How two pictures (S, S) agree, near where they may."""
    if hypothesis.mirrored:
        other = other[:, ::-1]
    ways: list[tuple[float, Window, Side]] = []
    if hypothesis.larger != "image":
        ways.append((*aligned(image, other, hypothesis.window), "image"))
    if hypothesis.larger != "other":
        ways.append((*aligned(other, image, hypothesis.window), "other"))
    similarity, part, smaller = max(ways, key=lambda way: way[0])
    cropped = None if part.smaller_side >= UNCROPPED else smaller
    return PictureAgreement(min(similarity, 1.0), hypothesis.mirrored, cropped)


def aligned(
    smaller: NDArray[np.uint8], larger: NDArray[np.uint8], start: Window = WHOLE
) -> tuple[float, Window]:
    """The part of one picture (S, S) that agrees best with all of another, near `start`.

    Returns:
        The correlation of the two spectra, in [-1, 1], and the part.
    """
    (whole,) = spectra(smaller[None], FREQUENCIES)
    searched = larger[None].astype(np.float64)

    def similarity(window: Window) -> float:
        return float(whole @ spectra(searched, FREQUENCIES, window)[0])

    best, window = similarity(start), start
    for step in _STEPS:
        for _ in range(_ROUNDS):
            moved = [(similarity(one), one) for one in _moves(window, step)]
            highest = max(moved, key=lambda pair: pair[0])
            if highest[0] <= best:
                break
            best, window = highest
    return best, window


def _moves(window: Window, step: float) -> list[Window]:
    """The parts one or two of whose sides are a step away."""
    moves = []
    for sides in _MOVED:
        for signed in (-step, step):
            # rounded, so that equal parts are equal numbers whichever way led to them
            moved = replace(
                window, **{side: round(getattr(window, side) + signed, 4) for side in sides}
            )
            inside = min(moved.x0, moved.y0) >= 0 and max(moved.x1, moved.y1) <= 1
            if inside and moved.smaller_side >= SMALLEST_PART:
                moves.append(moved)
    return moves
