"""Anchor deltas: boxes relative to anchors, as a proposal network predicts them.

Shapes: A anchors. Boxes and anchors are x0, y0, x1, y1 in pixels of the resized image.

Source: the box parametrisation of Faster R-CNN (arXiv:1506.01497, equation 2), unit weights.
"""

from __future__ import annotations

import math
from typing import Final

import torch

LARGEST_STEP: Final = math.log(1000 / 16)  # limit of dw and dh; larger ones could overflow exp


def encode(boxes: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """Deltas dx, dy, dw, dh (A, 4) from anchors (A, 4) to boxes (A, 4)."""
    centre, size = _centres(boxes), boxes[:, 2:] - boxes[:, :2]
    anchor_centre, anchor_size = _centres(anchors), anchors[:, 2:] - anchors[:, :2]
    shift = (centre - anchor_centre) / anchor_size
    return torch.cat([shift, torch.log(size / anchor_size)], dim=1)


def decode(deltas: torch.Tensor, anchors: torch.Tensor) -> torch.Tensor:
    """Boxes (A, 4) from predicted deltas (A, 4) and anchors (A, 4); inverse of `encode`."""
    anchor_size = anchors[:, 2:] - anchors[:, :2]
    centre = deltas[:, :2] * anchor_size + _centres(anchors)
    half = torch.exp(deltas[:, 2:].clamp(max=LARGEST_STEP)) * anchor_size * 0.5
    return torch.cat([centre - half, centre + half], dim=1)


def _centres(boxes: torch.Tensor) -> torch.Tensor:
    return boxes[:, :2] + 0.5 * (boxes[:, 2:] - boxes[:, :2])
