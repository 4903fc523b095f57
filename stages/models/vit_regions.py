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
from stages.models.dense_option import takes_value_path
from stages.models.region_tower import roi_align
from stages.models.token_maps import map_of_tokens, pad_to_multiple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import nn


@dataclass(frozen=True)
class ViTRegions:
    """A vision transformer as open_clip builds it, with a class token or average pooling."""

    visual: Any  # open_clip's VisionTransformer, which has no types
    dense: str = "auto"

    def __post_init__(self) -> None:
        require_plain_blocks(self.visual)
        if self.visual.pool_type not in ("tok", "avg"):
            raise SourceError(
                "regions cannot be read from this vision transformer, for it does not pool its "
                "tokens; use one with a class token, average pooling or attention pooling"
            )

    @property
    def stride(self) -> int:
        """See `RegionTower.stride`: the side of a patch."""
        return int(self.visual.patch_size[0])

    def trunk(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.trunk`: (B, E, h, w), a token per patch."""
        tower = self.visual
        alone = takes_value_path(self.dense, class_token=tower.pool_type == "tok")
        tokens, grid = encode_tokens(tower, pixels, alone=alone)
        if not tower.final_ln_after_pool:
            tokens = tower.ln_post(tokens)
        return map_of_tokens(tokens, grid, 1, keep=False)

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
        return first_layers(self.visual)


def require_plain_blocks(tower: Any) -> None:
    """Pass if patches are square and blocks attend as CLIP's do.

    Raises:
        SourceError: If not.
    """
    plain = all(isinstance(b, ResidualAttentionBlock) for b in tower.transformer.resblocks)
    if not plain or tower.patch_size[0] != tower.patch_size[1]:
        raise SourceError(
            "regions cannot be read from this vision transformer: its patches are not square, or "
            "it attends in another way than CLIP's; use another image tower"
        )


def first_layers(tower: Any) -> list[nn.Module | nn.Parameter]:
    """Patches, positions and the first quarter of the blocks of open_clip's `VisionTransformer`."""
    blocks = tower.transformer.resblocks
    stem = [tower.conv1, tower.class_embedding, tower.positional_embedding, tower.ln_pre]
    return [*stem, *blocks[: len(blocks) // 4]]


def encode_tokens(
    tower: Any, pixels: torch.Tensor, *, alone: bool
) -> tuple[torch.Tensor, torch.Size]:
    """Tokens (B, 1 + h w, E) after the last block, before the last norm, and their grid (h, w).

    Args:
        tower: open_clip's `VisionTransformer`.
        pixels: (B, 3, H, W), normalised, of any size.
        alone: Whether each token passes the last block without attention to others.
    """
    patches = tower.conv1(pad_to_multiple(pixels, int(tower.patch_size[0])))  # (B, E, h, w)
    grid = patches.shape[2:]
    first = tower.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
    positions = resample_positions(tower.positional_embedding, tower.grid_size, grid)
    tokens = torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1)
    tokens = tower.ln_pre(tokens + positions.to(patches.dtype))
    *blocks, last = tower.transformer.resblocks
    for block in blocks:
        tokens = block(tokens)
    return value_path(last, tokens) if alone else last(tokens), grid


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
