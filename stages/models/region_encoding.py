"""Encode the regions of many images: images of equal size share a trunk pass, regions batches.

Shapes: B images, R_b regions of image b, D width, n pixels.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

import torch

from stages.memory import in_batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from stages.models.network import Clip

# Pixels in one trunk pass. A ResNet-50 needs up to about 1 kB per pixel in float32: 2 GB on a CPU,
# where larger passes are not faster, and 16 GB on a GPU.
_PIXELS: Final = {"cpu": 1 << 21, "cuda": 1 << 24}


@torch.inference_mode()
def encode_regions_batched(
    clip: Clip,
    images: Sequence[torch.Tensor],
    boxes: Sequence[torch.Tensor],
    batch_regions: int,
) -> list[NDArray[np.float32]]:
    """The features of the regions of each image.

    Images are never padded to share a pass, so a feature depends on other images only in the last
    bits, which change with the size of a batch.

    Args:
        clip: The model.
        images: B tensors (3, H_b, W_b), normalised.
        boxes: B tensors (R_b, 4), in pixels of `images`.
        batch_regions: Regions pooled and embedded together, at most.

    Returns:
        B arrays (R_b, D), not normalised.
    """
    device = clip.logit_scale.device
    maps = _feature_maps(clip, images)
    counts = [len(of_image) for of_image in boxes]

    def embed(regions: range) -> torch.Tensor:
        crops = [
            clip.crop_regions(maps[b], [boxes[b][first:last].to(device)])
            for b, first, last in by_image(counts, regions)
        ]
        return clip.embed_crops(torch.cat(crops))

    batches = in_batches(range(sum(counts)), batch_regions, embed, "region")
    features = torch.cat(batches).float().cpu() if batches else torch.zeros(0, clip.width)
    return [of_image.numpy() for of_image in torch.split(features, counts)]


def _feature_maps(clip: Clip, images: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """A feature map (1, C, h, w) for each image."""
    device = clip.logit_scale.device
    max_pixels = _PIXELS.get(device.type, _PIXELS["cpu"])
    order = sorted(range(len(images)), key=lambda b: tuple(images[b].shape))
    maps: dict[int, torch.Tensor] = {}
    for shape, equal in groupby(order, key=lambda b: images[b].shape):
        same, step = list(equal), max(1, max_pixels // (shape[1] * shape[2]))
        for start in range(0, len(same), step):
            indices = same[start : start + step]
            dense = clip.trunk(torch.stack([images[b] for b in indices]).to(device))
            maps.update(zip(indices, torch.split(dense, 1), strict=True))
    return [maps[b] for b in range(len(images))]


def by_image(counts: Sequence[int], regions: range) -> list[tuple[int, int, int]]:
    """Where some regions are, which are counted over all images: slices (image, first, last).

    >>> by_image([2, 0, 3], range(0, 4)), by_image([2, 0, 3], range(4, 5))
    ([(0, 0, 2), (2, 0, 2)], [(2, 2, 3)])
    """
    slices, before = [], 0
    for image, count in enumerate(counts):
        first, last = max(regions.start - before, 0), min(regions.stop - before, count)
        if first < last:
            slices.append((image, first, last))
        before += count
    return slices
