"""Layout: positions of the objects in an image, each visible enough, and their compositing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image, ImageFilter

from stages.synthetic.sprite import VISIBLE_ALPHA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.synthetic.sprite import Sprite

_T = TypeVar("_T", bound=np.generic)

MIN_VISIBLE = 0.45  # share of an object's pixels that must stay visible in the image
_TRIES = 14  # positions tried for one object before it is left out
_OVERHANG = 0.125  # share of an object's width or height that may lie outside the image


@dataclass(frozen=True)
class PlacedSprite:
    """A sprite and the position of its top left pixel in the image."""

    sprite: Sprite
    x: int
    y: int


class Layout:
    """The objects of one image, the last on top.

    Attributes:
        placed: The objects from the bottom to the top.
        owner: (H, W) int16, index of the topmost object at each pixel, -1 for none.
    """

    def __init__(self, width: int, height: int) -> None:
        self.placed: list[PlacedSprite] = []
        self.owner: NDArray[np.int16] = np.full((height, width), -1, dtype=np.int16)
        self._pixels: list[int] = []

    def add(self, new: Sprite, rng: np.random.Generator, *, centred: bool = False) -> bool:
        """Put an object on top without occluding another too much; False if no position fits."""
        mask = new.pixels[..., 3] >= VISIBLE_ALPHA
        for _ in range(_TRIES):
            x, y = self._random_position(new, rng, centred=centred)
            if self._leaves_all_visible(mask, x, y):
                rows, columns, inside = _clip_to_image(self.owner.shape, mask, x, y)
                self.owner[rows, columns][inside] = len(self.placed)
                self.placed.append(PlacedSprite(new, x, y))
                self._pixels.append(int(mask.sum()))
                return True
        return False

    def visible_shares(self) -> NDArray[np.float64]:
        """(R,) visible share of each object's pixels, in [0, 1]."""
        visible = np.bincount(self.owner[self.owner >= 0], minlength=len(self.placed))
        return visible / np.array(self._pixels, dtype=np.float64)

    def boxes(self) -> NDArray[np.float32]:
        """(R, 4) box of each whole object, with its occluded parts, clipped to the image."""
        height, width = self.owner.shape
        corners = np.zeros((len(self.placed), 4), dtype=np.float32)
        for i, placed in enumerate(self.placed):
            h, w = placed.sprite.pixels.shape[:2]
            corners[i] = (
                max(0, placed.x),
                max(0, placed.y),
                min(width, placed.x + w),
                min(height, placed.y + h),
            )
        return corners

    def composite(self, image: NDArray[np.float32], shadow: float) -> NDArray[np.float32]:
        """Draw every object over an image (H, W, 3), each with a soft shadow of this strength."""
        for placed in self.placed:
            if shadow > 0:
                _darken_shadow(image, placed, shadow)
            alpha = placed.sprite.pixels[..., 3]
            rows, columns, cover = _clip_to_image(self.owner.shape, alpha, placed.x, placed.y)
            _, _, colour = _clip_to_image(
                self.owner.shape, placed.sprite.pixels[..., :3], placed.x, placed.y
            )
            weight = cover[..., None].astype(np.float32) / 255
            under = image[rows, columns]
            image[rows, columns] = under + (colour - under) * weight
        return image

    def _random_position(
        self, new: Sprite, rng: np.random.Generator, *, centred: bool
    ) -> tuple[int, int]:
        height, width = self.owner.shape
        h, w = new.pixels.shape[:2]
        if centred:
            return _random_near_centre(width, w, rng), _random_near_centre(height, h, rng)
        return _random_offset(width, w, rng), _random_offset(height, h, rng)

    def _leaves_all_visible(self, mask: NDArray[np.bool_], x: int, y: int) -> bool:
        rows, columns, inside = _clip_to_image(self.owner.shape, mask, x, y)
        if inside.sum() < MIN_VISIBLE * mask.sum():
            return False
        covered = self.owner[rows, columns][inside]
        occluded = np.bincount(covered[covered >= 0], minlength=len(self.placed))
        if not occluded.any():
            return True
        remaining = self.visible_shares() - occluded / np.array(self._pixels)
        return bool((remaining >= MIN_VISIBLE).all())


def _clip_to_image(
    shape: tuple[int, ...], pixels: NDArray[_T], x: int, y: int
) -> tuple[slice, slice, NDArray[_T]]:
    """Rows and columns of the image under a sprite, and the part of the sprite inside the image."""
    h, w = pixels.shape[:2]
    y0, y1, x0, x1 = max(0, y), min(shape[0], y + h), max(0, x), min(shape[1], x + w)
    y1, x1 = max(y0, y1), max(x0, x1)
    return slice(y0, y1), slice(x0, x1), pixels[y0 - y : y1 - y, x0 - x : x1 - x]


def _random_near_centre(image_side: int, sprite_side: int, rng: np.random.Generator) -> int:
    free_space = max(0, image_side - sprite_side)
    return round((image_side - sprite_side) / 2 + free_space * rng.uniform(-0.4, 0.4))


def _random_offset(image_side: int, sprite_side: int, rng: np.random.Generator) -> int:
    low = -sprite_side * _OVERHANG
    return round(rng.uniform(low, max(low, image_side - sprite_side * (1 - _OVERHANG))))


def _darken_shadow(image: NDArray[np.float32], placed: PlacedSprite, strength: float) -> None:
    """Darken the image by the blurred mask of an object, shifted down and to the right."""
    h, w = placed.sprite.pixels.shape[:2]
    pad = 2 + max(h, w) // 12
    alpha = np.pad(placed.sprite.pixels[..., 3], pad)
    blurred = np.asarray(Image.fromarray(alpha).filter(ImageFilter.BoxBlur(pad / 2)))
    x, y = placed.x - pad + pad // 3, placed.y - pad + pad // 2
    rows, columns, dark = _clip_to_image(image.shape, blurred, x, y)
    image[rows, columns] *= 1 - dark[..., None].astype(np.float32) * np.float32(strength / 255)
