"""Box deltas: how a box is moved and stretched onto another, and back.

Shapes: R boxes; K sets of deltas a box, 1 where all categories share them. Boxes are
(x0, y0, x1, y1) in pixels of any frame: deltas are shares of a box's width and height.

Source: R-CNN (arXiv:1311.2524), appendix C; values as detectron2's `Box2BoxTransform`.
"""

from __future__ import annotations

import math
from typing import Final

import torch

WEIGHTS: Final = (10.0, 10.0, 5.0, 5.0)  # of dx, dy, dw, dh in a box head
LARGEST_STRETCH: Final = math.log(1000.0 / 16)  # limit of dw and dh, before exp


def encode(
    boxes: torch.Tensor, targets: torch.Tensor, weights: tuple[float, ...] = WEIGHTS
) -> torch.Tensor:
    """Deltas (R, 4) that take each of `boxes` (R, 4) to its target (R, 4).

    Both must have positive width and height, or the deltas are not finite.
    """
    x, y, wide, high = _centres_and_sizes(boxes)
    target_x, target_y, target_wide, target_high = _centres_and_sizes(targets)
    wx, wy, ww, wh = weights
    return torch.stack(
        [
            wx * (target_x - x) / wide,
            wy * (target_y - y) / high,
            ww * torch.log(target_wide / wide),
            wh * torch.log(target_high / high),
        ],
        dim=1,
    )


def decode(
    boxes: torch.Tensor, deltas: torch.Tensor, weights: tuple[float, ...] = WEIGHTS
) -> torch.Tensor:
    """Boxes (R, 4K): `boxes` (R, 4) moved by deltas (R, 4K); no side grows more than 62.5 times."""
    x, y, wide, high = (side[:, None] for side in _centres_and_sizes(boxes))  # (R, 1) each
    moves = deltas.reshape(-1, deltas.shape[1] // 4, 4)  # (R, K, 4)
    wx, wy, ww, wh = weights
    centre_x = moves[..., 0] / wx * wide + x
    centre_y = moves[..., 1] / wy * high + y
    half_wide = torch.exp((moves[..., 2] / ww).clamp(max=LARGEST_STRETCH)) * wide / 2
    half_high = torch.exp((moves[..., 3] / wh).clamp(max=LARGEST_STRETCH)) * high / 2
    sides = [centre_x - half_wide, centre_y - half_high, centre_x + half_wide, centre_y + half_high]
    return torch.stack(sides, dim=2).view(deltas.shape)


def _centres_and_sizes(boxes: torch.Tensor) -> tuple[torch.Tensor, ...]:
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    return boxes[:, 0] + wide / 2, boxes[:, 1] + high / 2, wide, high
