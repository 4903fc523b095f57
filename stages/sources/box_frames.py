"""Frames of boxes: annotations made for an image before it was turned or resized fit it afterwards.

Programs draw boxes on the pixels as they are stored, or on the upright image, or on a copy of
another size; the size that their file states tells which. Only exact relations are used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Frame = tuple[float, float]  # width and height


class ImageShape(NamedTuple):
    """Size of an image after its EXIF orientation, 1 to 8, is applied."""

    width: int
    height: int
    orientation: int = 1


@dataclass(frozen=True, slots=True)
class Move:
    """How boxes of a frame come into their image: scaled, then turned as the orientation says.

    Attributes:
        scale: Factors of width and height.
        turned: Size of the stored pixels if the boxes lie on them and must be turned, else None.
        orientation: EXIF orientation of the image.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    turned: Frame | None = None
    orientation: int = 1

    def apply(self, boxes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Corners in pixels of the upright image. (R, 4) to (R, 4)."""
        with np.errstate(over="ignore"):  # becomes infinite, and is refused later
            scaled = boxes * np.array([*self.scale, *self.scale])
        return scaled if self.turned is None else turn(scaled, self.turned, self.orientation)


def move_into(frame: Frame | None, shape: ImageShape) -> Move | None:
    """How boxes made for a frame come into an image; None if their sizes have no exact relation.

    >>> move_into((200, 120), ImageShape(100, 60)).scale
    (0.5, 0.5)
    >>> move_into((100, 60), ImageShape(60, 100, orientation=6)).turned
    (100, 60)
    >>> move_into((100, 70), ImageShape(100, 60)) is None
    True
    """
    upright = (shape.width, shape.height)
    stored = upright[::-1] if shape.orientation >= 5 else upright
    if frame is None or frame == upright:
        return Move()
    if frame == (1, 1):
        return Move(upright)
    is_of_upright = _is_resized(frame, upright)
    is_of_stored = stored != upright and _is_resized(frame, stored)
    if frame == stored or (is_of_stored and not is_of_upright):
        return Move(_scale(frame, stored), stored, shape.orientation)
    if is_of_upright and not is_of_stored:
        return Move(_scale(frame, upright))
    return None


def turn(boxes: NDArray[np.float64], stored: Frame, orientation: int) -> NDArray[np.float64]:
    """Corners on stored pixels as corners on the upright image. (R, 4) to (R, 4).

    Args:
        boxes: Corners in pixels.
        stored: Width and height before the orientation is applied.
        orientation: EXIF orientation, 1 to 8.

    >>> turn(np.array([[70.0, 10, 90, 20]]), (100, 60), 6).tolist()
    [[40.0, 70.0, 50.0, 90.0]]
    """
    x0, y0, x1, y1 = boxes.T
    width, height = stored
    if orientation in (2, 3, 7, 8):
        x0, x1 = width - x1, width - x0
    if orientation in (3, 4, 6, 7):
        y0, y1 = height - y1, height - y0
    if orientation >= 5:
        x0, y0, x1, y1 = y0, x0, y1, x1
    return np.stack([x0, y0, x1, y1], axis=1)


def _scale(frame: Frame, size: Frame) -> tuple[float, float]:
    return size[0] / frame[0], size[1] / frame[1]


def _is_resized(frame: Frame, size: Frame) -> bool:
    """Whether one is the other resized: of the same shape but for the rounding to whole pixels."""
    (small_width, small_height), (width, height) = sorted((frame, size))
    if small_height > height:
        return False
    is_exact_in_width = abs(height * small_width / width - small_height) <= 1
    is_exact_in_height = abs(width * small_height / height - small_width) <= 1
    return is_exact_in_width or is_exact_in_height
