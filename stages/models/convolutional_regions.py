"""Regions of a convolutional timm tower, whichever it is: one map, and a grid of it per region.

Each region is cut to the grid that a whole image of the native size has, because what follows was
trained on that grid.

Shapes: N regions, C channels of the map, s cells a side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stages.models.region_tower import roi_align

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import torch
    from torch import nn


@dataclass(frozen=True)
class ConvolutionalRegions:
    """A timm tower of a stem and stages, as open_clip wraps it (`TimmModel`).

    `trunk` and `embed` are those of each kind of tower.
    """

    visual: Any  # open_clip's TimmModel, which has no types

    @property
    def stride(self) -> int:
        """See `RegionTower.stride`: 32, or 64 for a FastViT of five stages."""
        return int(self.visual.trunk.feature_info[-1]["reduction"])

    @property
    def cells(self) -> int:
        """Side of the RoIAlign grid: 7 for images of 224 and a stride of 32."""
        return max(1, int(self.visual.image_size[0]) // self.stride)

    def crop(self, feature_map: torch.Tensor, boxes: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `RegionTower.crop`: (N, C, cells, cells)."""
        return roi_align(feature_map, boxes, self.cells, self.stride)

    def early_layers(self) -> Iterable[nn.Module | nn.Parameter]:
        """See `RegionTower.early_layers`."""
        return [self.visual.trunk.stem, self.visual.trunk.stages[0]]
