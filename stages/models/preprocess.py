"""From decoded images to a network's input: resizing by Pillow, normalisation, padding, boxes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from PIL import Image

from stages.models.resizing import Size, fit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Triple = tuple[float, float, float]

__all__ = [
    "INTERPOLATIONS",
    "RESAMPLING",
    "NetworkInput",
    "Size",
    "fit",
    "normalise",
    "pad_batch",
    "prepare",
]

INTERPOLATIONS: Final = ("bilinear", "bicubic")
RESAMPLING: Final = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True, slots=True)
class NetworkInput:
    """An image that is ready for a network.

    Attributes:
        pixels: (3, h, w) float32, normalised.
        scale: Factors of x and y from the original image to `pixels`.
    """

    pixels: torch.Tensor
    scale: tuple[float, float]

    def scale_boxes(self, boxes: NDArray[np.float32]) -> torch.Tensor:
        """Boxes (R, 4) of the original image in the frame of `pixels`; float32."""
        x, y = self.scale
        return torch.from_numpy(boxes * np.array([x, y, x, y], np.float32))

    def whole_box(self) -> torch.Tensor:
        """The box (1, 4) of the whole image in the frame of `pixels`."""
        height, width = self.pixels.shape[1:]
        return torch.tensor([[0.0, 0.0, float(width), float(height)]])


def prepare(
    image: NDArray[np.uint8], size: Size, interpolation: str, mean: Triple, std: Triple
) -> NetworkInput:
    """Resize with Pillow and normalise.

    Args:
        image: (H, W, 3) RGB.
        size: Rule for the new size.
        interpolation: One of `INTERPOLATIONS`.
        mean: Of values in [0, 1], per channel; subtracted first.
        std: Divides the difference.
    """
    height, width = image.shape[:2]
    new_height, new_width = size.of(height, width)
    if (new_height, new_width) != (height, width):
        resized = Image.fromarray(image).resize((new_width, new_height), RESAMPLING[interpolation])
        image = np.asarray(resized)
    return NetworkInput(normalise(image, mean, std), (new_width / width, new_height / height))


def normalise(image: NDArray[Any], mean: Triple, std: Triple) -> torch.Tensor:
    """Pixels (3, H, W) float32 of an image (H, W, 3) uint8: in [0, 1], minus mean, over std."""
    pixels = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).float()
    shift, scale = torch.tensor(mean)[:, None, None], torch.tensor(std)[:, None, None]
    return pixels.div_(255).sub_(shift).div_(scale)


def pad_batch(images: Sequence[torch.Tensor], canvas: tuple[int, int]) -> torch.Tensor:
    """Images (3, h, w) as one batch (B, 3, H, W), zeros at the bottom and right.

    Args:
        images: B of them.
        canvas: H and W, at least the largest h and w.
    """
    batch = images[0].new_zeros((len(images), 3, *canvas))
    for index, image in enumerate(images):
        batch[index, :, : image.shape[1], : image.shape[2]] = image
    return batch
