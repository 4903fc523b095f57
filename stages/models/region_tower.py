"""The interface of image towers that embed regions, and the only call to RoIAlign.

Shapes: B images, R_b regions of image b, N regions of a batch, D width, s cells a side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import torch
from torch.nn import functional as F  # noqa: N812
from torchvision import ops

from stages.models.roialign_gradient import RoIAlignOnCPU

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import nn


class RegionTower(Protocol):
    """An image tower that pools regions from one feature map."""

    @property
    def stride(self) -> int:
        """Pixels of the input per cell of the feature map, in each direction."""
        ...

    def trunk(self, pixels: torch.Tensor) -> torch.Tensor:
        """The feature map (B, C, H / stride, W / stride) of normalised pixels (B, 3, H, W)."""
        ...

    def crop(self, feature_map: torch.Tensor, boxes: Sequence[torch.Tensor]) -> torch.Tensor:
        """Crops (N, ...) of the map for B tensors of boxes (R_b, 4), in pixels of the input."""
        ...

    def embed(self, crops: torch.Tensor) -> torch.Tensor:
        """Features (N, D) of crops (N, ...)."""
        ...

    def early_layers(self) -> Iterable[nn.Module | nn.Parameter]:
        """The layers that the reference keeps frozen: the stem and the first stage."""
        ...


def roi_align(
    feature_map: torch.Tensor, boxes: Sequence[torch.Tensor], cells: int, stride: int
) -> torch.Tensor:
    """RoIAlign with half-pixel centres and adaptive sampling: a sample per map cell in a bin.

    Args:
        feature_map: (B, C, H, W); half precision is computed in float32.
        boxes: B tensors (R_b, 4), in pixels of the network's input.
        cells: Side s of the grid that each region is pooled to.
        stride: Pixels per cell of the feature map.

    Returns:
        (N, C, s, s), regions of the first image first.
    """
    exact = feature_map if feature_map.dtype == torch.float64 else feature_map.float()
    with torch.autocast(feature_map.device.type, enabled=False):
        # Divided here: times 1 / 14, a box of 27 cells may become a bit longer than 27 cells, and
        # adaptive sampling would take two samples a bin instead of the cells themselves.
        rois = [b.to(exact) / stride for b in boxes]
        if exact.requires_grad and exact.device.type == "cpu":
            learned: torch.Tensor = RoIAlignOnCPU.apply(exact, cells, *rois)
            return learned
        crops: torch.Tensor = ops.roi_align(
            exact, rois, cells, spatial_scale=1.0, sampling_ratio=-1, aligned=True
        )
    return crops


def pad_to_at_least(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """Images (B, 3, H, W), padded with zeros at the bottom and right to at least `side` pixels.

    After resizing, the short side of a very long image may have fewer pixels than a map cell.
    """
    height, width = pixels.shape[2:]
    if min(height, width) >= side:
        return pixels
    return F.pad(pixels, (0, max(0, side - width), 0, max(0, side - height)))
