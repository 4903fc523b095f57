"""Features of the boxes of one image, by RoIAlign or by encoding each crop as an image.

Shapes: R boxes of an image, D feature width, H W pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch

from stages.memory import in_batches
from stages.models.crop_encoding import CropConfig, encode_crops
from stages.models.pooling_option import chosen_interpolation
from stages.models.precision import computing_in, require_held
from stages.models.preprocess import prepare
from stages.models.resizing import Size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stages.models.dense_option import Dense
    from stages.models.network import Clip
    from stages.models.pooling_option import Interpolation, Pooling

_REGIONS_PER_BATCH: Final = 128  # 100 MB of RoIAligned maps of an RN50


@dataclass(frozen=True)
class PoolingConfig:
    """How the feature of a box is made.

    Attributes:
        pooling: roialign, from one feature map of the resized image; or crop, where each box is
            cut out of the original, resized to a square whatever its shape, and encoded like an
            image.
        resize: Size of the image for roialign, as `Size.parse` takes it.
        interpolation: Of the image or of the crops; None to choose as `chosen_interpolation` does.
        crop_margin: Added to each side of a crop, as a share of the box's width and height.
        dense: How regions of a vision transformer are read, see `stages.models.dense_option`.
        computed_in: Precision of the network, as `precision.computing_in` takes it.
    """

    pooling: Pooling = "roialign"
    resize: str = "800x1333"
    interpolation: Interpolation | None = None
    crop_margin: float = 0.0
    dense: Dense = "auto"
    computed_in: str = "float32"

    @classmethod
    def of(cls, options: Mapping[str, Any], computed_in: str = "float32") -> PoolingConfig:
        """The part of a stage's options that is about features of boxes."""
        names = {f.name for f in fields(cls)} & options.keys()
        return cls(**{name: options[name] for name in names}, computed_in=computed_in)


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

    Raises:
        OptionError: If features are beyond what float16 can hold.
    """
    if not len(boxes):
        return np.zeros((0, clip.width), np.float32)
    with computing_in(config.computed_in, clip.logit_scale.device):
        if config.pooling == "crop":
            crops = CropConfig(_interpolation(clip, config), config.crop_margin)
            features = encode_crops(clip, image, boxes, crops, _REGIONS_PER_BATCH)
        else:
            features = _roialign_features(clip, image, boxes, config)
    require_held(features, config.computed_in)
    return np.asarray(features.float().cpu().numpy())


def _roialign_features(
    clip: Clip, image: NDArray[np.uint8], boxes: NDArray[np.float32], config: PoolingConfig
) -> torch.Tensor:
    clip = clip.with_dense(config.dense)
    spec, device = clip.spec, clip.logit_scale.device
    size = Size.parse(config.resize, spec.image_size, spec.resize_mode)
    prepared = prepare(image, size, _interpolation(clip, config), spec.mean, spec.std)
    feature_map = clip.trunk(prepared.pixels[None].to(device))
    resized = prepared.scale_boxes(boxes).to(device)

    def pool(some: torch.Tensor) -> torch.Tensor:
        return clip.pool_regions(feature_map, [some])

    return torch.cat(in_batches(resized, _REGIONS_PER_BATCH, pool, "region"))


def _interpolation(clip: Clip, config: PoolingConfig) -> str:
    return chosen_interpolation(config.interpolation, config.pooling, clip.spec)
