"""Region features of a timm vision transformer: SigLIP, PE, EVA-02, MobileCLIP-B, ViTamin.

Positions follow the grid of the input as timm's own `dynamic_img_size` does it: learned ones are
resampled, rotary ones computed for the grid, scaled to the grid that the tower was trained with.
How a region is pooled depends on how the tower pools an image:

* attention (timm's "map"): its learned query attends to the cells of the region, on the grid that
  an image of the native size has, and to leading tokens if it was trained to (PE's class token);
* average: the mean of the tokens in the region; both give the feature of the image for the whole
  image;
* class token: the mean of the dense tokens, see `stages.models.dense_option`.

An input that is not a multiple of the patch is padded with zeros at the bottom and right. Only
where the native side is no multiple itself (SigLIP of 384 pixels with patches of 14), the tower was
trained without what is left over, and does without it here too.

Shapes: B images, N regions, E width of a token, h x w grid of patches, s cells a side.
"""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from typing import TYPE_CHECKING, Any, Final

import torch
from timm.layers.format import Format
from timm.layers.pos_embed_sincos import RotaryEmbeddingCat
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer

from schemas.errors import SourceError
from stages.models.dense_option import takes_value_path
from stages.models.region_tower import pad_to_at_least, roi_align
from stages.models.token_maps import crop_tokens, map_of_tokens, pad_to_multiple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import nn

_POOLS: Final = ("token", "avg", "map")


@dataclass(frozen=True)
class TimmViTRegions:
    """A timm vision transformer as open_clip wraps it (`TimmModel`), made to take any size."""

    visual: Any  # open_clip's TimmModel, which has no types
    dense: str = "auto"

    def __post_init__(self) -> None:
        tower = self.visual.trunk
        if not is_readable(tower):
            raise SourceError(
                f"regions cannot be read from a timm tower of type {type(tower).__name__} that "
                f"pools or places its tokens in this way; use a tower listed in docs/weights.md"
            )
        take_any_size(tower)

    @property
    def stride(self) -> int:
        """See `RegionTower.stride`: the side of a patch."""
        return int(self.visual.trunk.patch_embed.feat_ratio())

    @property
    def cells(self) -> int:
        """Side of the RoIAlign grid of a pool that attends: that of a native image."""
        return int(self.visual.trunk.patch_embed.grid_size[0])

    @property
    def leading(self) -> int:
        """Tokens before the patches that the pool attends to."""
        tower = self.visual.trunk
        sees_all = isinstance(tower, Eva) or tower.pool_include_prefix
        return int(tower.num_prefix_tokens) if self._attends and sees_all else 0

    @property
    def _leaves_over(self) -> bool:
        return int(self.visual.image_size[0]) % self.stride != 0

    @property
    def _attends(self) -> bool:
        return self.visual.trunk.attn_pool is not None

    def trunk(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.trunk`: (B, E, h, w), a token per patch, and tokens the pool needs."""
        tower = self.visual.trunk
        pad = pad_to_at_least if self._leaves_over else pad_to_multiple
        patches = tower.patch_embed(pad(pixels, self.stride))  # (B, h, w, E)
        placed = tower._pos_embed(patches)
        tokens, extra = placed if isinstance(placed, tuple) else (placed, None)
        options = {} if extra is None else {"rope": extra}
        tokens = tower.norm_pre(tokens)
        *blocks, last = tower.blocks
        for block in blocks:
            tokens = block(tokens, **options)
        if takes_value_path(self.dense, class_token=tower.global_pool == "token"):
            options["attn_mask"] = attend_to_itself(tokens)
        tokens = tower.norm(last(tokens, **options))
        leading, keep = int(tower.num_prefix_tokens), bool(self.leading)
        return map_of_tokens(tokens, patches.shape[1:3], leading, keep=keep)

    def crop(self, feature_map: torch.Tensor, boxes: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `RegionTower.crop`: tokens (N, P + s s, E) for a pool that attends, else a mean."""
        if self._leaves_over:
            height, width = (side * self.stride for side in feature_map.shape[2:])
            boxes = [box_inside(of_image, height, width) for of_image in boxes]
        if self._attends:
            return crop_tokens(feature_map, boxes, self.cells, self.stride, self.leading)
        return roi_align(feature_map, boxes, 1, self.stride).flatten(1)

    def embed(self, crops: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.embed`: what the tower has after its tokens."""
        tower = self.visual.trunk
        pooled = tower.attn_pool(crops) if self._attends else crops
        out: torch.Tensor = self.visual.head(tower.head(tower.head_drop(tower.fc_norm(pooled))))
        return out

    def early_layers(self) -> Iterable[nn.Module | nn.Parameter]:
        """See `RegionTower.early_layers`: patches, positions, first quarter of the blocks."""
        tower = self.visual.trunk
        stem = [tower.patch_embed, tower.cls_token, tower.reg_token, tower.pos_embed]
        quarter = tower.blocks[: len(tower.blocks) // 4]
        return [layer for layer in [*stem, tower.norm_pre, *quarter] if layer is not None]


def is_readable(tower: Any) -> bool:
    """Whether a timm network is a vision transformer whose pool and positions are known here."""
    if not isinstance(tower, (VisionTransformer, Eva)) or tower.global_pool not in _POOLS:
        return False
    rope, side = getattr(tower, "rope", None), tower.patch_embed.grid_size
    drops = isinstance(tower, Eva) and tower.patch_drop is not None
    averages_all = tower.global_pool == "avg" and getattr(tower, "pool_include_prefix", False)
    rotary = rope is None or isinstance(rope, RotaryEmbeddingCat)
    return rotary and side[0] == side[1] and not (drops or averages_all)


def take_any_size(tower: Any) -> None:
    """Make a timm vision transformer as if it had been built with `dynamic_img_size`."""
    tower.dynamic_img_size = True
    patches = tower.patch_embed
    patches.img_size, patches.flatten, patches.output_fmt = None, False, Format.NHWC
    rope = getattr(tower, "rope", None)
    if rope is not None and rope.feat_shape is not None:
        settings = set(signature(RotaryEmbeddingCat).parameters) & set(vars(rope)) - {"feat_shape"}
        tower.rope = RotaryEmbeddingCat(**{name: getattr(rope, name) for name in settings})


def box_inside(boxes: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Boxes (R, 4) without what is beyond the sides, in pixels; at least a pixel is left."""
    sides = boxes.new_tensor([width - 1, height - 1, width, height])
    return torch.minimum(boxes, sides)


def attend_to_itself(tokens: torch.Tensor) -> torch.Tensor:
    """The mask (L, L) with which each of the tokens (B, L, E) attends to itself alone."""
    return torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device)
