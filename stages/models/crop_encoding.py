"""Encode crops: boxes are cut out of their image, resized to a square, and encoded as images.

A crop has the native side of the tower, whatever the shape of its box, and the same mean and
deviation as any image; so its feature is what `Clip.encode_images` says of the cut-out.

Shapes: B images, R_b boxes of image b, R boxes of one image, S native side, D width, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from PIL import Image

from stages.memory import in_batches
from stages.models.preprocess import RESAMPLING, normalise
from stages.models.region_encoding import by_image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from stages.models.clip_spec import ClipSpec
    from stages.models.network import Clip

CROPS_PER_BATCH: Final = 128  # 77 MB of pixels at a native side of 224


@dataclass(frozen=True)
class CropConfig:
    """How boxes become images.

    Attributes:
        interpolation: How a crop is resized, one of `preprocess.INTERPOLATIONS`.
        margin: Added to each side of a box, as a share of its width and height.
    """

    interpolation: str
    margin: float = 0.0


def cut_crops(
    image: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    spec: ClipSpec,
    config: CropConfig,
) -> torch.Tensor:
    """Normalised crops (R, 3, S, S) float32 of boxes (R, 4), in pixels of `image` (H, W, 3)."""
    picture, side = Image.fromarray(image), spec.image_size
    crops = [normalise(_cut(picture, box, side, config), spec.mean, spec.std) for box in boxes]
    return torch.stack(crops) if crops else torch.zeros(0, 3, side, side)


def encode_crops(
    clip: Clip,
    image: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    config: CropConfig,
    batch_crops: int = CROPS_PER_BATCH,
) -> torch.Tensor:
    """Features of the boxes of one image, each encoded as an image of its own.

    Args:
        clip: Its image tower is used; call this without gradients, if none are needed.
        image: (H, W, 3) RGB.
        boxes: (R, 4), pixels of `image`.
        config: How boxes become images.
        batch_crops: Crops cut and encoded at a time.

    Returns:
        (R, D), not normalised, on the device of the model.
    """
    device = clip.logit_scale.device

    def encode(some: NDArray[np.float32]) -> torch.Tensor:
        return clip.encode_images(cut_crops(image, some, clip.spec, config).to(device))

    features = in_batches(boxes, batch_crops, encode, "region")
    return torch.cat(features) if features else torch.zeros(0, clip.width, device=device)


@torch.inference_mode()
def encode_crops_batched(
    clip: Clip,
    images: Sequence[NDArray[np.uint8]],
    boxes: Sequence[NDArray[np.float32]],
    config: CropConfig,
    batch_crops: int = CROPS_PER_BATCH,
) -> list[NDArray[np.float32]]:
    """Features (R_b, D) of the boxes of each image; crops of several images share a batch.

    Args:
        clip: Its image tower is used.
        images: B images (H_b, W_b, 3) RGB.
        boxes: B arrays (R_b, 4), pixels of `images`.
        config: How boxes become images.
        batch_crops: Crops cut and encoded at a time.
    """
    device, counts = clip.logit_scale.device, [len(of_image) for of_image in boxes]

    def encode(regions: range) -> torch.Tensor:
        crops = [
            cut_crops(images[b], boxes[b][first:last], clip.spec, config)
            for b, first, last in by_image(counts, regions)
        ]
        return clip.encode_images(torch.cat(crops).to(device)).float().cpu()

    batches = in_batches(range(sum(counts)), batch_crops, encode, "region")
    features = torch.cat(batches) if batches else torch.zeros(0, clip.width)
    return [of_image.numpy() for of_image in torch.split(features, counts)]


def _cut(
    picture: Image.Image, box: NDArray[np.float32], side: int, config: CropConfig
) -> NDArray[np.uint8]:
    """Pixels (S, S, 3) of a box with its margin, cut at the edges of the picture."""
    x0, y0, x1, y1 = (float(value) for value in box)
    margin_x, margin_y = config.margin * (x1 - x0), config.margin * (y1 - y0)
    left, right = _span_inside(x0 - margin_x, x1 + margin_x, picture.width)
    top, bottom = _span_inside(y0 - margin_y, y1 + margin_y, picture.height)
    box_inside, resampling = (left, top, right, bottom), RESAMPLING[config.interpolation]
    return np.asarray(picture.resize((side, side), resampling, box=box_inside))


def _span_inside(low: float, high: float, end: int) -> tuple[float, float]:
    """The span within 0 and `end`, moved and widened to a pixel if less than one is left.

    >>> _span_inside(-3.0, 4.5, 10), _span_inside(9.9, 12.0, 10), _span_inside(2.0, 2.1, 10)
    ((0.0, 4.5), (9.0, 10.0), (2.0, 3.0))
    """
    low = min(max(low, 0.0), end - 1.0)
    return low, min(max(high, low + 1.0), float(end))
