"""Augmentation: a fresh look at an image each epoch, and its boxes moved along exactly.

Shapes: R regions of an image, H W of the original image, h w of the network's input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from stages.models.preprocess import Size, normalise, prepare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.models.clip import ClipSpec

_BICUBIC = Image.Resampling.BICUBIC


@dataclass(frozen=True, slots=True)
class View:
    """One look at an image.

    Attributes:
        pixels: (3, h, w) float32, normalised.
        scale: What x and y of a box in the original image are multiplied by.
        flipped: Whether left and right were swapped after that.
    """

    pixels: torch.Tensor
    scale: tuple[float, float]
    flipped: bool

    def place(self, boxes: NDArray[np.float32]) -> torch.Tensor:
        """Boxes (R, 4) of the original image, in pixels of this view; float32."""
        placed = boxes * np.array(self.scale * 2, dtype=np.float32)
        if self.flipped:
            width = np.float32(self.pixels.shape[2])
            placed = np.stack(
                [width - placed[:, 2], placed[:, 1], width - placed[:, 0], placed[:, 3]], axis=1
            )
        return torch.from_numpy(placed)


@dataclass(frozen=True)
class MultiScale:
    """Resizes to one of several shortest sides, and flips left and right half of the time.

    Attributes:
        sizes: To choose from, each as likely.
        flip: Whether to flip at all.
        interpolation: One of `stages.models.preprocess.INTERPOLATIONS`.
        spec: Says how the network wants its pixels normalised.
    """

    sizes: tuple[Size, ...]
    flip: bool
    interpolation: str
    spec: ClipSpec

    def __call__(self, image: NDArray[np.uint8], draw: np.random.Generator) -> View:
        """A view of an image (H, W, 3)."""
        size = self.sizes[int(draw.integers(len(self.sizes)))]
        flipped = self.flip and bool(draw.integers(2))
        seen = prepare(image, size, self.interpolation, self.spec.mean, self.spec.std)
        pixels = seen.pixels.flip(2) if flipped else seen.pixels
        return View(pixels, seen.scale, flipped)


@dataclass(frozen=True)
class ZoomedCrop:
    """Square pixels of the network's native side S, in which objects come in many sizes.

    The shortest side of the image becomes S times a zoom drawn log-uniformly from its range; a
    random S x S window is kept of what is larger, and the mean colour surrounds what is smaller.

    Attributes:
        zoom: Smallest and largest.
        flip: Whether to flip half of the images.
        spec: Says S and how the network wants its pixels normalised.
    """

    zoom: tuple[float, float]
    flip: bool
    spec: ClipSpec

    def __call__(self, image: NDArray[np.uint8], draw: np.random.Generator) -> torch.Tensor:
        """Normalised pixels (3, S, S) of an image (H, W, 3)."""
        side = self.spec.image_size
        low, high = (math.log(z) for z in self.zoom)
        scale = side * math.exp(draw.uniform(low, high)) / min(image.shape[:2])
        tall, wide = (max(1, math.floor(length * scale + 0.5)) for length in image.shape[:2])
        top, left = (int(draw.integers(abs(length - side) + 1)) for length in (tall, wide))
        if draw.integers(2) and self.flip:
            image = image[:, ::-1]
        kept = _window(image, (tall, wide), (top, left), side)
        pixels = normalise(kept, self.spec.mean, self.spec.std)
        if pixels.shape[1:] == (side, side):
            return pixels
        canvas = torch.zeros(3, side, side)  # after normalisation 0 is the mean colour
        top, left = (top if tall < side else 0), (left if wide < side else 0)
        canvas[:, top : top + pixels.shape[1], left : left + pixels.shape[2]] = pixels
        return canvas


def _window(
    image: NDArray[np.uint8], resized: tuple[int, int], corner: tuple[int, int], side: int
) -> NDArray[np.uint8]:
    """What lies in the side x side window of the resized image; only that is resampled."""
    (tall, wide), (top, left) = resized, corner
    high, broad = min(tall, side), min(wide, side)
    y, x = (top if tall > side else 0), (left if wide > side else 0)
    up, across = image.shape[0] / tall, image.shape[1] / wide
    box = (x * across, y * up, (x + broad) * across, (y + high) * up)
    if (high, broad) == image.shape[:2] and box == (0, 0, broad, high):
        return image
    whole = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(whole.resize((broad, high), _BICUBIC, box=box))
