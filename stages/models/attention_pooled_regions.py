"""Region features of a vision transformer that pools by attention, as CoCa's image side does.

Learned queries attend to all tokens of an image. For a region they attend to its cells, on the
grid that an image of the native size has, and to the class token of the image, which they were
trained to see among the tokens. So the region that is the whole image has the feature of the image.

Shapes: N regions, E width of a token, s cells a side, D embedding width.

Source: CoCa (arXiv:2205.01917), attentional pooling; open_clip's `AttentionalPooler`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.errors import SourceError
from stages.models.dense_option import takes_value_path
from stages.models.token_maps import crop_tokens, map_of_tokens
from stages.models.vit_regions import encode_tokens, first_layers, require_plain_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import torch
    from torch import nn

_CLASS = 1  # class tokens, before the patches


@dataclass(frozen=True)
class AttentionPooledRegions:
    """A vision transformer as open_clip builds it, with an attentional pooler."""

    visual: Any  # open_clip's VisionTransformer, which has no types
    dense: str = "auto"

    def __post_init__(self) -> None:
        tower = self.visual
        require_plain_blocks(tower)
        if tower.attn_pool_contrastive is not None or tower.grid_size[0] != tower.grid_size[1]:
            raise SourceError(
                "regions cannot be read from this vision transformer: it has two poolers, or its "
                "images are not square; use one with a single attentional pooler"
            )

    @property
    def stride(self) -> int:
        """See `RegionTower.stride`: the side of a patch."""
        return int(self.visual.patch_size[0])

    @property
    def cells(self) -> int:
        """Side of the RoIAlign grid: that of an image of the native size."""
        return int(self.visual.grid_size[0])

    def trunk(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.trunk`: (B, 2 E, h, w), a token per patch, and the class token."""
        alone = takes_value_path(self.dense, class_token=False)
        tokens, grid = encode_tokens(self.visual, pixels, alone=alone)
        return map_of_tokens(tokens, grid, _CLASS, keep=True)

    def crop(self, feature_map: torch.Tensor, boxes: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `RegionTower.crop`: (N, 1 + s s, E), the class token first."""
        return crop_tokens(feature_map, boxes, self.cells, self.stride, _CLASS)

    def embed(self, crops: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.embed`: the tower's own pooler, norm and projection."""
        tower = self.visual
        pooled, _ = tower._global_pool(tower.ln_post(tower.attn_pool(crops)))
        out: torch.Tensor = pooled if tower.proj is None else pooled @ tower.proj.to(pooled.dtype)
        return out

    def early_layers(self) -> Iterable[nn.Module | nn.Parameter]:
        """See `RegionTower.early_layers`: patches, positions, first quarter of the blocks."""
        return first_layers(self.visual)
