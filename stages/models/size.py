"""How large an image becomes before a network looks at it; no torch, so that options can check.

Source: detectron2's ResizeShortestEdge, whose rounding is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.errors import OptionError

_UNLIMITED: Final = 1 << 20  # pixels; a longest side no image reaches


@dataclass(frozen=True, slots=True)
class Size:
    """How large an image becomes: its shortest side, unless the longest would exceed its limit.

    Attributes:
        shortest: Pixels; None leaves every image as it is.
        longest: Pixels.
    """

    shortest: int | None
    longest: int = _UNLIMITED

    @classmethod
    def parse(cls, text: str, native: int) -> Size:
        """The size that `text` names: 800x1333 (shortest and longest side), native, or none.

        Args:
            text: As typed; "native" makes the shortest side what the network was trained on.
            native: That side, pixels.

        Raises:
            OptionError: If `text` is none of these.
        """
        if text == "none":
            return cls(None)
        if text == "native":
            return cls(native)
        shortest, _, longest = text.partition("x")
        if not (shortest.isdecimal() and longest.isdecimal() and 0 < int(shortest) <= int(longest)):
            raise OptionError(
                f"--resize takes SHORTESTxLONGEST in pixels such as 800x1333, native, or none, "
                f"got {text!r}"
            )
        return cls(int(shortest), int(longest))

    def of(self, height: int, width: int) -> tuple[int, int]:
        """The (height, width) an image of `height` x `width` becomes."""
        if self.shortest is None:
            return height, width
        return fit(height, width, self.shortest, self.longest)


def fit(height: int, width: int, shortest: int, longest: int) -> tuple[int, int]:
    """The (height, width) whose shortest side is `shortest`, or whose longest is `longest`.

    Halves are rounded up, as detectron2 does; no side becomes 0.

    >>> fit(480, 640, 800, 1333)
    (800, 1067)
    >>> fit(400, 1000, 800, 1333)
    (533, 1333)
    >>> fit(346, 692, 800, 1333)
    (666, 1333)
    """
    scale = shortest / min(height, width)
    high, wide = float(shortest), float(shortest)  # exactly: 800 / 346 * 346 is not 800
    if height < width:
        wide = scale * width
    else:
        high = scale * height
    if max(high, wide) > longest:
        shrink = longest / max(high, wide)
        high, wide = high * shrink, wide * shrink
    return max(1, int(high + 0.5)), max(1, int(wide + 0.5))
