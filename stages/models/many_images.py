"""Regions of many images at once: equal sizes share a trunk pass, all regions share the rest.

Shapes: B images, R_b regions of image b, D width, n pixels.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from stages.models.network import Clip

# Pixels in one trunk pass. A ResNet-50 needs up to about 1 kB a pixel in float32, so 2 GB on a
# CPU, where more at a time is no faster, and 16 GB on a GPU.
_PIXELS: Final = {"cpu": 1 << 21, "cuda": 1 << 24}


@torch.inference_mode()
def encode_many(
    clip: Clip,
    images: Sequence[torch.Tensor],
    boxes: Sequence[torch.Tensor],
    batch_regions: int,
) -> list[NDArray[np.float32]]:
    """The features of the regions of each image.

    Images are never padded to share a pass, so no feature depends on another image by more than
    the last bits that the size of a batch moves.

    Args:
        clip: Any.
        images: B of (3, H_b, W_b), normalised.
        boxes: B of (R_b, 4), pixels of those.
        batch_regions: Regions pooled and embedded at a time.

    Returns:
        B of (R_b, D), not normalised.
    """
    place = clip.logit_scale.device
    maps = _maps(clip, images)
    found = []
    for share in _shares([len(of_one) for of_one in boxes], batch_regions):
        crops = [
            clip.crop_regions(maps[b], [boxes[b][first:last].to(place)]) for b, first, last in share
        ]
        found.append(clip.embed_crops(torch.cat(crops)))
    features = torch.cat(found).float().cpu() if found else torch.zeros(0, clip.width)
    return [of_one.numpy() for of_one in torch.split(features, [len(b) for b in boxes])]


def _maps(clip: Clip, images: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """A feature map (1, C, h, w) for each image."""
    place = clip.logit_scale.device
    most = _PIXELS.get(place.type, _PIXELS["cpu"])
    order = sorted(range(len(images)), key=lambda b: tuple(images[b].shape))
    maps: dict[int, torch.Tensor] = {}
    for shape, equal in groupby(order, key=lambda b: images[b].shape):
        same, step = list(equal), max(1, most // (shape[1] * shape[2]))
        for start in range(0, len(same), step):
            together = same[start : start + step]
            dense = clip.trunk(torch.stack([images[b] for b in together]).to(place))
            maps.update(zip(together, torch.split(dense, 1), strict=True))
    return [maps[b] for b in range(len(images))]


def _shares(counts: Sequence[int], size: int) -> Iterator[list[tuple[int, int, int]]]:
    """Cuts `counts` regions of each image into shares of `size`: (image, first, last) each.

    >>> list(_shares([2, 0, 3], 4))
    [[(0, 0, 2), (2, 0, 2)], [(2, 2, 3)]]
    """
    share: list[tuple[int, int, int]] = []
    room = size
    for image, count in enumerate(counts):
        first = 0
        while first < count:
            last = min(count, first + room)
            share.append((image, first, last))
            room -= last - first
            first = last
            if room == 0:
                yield share
                share, room = [], size
    if share:
        yield share
