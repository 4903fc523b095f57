"""What a tower must do to embed regions of an image, and the one call to RoIAlign.

Shapes: B images, R_b regions of image b, N regions of a batch, D width, s cells a side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn import functional as F  # noqa: N812
from torchvision import ops

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import nn


class RegionTower(Protocol):
    """An image tower that pools regions from one feature map."""

    @property
    def stride(self) -> int:
        """Pixels of the input a cell of the feature map stands for, in each direction."""
        ...

    def trunk(self, pixels: torch.Tensor) -> torch.Tensor:
        """The feature map (B, C, H / stride, W / stride) of normalised pixels (B, 3, H, W)."""
        ...

    def crop(self, feature_map: torch.Tensor, boxes: Sequence[torch.Tensor]) -> torch.Tensor:
        """The cut-outs (N, ...) of B sets of boxes (R_b, 4) in pixels of the input."""
        ...

    def embed(self, crops: torch.Tensor) -> torch.Tensor:
        """The features (N, D) of cut-outs (N, ...)."""
        ...

    def early(self) -> Iterable[nn.Module | nn.Parameter]:
        """What the reference keeps frozen of the image tower: the stem and the first stage."""
        ...


def roi_align(
    feature_map: torch.Tensor, boxes: Sequence[torch.Tensor], cells: int, stride: int
) -> torch.Tensor:
    """RoIAlign with half-pixel centres and as many samples a bin as it has cells.

    Args:
        feature_map: (B, C, H, W); half precision is computed in float32.
        boxes: B of (R_b, 4), pixels of the network's input.
        cells: Side s of the grid each region is cut to.
        stride: Pixels per cell of the feature map.

    Returns:
        (N, C, s, s), regions of the first image first.
    """
    exact = feature_map if feature_map.dtype == torch.float64 else feature_map.float()
    with torch.autocast(feature_map.device.type, enabled=False):
        placed = [b.to(exact) for b in boxes]
        crops: torch.Tensor = ops.roi_align(
            exact, placed, cells, spatial_scale=1 / stride, sampling_ratio=-1, aligned=True
        )
    return crops


def at_least(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """Images (B, 3, H, W) with zeros at the bottom and right up to `side`, if they are smaller.

    A very long image may be resized to fewer pixels across than a cell of the feature map has.
    """
    height, width = pixels.shape[2:]
    if min(height, width) >= side:
        return pixels
    return F.pad(pixels, (0, max(0, side - width), 0, max(0, side - height)))
