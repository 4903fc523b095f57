"""Region features of a FastViT, the tower of most MobileCLIPs: stages once, the end per region.

After its stages the tower has a convolution that weighs channels by their mean over the image
(squeeze and excitation), then an average. As in a CLIP ResNet, whatever looks at the whole image
runs per region, on the grid that an image of the native size has.

Shapes: N regions, C channels after the stages, s cells a side.

Source: FastViT (arXiv:2303.14189), MobileCLIP (arXiv:2311.17049).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stages.models.region_tower import pad_to_at_least, roi_align

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import torch
    from torch import nn


@dataclass(frozen=True)
class FastViTRegions:
    """A FastViT as open_clip wraps it (`TimmModel`)."""

    visual: Any  # open_clip's TimmModel, which has no types

    @property
    def stride(self) -> int:
        """See `RegionTower.stride`: 32, or 64 for a tower of five stages."""
        return int(self.visual.trunk.feature_info[-1]["reduction"])

    @property
    def cells(self) -> int:
        """Side of the RoIAlign grid: 8 for images of 256 and a stride of 32."""
        return max(1, int(self.visual.image_size[0]) // self.stride)

    def trunk(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.trunk`: stem and every stage."""
        tower = self.visual.trunk
        out: torch.Tensor = tower.stages(tower.stem(pad_to_at_least(pixels, self.stride)))
        return out

    def crop(self, feature_map: torch.Tensor, boxes: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `RegionTower.crop`: (N, C, cells, cells)."""
        return roi_align(feature_map, boxes, self.cells, self.stride)

    def embed(self, crops: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.embed`: last convolution, average and projection."""
        tower = self.visual.trunk
        out: torch.Tensor = self.visual.head(tower.forward_head(tower.final_conv(crops)))
        return out

    def early_layers(self) -> Iterable[nn.Module | nn.Parameter]:
        """See `RegionTower.early_layers`."""
        return [self.visual.trunk.stem, self.visual.trunk.stages[0]]
