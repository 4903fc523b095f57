"""Features of the boxes of one image, by RoIAlign or by encoding each crop as an image.

Shapes: R boxes of an image, D feature width, S native side of the image tower, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import torch
from PIL import Image

from stages.models.preprocess import normalise, prepare
from stages.models.resizing import Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.models.network import Clip

_REGIONS_PER_BATCH: Final = 128  # 100 MB of RoIAligned maps of an RN50


@dataclass(frozen=True)
class PoolingConfig:
    """How the feature of a box is made.

    Attributes:
        pooling: roialign, from one feature map of the resized image; or crop, where each box is
            cut out of the original, resized to a square whatever its shape, and encoded like an
            image.
        resize: Size of the image for roialign, as `Size.parse` takes it.
        interpolation: bilinear or bicubic; of the image, or of the crops.
        margin: Added to each side of a crop, as a share of the box's width and height.
    """

    pooling: Literal["roialign", "crop"]
    resize: str
    interpolation: Literal["bilinear", "bicubic"]
    margin: float


@torch.inference_mode()
def region_features(
    clip: Clip, image: NDArray[np.uint8], boxes: NDArray[np.float32], config: PoolingConfig
) -> NDArray[np.float32]:
    """Features of the boxes of one image, not normalised.

    Args:
        clip: Its image tower is used.
        image: (H, W, 3) RGB.
        boxes: (R, 4), pixels of `image`.
        config: How features are made.

    Returns:
        (R, D).
    """
    if not len(boxes):
        return np.zeros((0, clip.width), np.float32)
    features = _crop_features if config.pooling == "crop" else _roialign_features
    return np.asarray(torch.cat(features(clip, image, boxes, config)).float().cpu().numpy())


def _roialign_features(
    clip: Clip, image: NDArray[np.uint8], boxes: NDArray[np.float32], config: PoolingConfig
) -> list[torch.Tensor]:
    spec, device = clip.spec, clip.logit_scale.device
    size = Size.parse(config.resize, spec.image_size, spec.resize_mode)
    prepared = prepare(image, size, config.interpolation, spec.mean, spec.std)
    feature_map = clip.trunk(prepared.pixels[None].to(device))
    resized = prepared.scale_boxes(boxes).to(device)
    return [
        clip.pool_regions(feature_map, [batch])
        for batch in torch.split(resized, _REGIONS_PER_BATCH)
    ]


def _crop_features(
    clip: Clip, image: NDArray[np.uint8], boxes: NDArray[np.float32], config: PoolingConfig
) -> list[torch.Tensor]:
    spec, device = clip.spec, clip.logit_scale.device
    picture = Image.fromarray(image)
    features = []
    for start in range(0, len(boxes), _REGIONS_PER_BATCH):
        crops = [
            normalise(_crop(picture, box, spec.image_size, config), spec.mean, spec.std)
            for box in boxes[start : start + _REGIONS_PER_BATCH]
        ]
        features.append(clip.encode_images(torch.stack(crops).to(device)))
    return features


def _crop(
    picture: Image.Image, box: NDArray[np.float32], side: int, config: PoolingConfig
) -> NDArray[np.uint8]:
    """Pixels (S, S, 3) of a box with its margin, cut at the edges of the picture."""
    x0, y0, x1, y1 = (float(value) for value in box)
    margin_x, margin_y = config.margin * (x1 - x0), config.margin * (y1 - y0)
    left, right = _span_inside(x0 - margin_x, x1 + margin_x, picture.width)
    top, bottom = _span_inside(y0 - margin_y, y1 + margin_y, picture.height)
    resampling: Any = getattr(Image.Resampling, config.interpolation.upper())
    return np.asarray(picture.resize((side, side), resampling, box=(left, top, right, bottom)))


def _span_inside(low: float, high: float, end: int) -> tuple[float, float]:
    """The span within 0 and `end`, moved and widened to a pixel if less than one is left.

    >>> _span_inside(-3.0, 4.5, 10), _span_inside(9.9, 12.0, 10), _span_inside(2.0, 2.1, 10)
    ((0.0, 4.5), (9.0, 10.0), (2.0, 3.0))
    """
    low = min(max(low, 0.0), end - 1.0)
    return low, min(max(high, low + 1.0), float(end))
