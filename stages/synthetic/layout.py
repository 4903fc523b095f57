"""Layout: where objects lie in a picture, so that each stays visible enough, and painting them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image, ImageFilter

from stages.synthetic.sprite import VISIBLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.synthetic.sprite import Sprite

_T = TypeVar("_T", bound=np.generic)

MIN_VISIBLE = 0.45  # share of an object's pixels that must stay in the picture and uncovered
_TRIES = 14  # places tried for one object before it is left out
_OVERHANG = 0.125  # share of an object's width or height that may lie outside the picture


@dataclass(frozen=True)
class Placed:
    """A sprite and the pixel of the picture its top left corner lies on."""

    sprite: Sprite
    x: int
    y: int


class Layout:
    """Objects of one picture, the last on top.

    Attributes:
        placed: The objects from the bottom to the top.
        owner: (H, W) int16, index of the topmost object at each pixel, -1 for none.
    """

    def __init__(self, width: int, height: int) -> None:
        self.placed: list[Placed] = []
        self.owner: NDArray[np.int16] = np.full((height, width), -1, dtype=np.int16)
        self._pixels: list[int] = []

    def add(self, new: Sprite, rng: np.random.Generator, *, centred: bool = False) -> bool:
        """Put an object on top where it hides no other too much; False if no place was found."""
        mask = new.pixels[..., 3] >= VISIBLE
        for _ in range(_TRIES):
            x, y = self._spot(new, rng, centred=centred)
            if self._fits(mask, x, y):
                rows, columns, inside = _window(self.owner.shape, mask, x, y)
                self.owner[rows, columns][inside] = len(self.placed)
                self.placed.append(Placed(new, x, y))
                self._pixels.append(int(mask.sum()))
                return True
        return False

    def visible_shares(self) -> NDArray[np.float64]:
        """(R,) share of each object's pixels that can be seen, in [0, 1]."""
        seen = np.bincount(self.owner[self.owner >= 0], minlength=len(self.placed))
        return seen / np.array(self._pixels, dtype=np.float64)

    def boxes(self) -> NDArray[np.float32]:
        """(R, 4) box of each whole object, hidden parts included, clipped to the picture."""
        height, width = self.owner.shape
        corners = np.zeros((len(self.placed), 4), dtype=np.float32)
        for i, p in enumerate(self.placed):
            h, w = p.sprite.pixels.shape[:2]
            corners[i] = max(0, p.x), max(0, p.y), min(width, p.x + w), min(height, p.y + h)
        return corners

    def paint(self, canvas: NDArray[np.float32], shadow: float) -> NDArray[np.float32]:
        """Paint every object over a canvas (H, W, 3), each with a soft shadow of this strength."""
        for p in self.placed:
            if shadow > 0:
                _cast(canvas, p, shadow)
            alpha = p.sprite.pixels[..., 3]
            rows, columns, cover = _window(self.owner.shape, alpha, p.x, p.y)
            _, _, colour = _window(self.owner.shape, p.sprite.pixels[..., :3], p.x, p.y)
            weight = cover[..., None].astype(np.float32) / 255
            under = canvas[rows, columns]
            canvas[rows, columns] = under + (colour - under) * weight
        return canvas

    def _spot(self, new: Sprite, rng: np.random.Generator, *, centred: bool) -> tuple[int, int]:
        height, width = self.owner.shape
        h, w = new.pixels.shape[:2]
        if centred:
            return _near_middle(width, w, rng), _near_middle(height, h, rng)
        return _anywhere(width, w, rng), _anywhere(height, h, rng)

    def _fits(self, mask: NDArray[np.bool_], x: int, y: int) -> bool:
        rows, columns, inside = _window(self.owner.shape, mask, x, y)
        if inside.sum() < MIN_VISIBLE * mask.sum():
            return False
        covered = self.owner[rows, columns][inside]
        lost = np.bincount(covered[covered >= 0], minlength=len(self.placed))
        if not lost.any():
            return True
        left = self.visible_shares() - lost / np.array(self._pixels)
        return bool((left >= MIN_VISIBLE).all())


def _window(
    shape: tuple[int, ...], pixels: NDArray[_T], x: int, y: int
) -> tuple[slice, slice, NDArray[_T]]:
    """Rows and columns of the picture under a sprite, and the part of it that lies inside."""
    h, w = pixels.shape[:2]
    y0, y1, x0, x1 = max(0, y), min(shape[0], y + h), max(0, x), min(shape[1], x + w)
    y1, x1 = max(y0, y1), max(x0, x1)
    return slice(y0, y1), slice(x0, x1), pixels[y0 - y : y1 - y, x0 - x : x1 - x]


def _near_middle(whole: int, part: int, rng: np.random.Generator) -> int:
    free = max(0, whole - part)
    return round((whole - part) / 2 + free * rng.uniform(-0.4, 0.4))


def _anywhere(whole: int, part: int, rng: np.random.Generator) -> int:
    low = -part * _OVERHANG
    return round(rng.uniform(low, max(low, whole - part * (1 - _OVERHANG))))


def _cast(canvas: NDArray[np.float32], placed: Placed, strength: float) -> None:
    """Darken the canvas by the blurred outline of an object, shifted down and to one side."""
    h, w = placed.sprite.pixels.shape[:2]
    pad = 2 + max(h, w) // 12
    alpha = np.pad(placed.sprite.pixels[..., 3], pad)
    soft = np.asarray(Image.fromarray(alpha).filter(ImageFilter.BoxBlur(pad / 2)))
    x, y = placed.x - pad + pad // 3, placed.y - pad + pad // 2
    rows, columns, dark = _window(canvas.shape, soft, x, y)
    canvas[rows, columns] *= 1 - dark[..., None].astype(np.float32) * np.float32(strength / 255)
