"""Region features of a FastViT, the tower of most MobileCLIPs: stages once, the end per region.

After its stages the tower has a convolution that weighs channels by their mean over the image
(squeeze and excitation), then an average. As in a CLIP ResNet, whatever looks at the whole image
runs per region.

Source: FastViT (arXiv:2303.14189), MobileCLIP (arXiv:2311.17049).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stages.models.convolutional_regions import ConvolutionalRegions
from stages.models.region_tower import pad_to_at_least

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class FastViTRegions(ConvolutionalRegions):
    """A FastViT, timm's `FastVit`."""

    def trunk(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.trunk`: stem and every stage."""
        tower = self.visual.trunk
        out: torch.Tensor = tower.stages(tower.stem(pad_to_at_least(pixels, self.stride)))
        return out

    def embed(self, crops: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.embed`: last convolution, average and projection."""
        tower = self.visual.trunk
        out: torch.Tensor = self.visual.head(tower.forward_head(tower.final_conv(crops)))
        return out
