"""The size that an image is resized to; imports no torch, so that options can be checked fast.

Source: detectron2's ResizeShortestEdge, with the same rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.errors import OptionError

MODES: Final = ("shortest", "longest", "squash")  # open_clip's words for native sizes
_UNLIMITED: Final = 1 << 20  # pixels; no image is this long


@dataclass(frozen=True, slots=True)
class Size:
    """The rule for the size of resized images: shortest side, and a limit of the longest side.

    Attributes:
        shortest: Shortest side, pixels; None keeps the size of every image.
        longest: Limit of the longest side, pixels.
        squash: Whether both sides become `shortest`, whatever the aspect ratio was.
    """

    shortest: int | None
    longest: int = _UNLIMITED
    squash: bool = False

    @classmethod
    def parse(cls, text: str, native: int, mode: str = "shortest") -> Size:
        """The size that `text` names: 800x1333 (shortest and longest side), native, or none.

        Args:
            text: As typed; "native" means the side that the network was trained with.
            native: That side, pixels.
            mode: Which of an image's sides become native, one of `MODES`.

        Raises:
            OptionError: If `text` is something else.
        """
        if text == "none":
            return cls(None)
        if text == "native":
            return cls(native, native if mode == "longest" else _UNLIMITED, mode == "squash")
        shortest, _, longest = text.partition("x")
        if not (shortest.isdecimal() and longest.isdecimal() and 0 < int(shortest) <= int(longest)):
            raise OptionError(
                f"--resize takes SHORTESTxLONGEST in pixels such as 800x1333, native, or none, "
                f"got {text!r}"
            )
        return cls(int(shortest), int(longest))

    def of(self, height: int, width: int) -> tuple[int, int]:
        """The new (height, width) of an image of `height` x `width`."""
        if self.shortest is None:
            return height, width
        if self.squash:
            return self.shortest, self.shortest
        return fit(height, width, self.shortest, self.longest)


def fit(height: int, width: int, shortest: int, longest: int) -> tuple[int, int]:
    """The new (height, width): the shortest side becomes `shortest`, or the longest `longest`.

    The aspect ratio stays. Halves are rounded up, as in detectron2; no side becomes 0.

    >>> fit(480, 640, 800, 1333)
    (800, 1067)
    >>> fit(400, 1000, 800, 1333)
    (533, 1333)
    >>> fit(346, 692, 800, 1333)
    (666, 1333)
    """
    scale = shortest / min(height, width)
    new_height = new_width = float(shortest)  # not scaled: 800 / 346 * 346 is not exactly 800
    if height < width:
        new_width = scale * width
    else:
        new_height = scale * height
    if max(new_height, new_width) > longest:
        shrink = longest / max(new_height, new_width)
        new_height, new_width = new_height * shrink, new_width * shrink
    return max(1, int(new_height + 0.5)), max(1, int(new_width + 0.5))
