"""Region features of a CLIP ResNet: stem to layer3 once, layer4 and attention pool per region.

Shapes: N regions, E channels after layer4, h heads, d channels of a head, T tokens of a region.

Source: RegionCLIP (arXiv:2112.09106); RoIAlign on the stride-16 map gives twice the attention
pool's grid; layer4 halves it to the grid that the positional embedding was learned on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from stages.models.region_tower import pad_to_at_least, roi_align

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import nn


@dataclass(frozen=True)
class ResNetRegions:
    """A CLIP ResNet as open_clip builds it (`ModifiedResNet`), split where regions are pooled."""

    visual: Any  # open_clip's ModifiedResNet, which has no types

    stride = 16

    @property
    def cells(self) -> int:
        """Side of the RoIAlign grid: 14 for images of 224, 18 for 288."""
        return 2 * (int(self.visual.image_size) // 32)

    def trunk(self, pixels: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.trunk`: stem, layer1, layer2, layer3."""
        tower = self.visual
        stem = tower.stem(_channels_last(pad_to_at_least(pixels, self.stride)))
        out: torch.Tensor = tower.layer3(tower.layer2(tower.layer1(stem)))
        return out

    def crop(self, feature_map: torch.Tensor, boxes: Sequence[torch.Tensor]) -> torch.Tensor:
        """See `RegionTower.crop`: (N, C, cells, cells)."""
        return roi_align(feature_map, boxes, self.cells, self.stride)

    def embed(self, crops: torch.Tensor) -> torch.Tensor:
        """See `RegionTower.embed`: layer4, then the attention of the mean token."""
        return pool_mean_token(self.visual.attnpool, self.visual.layer4(_channels_last(crops)))

    def early_layers(self) -> Iterable[nn.Module | nn.Parameter]:
        """See `RegionTower.early_layers`."""
        tower = self.visual
        return [tower.conv1, tower.conv2, tower.conv3, tower.layer1]


def pool_mean_token(pool: Any, grid: torch.Tensor) -> torch.Tensor:
    """The result of `pool` (open_clip's `AttentionPool2d`), computed for the mean token only.

    `pool` computes T queries and keeps that of the mean token. With one query, keys and values need
    not be projected for every token: the query is multiplied by the key weights once, and the
    attention-weighted mean of the tokens by the value weights once; the attention weights sum to
    1, so the value bias is added once. Exact, with about 20 times fewer multiplications for RN50.
    The key bias shifts all scores of a query by one number, so it changes nothing; it is added so
    that its gradient exists (and is 0).

    Args:
        pool: Attention pool with q/k/v/c projections and a positional embedding of T rows.
        grid: (N, E, s, s) with s * s = T - 1.

    Returns:
        (N, output width).
    """
    tokens = grid.flatten(2).transpose(1, 2)  # (N, T - 1, E)
    tokens = torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)  # (N, T, E)
    tokens = tokens + pool.positional_embedding.to(tokens.dtype)
    heads = pool.num_heads
    depth = tokens.shape[2] // heads  # d

    query = pool.q_proj(tokens[:, 0]) * depth**-0.5  # (N, E)
    query = query.unflatten(1, (heads, depth)).transpose(0, 1)  # (h, N, d)
    keys = pool.k_proj.weight.unflatten(0, (heads, depth))  # (h, d, E)
    folded = torch.bmm(query, keys.to(query.dtype)).transpose(0, 1)  # (N, h, E)
    shift = (query * pool.k_proj.bias.view(heads, 1, depth)).sum(dim=2).T  # (N, h)
    scores = torch.bmm(folded, tokens.transpose(1, 2)) + shift[:, :, None]  # (N, h, T)
    weights = scores.softmax(dim=2)
    mixed = torch.bmm(weights.to(tokens.dtype), tokens).transpose(0, 1)  # (h, N, E)
    values = pool.v_proj.weight.unflatten(0, (heads, depth)).transpose(1, 2)  # (h, E, d)
    joined = torch.bmm(mixed, values.to(mixed.dtype)).transpose(0, 1).flatten(1)  # (N, E)
    out: torch.Tensor = pool.c_proj(joined + pool.v_proj.bias)
    return out


def _channels_last(grid: torch.Tensor) -> torch.Tensor:
    """The same values, stored with channels last on a CPU, where this is about 10 % faster."""
    if grid.device.type != "cpu":
        return grid
    return grid.contiguous(memory_format=torch.channels_last)
