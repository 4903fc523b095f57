"""Augmentation: a random view of an image, and the mapping of its boxes into that view.

Shapes: R regions of an image, H W of the original image, h w of the network's input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from stages.models.preprocess import RESAMPLING, Size, normalise, prepare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.models.clip import ClipSpec


@dataclass(frozen=True, slots=True)
class View:
    """An image after augmentation.

    Attributes:
        pixels: (3, h, w) float32, normalised.
        scale: Factors of x and y from the original image to `pixels`.
        flipped: Whether left and right were swapped after scaling.
    """

    pixels: torch.Tensor
    scale: tuple[float, float]
    flipped: bool

    def transform_boxes(self, boxes: NDArray[np.float32]) -> torch.Tensor:
        """Boxes (R, 4) of the original image in pixels of this view; float32."""
        moved = boxes * np.array(self.scale * 2, dtype=np.float32)
        if self.flipped:
            width = np.float32(self.pixels.shape[2])
            moved = np.stack(
                [width - moved[:, 2], moved[:, 1], width - moved[:, 0], moved[:, 3]], axis=1
            )
        return torch.from_numpy(moved)


@dataclass(frozen=True)
class MultiScale:
    """Resizes to a random one of several sizes, and flips half of the images left to right.

    Attributes:
        sizes: Sizes to choose from, all equally likely.
        flip: Whether to flip half of the images.
        interpolation: One of `stages.models.preprocess.INTERPOLATIONS`.
        spec: Mean and deviation of the network's input.
    """

    sizes: tuple[Size, ...]
    flip: bool
    interpolation: str
    spec: ClipSpec

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator) -> View:
        """A view of an image (H, W, 3)."""
        size = self.sizes[int(rng.integers(len(self.sizes)))]
        flipped = self.flip and bool(rng.integers(2))
        prepared = prepare(image, size, self.interpolation, self.spec.mean, self.spec.std)
        pixels = prepared.pixels.flip(2) if flipped else prepared.pixels
        return View(pixels, prepared.scale, flipped)


@dataclass(frozen=True)
class ZoomedCrop:
    """Makes a random square crop of the network's native side S, with objects at many scales.

    The shortest side of the image is scaled to S times a zoom, sampled log-uniformly from its
    range. A larger image is cropped at random to S x S; a smaller one is padded at random with
    the mean colour.

    Attributes:
        zoom: Smallest and largest factor.
        flip: Whether to flip half of the images.
        spec: S, and mean and deviation of the network's input.
    """

    zoom: tuple[float, float]
    flip: bool
    spec: ClipSpec

    def __call__(self, image: NDArray[np.uint8], rng: np.random.Generator) -> torch.Tensor:
        """Normalised pixels (3, S, S) of an image (H, W, 3)."""
        side = self.spec.image_size
        low, high = (math.log(z) for z in self.zoom)
        scale = side * math.exp(rng.uniform(low, high)) / min(image.shape[:2])
        tall, wide = (max(1, math.floor(length * scale + 0.5)) for length in image.shape[:2])
        top, left = (int(rng.integers(abs(length - side) + 1)) for length in (tall, wide))
        if rng.integers(2) and self.flip:
            image = image[:, ::-1]
        window = _crop_resized(image, (tall, wide), (top, left), self.spec)
        pixels = normalise(window, self.spec.mean, self.spec.std)
        if pixels.shape[1:] == (side, side):
            return pixels
        canvas = torch.zeros(3, side, side)  # after normalisation 0 is the mean colour
        top, left = (top if tall < side else 0), (left if wide < side else 0)
        canvas[:, top : top + pixels.shape[1], left : left + pixels.shape[2]] = pixels
        return canvas


def _crop_resized(
    image: NDArray[np.uint8], resized: tuple[int, int], corner: tuple[int, int], spec: ClipSpec
) -> NDArray[np.uint8]:
    """A window of the native size of the resized image; only the window is resampled."""
    (tall, wide), (top, left), side = resized, corner, spec.image_size
    height, width = min(tall, side), min(wide, side)
    y, x = (top if tall > side else 0), (left if wide > side else 0)
    scale_y, scale_x = image.shape[0] / tall, image.shape[1] / wide
    box = (x * scale_x, y * scale_y, (x + width) * scale_x, (y + height) * scale_y)
    if (height, width) == image.shape[:2] and box == (0, 0, width, height):
        return image
    original = Image.fromarray(np.ascontiguousarray(image))
    return np.asarray(original.resize((width, height), RESAMPLING[spec.interpolation], box=box))
