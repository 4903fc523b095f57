"""Feature maps of tokens, and cutting regions out of them; for towers that attend when they pool.

A pool of a vision transformer may also attend to the class token, which belongs to no place of
the image. Such leading tokens travel inside the map as channels that are the same in every cell.

Shapes: B images, N regions, P leading tokens, E width of a token, h x w grid of patches, s cells
a side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812

from stages.models.region_tower import roi_align

if TYPE_CHECKING:
    from collections.abc import Sequence


def map_of_tokens(
    tokens: torch.Tensor, grid: Sequence[int], leading: int, *, keep: bool
) -> torch.Tensor:
    """The map (B, E, h, w) of patch tokens, or (B, (1 + P) E, h, w) that keeps leading tokens.

    Args:
        tokens: (B, P + h w, E).
        grid: h and w.
        leading: P.
        keep: Whether `crop_tokens` will need the leading tokens.
    """
    dense = tokens[:, leading:].transpose(1, 2).reshape(len(tokens), -1, *grid)
    if not (keep and leading):
        return dense
    constant = tokens[:, :leading].reshape(len(tokens), -1, 1, 1)
    return torch.cat([dense, constant.expand(-1, -1, *grid)], dim=1)


def crop_tokens(
    feature_map: torch.Tensor, boxes: Sequence[torch.Tensor], cells: int, stride: int, leading: int
) -> torch.Tensor:
    """Tokens (N, P + s s, E) of regions: those kept of their image, then those of their cells.

    Args:
        feature_map: (B, (1 + P) E, h, w), as `map_of_tokens` keeps leading tokens.
        boxes: B tensors (R_b, 4), in pixels of the network's input.
        cells: Side s of the grid that each region is pooled to.
        stride: Pixels per cell of the map.
        leading: P.
    """
    width = feature_map.shape[1] // (1 + leading)
    pooled = roi_align(feature_map[:, :width], boxes, cells, stride).flatten(2).transpose(1, 2)
    if not leading:
        return pooled
    first = feature_map[:, width:, 0, 0].reshape(-1, leading, width).to(pooled.dtype)
    # shape and not len(), which would fix the number of regions of an exported graph
    repeated = [first[b].expand(of_image.shape[0], -1, -1) for b, of_image in enumerate(boxes)]
    return torch.cat([torch.cat(repeated), pooled], dim=1)


def pad_to_multiple(pixels: torch.Tensor, side: int) -> torch.Tensor:
    """Images (B, 3, H, W), padded with zeros at the bottom and right to multiples of `side`."""
    height, width = pixels.shape[2:]
    return F.pad(pixels, (0, -width % side, 0, -height % side))
