"""Region features of a CLIP vision transformer: one dense map of tokens, averaged per region.

In a tower with a class token, only that token is trained to describe the image, so patch tokens
are read from the value path of the last block: each token passes value and output projection by
itself, without attention to others, then residual, MLP and final norm as usual. A tower that
averages its tokens is already dense, so its last block runs as trained. A norm before pooling is
applied per token; the projection is linear and commutes with averaging, so it comes after.

The positional embedding is resampled to the input's grid; an input that is not a multiple of the
patch is padded with zeros at the bottom and right.

Shapes: B images, N regions, L tokens, E width, D embedding width, h x w grid of patches.

Source: MaskCLIP (arXiv:2112.01071) and CLIPSelf (arXiv:2310.01403), dense features of a CLIP ViT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch.nn import functional as F  # noqa: N812

from schemas.errors import SourceError
from stages.models.region_tower import roi_align

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import nn


@dataclass(frozen=True)
class ViTRegions:
    """A vision transformer as open_clip builds it (`VisionTransformer`), read densely."""

    visual: Any  # open_clip's VisionTransformer, which has no types

    def __post_init__(self) -> None:
        tower = self.visual
        standard = all(isinstance(b, ResidualAttentionBlock) for b in tower.transformer.resblocks)
        square = tower.patch_size[0] == tower.patch_size[1]
        if tower.attn_pool is not None or tower.pool_type == "none" or not (standard and square):
            raise SourceError(
                "regions cannot be read from this vision transformer: it pools or attends "
                "in another way; use one with a class token or average pooling, a CLIP ResNet or "
                "ConvNeXt"
            )

    @property
    def stride(self) -> int:
        """See `RegionTower.stride`: the side of a patch."""
        return int(self.visual.patch_size[0])

    def trunk(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.trunk`: (B, E, h, w), a token per patch."""
        tower = self.visual
        patches = tower.conv1(_pad_to_patches(pixels, self.stride))  # (B, E, h, w)
        grid = patches.shape[2:]
        tokens = self._embed_patches(patches.flatten(2).transpose(1, 2), grid)  # (B, 1 + h w, E)
        *blocks, last = tower.transformer.resblocks
        for block in blocks:
            tokens = block(tokens)
        tokens = value_path(last, tokens) if tower.pool_type == "tok" else last(tokens)
        if not tower.final_ln_after_pool:
            tokens = tower.ln_post(tokens)
        dense: torch.Tensor = tokens[:, 1:].transpose(1, 2).reshape(patches.shape)
        return dense

    def crop(self, feature_map: torch.Tensor, boxes: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `RegionTower.crop`: (N, E), the mean token of each region."""
        return roi_align(feature_map, boxes, 1, self.stride).flatten(1)

    def embed(self, crops: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.embed`."""
        tower = self.visual
        if tower.final_ln_after_pool:
            crops = tower.ln_post(crops)
        out: torch.Tensor = crops if tower.proj is None else crops @ tower.proj.to(crops.dtype)
        return out

    def early_layers(self) -> Iterable[nn.Module | nn.Parameter]:
        """See `RegionTower.early_layers`: patches, positions, first quarter of the blocks."""
        tower = self.visual
        blocks = tower.transformer.resblocks
        stem = [tower.conv1, tower.class_embedding, tower.positional_embedding, tower.ln_pre]
        return [*stem, *blocks[: len(blocks) // 4]]

    def _embed_patches(self, patches: torch.Tensor, grid: torch.Size) -> torch.Tensor:
        tower = self.visual
        first = tower.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        positions = resample_positions(tower.positional_embedding, tower.grid_size, grid)
        tokens: torch.Tensor = tower.ln_pre(
            torch.cat([first, patches], dim=1) + positions.to(patches.dtype)
        )
        return tokens


def value_path(block: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Tokens after a residual attention block in which each token attends only to itself.

    (B, L, E) to (B, L, E); `block` is open_clip's `ResidualAttentionBlock`.
    """
    attention, width = block.attn, tokens.shape[2]
    weight, bias = attention.in_proj_weight[2 * width :], attention.in_proj_bias[2 * width :]
    values = attention.out_proj(F.linear(block.ln_1(tokens), weight, bias))
    tokens = tokens + block.ls_1(values)
    out: torch.Tensor = tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
    return out


def resample_positions(
    positions: torch.Tensor, native: Sequence[int], grid: Sequence[int]
) -> torch.Tensor:
    """The positional embedding for another grid: patches are resampled bicubically.

    Args:
        positions: (1 + H W, E), class token first.
        native: Grid (H, W) of `positions`.
        grid: New grid (h, w); for the native grid, `positions` itself is returned.

    Returns:
        (1 + h w, E), class token first and unchanged.
    """
    if tuple(native) == tuple(grid):
        return positions
    plane = positions[1:].T.reshape(1, -1, *native).float()  # (1, E, H, W)
    plane = F.interpolate(plane, size=list(grid), mode="bicubic", antialias=True)
    return torch.cat([positions[:1], plane[0].flatten(1).T.to(positions.dtype)])


def _pad_to_patches(pixels: torch.Tensor, patch: int) -> torch.Tensor:
    height, width = pixels.shape[2:]
    return F.pad(pixels, (0, -width % patch, 0, -height % patch))
