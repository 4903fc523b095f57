"""Region features of a convolutional timm tower such as ConvNeXt: last stage, RoIAlign, head.

The head is pooling, norm and projection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.errors import SourceError
from stages.models.convolutional_regions import ConvolutionalRegions
from stages.models.region_tower import pad_to_at_least

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ConvNeXtRegions(ConvolutionalRegions):
    """A tower that ends in a convolutional map and a head."""

    def __post_init__(self) -> None:
        trunk = self.visual.trunk
        if not (hasattr(trunk, "stem") and hasattr(trunk, "stages") and hasattr(trunk, "head")):
            raise SourceError(
                f"regions cannot be read from a timm tower of type {type(trunk).__name__}; "
                f"use a ConvNeXt, a CLIP ResNet or a CLIP vision transformer"
            )

    def trunk(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.trunk`: every stage."""
        out: torch.Tensor = self.visual.trunk.forward_features(pad_to_at_least(pixels, self.stride))
        return out

    def embed(self, crops: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.embed`: pooling, norm and projection of the tower's own head."""
        out: torch.Tensor = self.visual.head(self.visual.trunk.forward_head(crops))
        return out
