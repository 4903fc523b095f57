"""Region features of a convolutional timm tower such as ConvNeXt: last stage, RoIAlign, head.

Each region is cut to the grid that a whole image of the native size has, because the head
(pooling, norm, projection) was trained on that grid.

Shapes: B images, N regions, C channels of the last stage, s cells a side.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.errors import SourceError
from stages.models.region_tower import pad_to_at_least, roi_align

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import torch
    from torch import nn


@dataclass(frozen=True)
class ConvNeXtRegions:
    """A timm tower as open_clip wraps it (`TimmModel`), if it ends in a convolutional map."""

    visual: Any  # open_clip's TimmModel, which has no types

    def __post_init__(self) -> None:
        trunk = self.visual.trunk
        if not (hasattr(trunk, "stem") and hasattr(trunk, "stages") and hasattr(trunk, "head")):
            raise SourceError(
                f"regions cannot be read from a timm tower of type {type(trunk).__name__}; "
                f"use a ConvNeXt, a CLIP ResNet or a CLIP vision transformer"
            )

    @property
    def stride(self) -> int:
        """See `RegionTower.stride`: 32 for every ConvNeXt."""
        return int(self.visual.trunk.feature_info[-1]["reduction"])

    @property
    def cells(self) -> int:
        """Side of the RoIAlign grid: 7 for images of 224."""
        return max(1, int(self.visual.image_size[0]) // self.stride)

    def trunk(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.trunk`: every stage."""
        out: torch.Tensor = self.visual.trunk.forward_features(pad_to_at_least(pixels, self.stride))
        return out

    def crop(self, feature_map: torch.Tensor, boxes: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `RegionTower.crop`: (N, C, cells, cells)."""
        return roi_align(feature_map, boxes, self.cells, self.stride)

    def embed(self, crops: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.embed`: pooling, norm and projection of the tower's own head."""
        out: torch.Tensor = self.visual.head(self.visual.trunk.forward_head(crops))
        return out

    def early_layers(self) -> Iterable[nn.Module | nn.Parameter]:
        """See `RegionTower.early_layers`."""
        return [self.visual.trunk.stem, self.visual.trunk.stages[0]]
