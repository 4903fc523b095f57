"""Anchors: the reference boxes that a proposal network scores and moves.

Two published rules differ in sizes, order and step, so a network keeps the rule it was trained
with:

* detectron2: exact sides; for each size, all ratios; the step is the stride.
* torchvision: sides rounded to whole pixels; for each ratio, all sizes; the step is the side of the
  padded image divided by that of the map, rounded down, which can be less than the stride.

Shapes: h w positions of a map, A anchors at each position, P = h * w * A.

Source: `DefaultAnchorGenerator` of detectron2 (offset 0), `AnchorGenerator` of torchvision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.models.rpn_spec import RpnSpec


def anchors_on(
    spec: RpnSpec, maps: Sequence[torch.Tensor], padded: tuple[int, int]
) -> list[torch.Tensor]:
    """Anchors (P, 4) on each map, position by position, in pixels of the padded batch; float32.

    Args:
        spec: Sizes, ratios and rule.
        maps: (B, C, h, w), one for each stride of the spec.
        padded: Height and width of the batch, pixels.
    """
    anchors = []
    for sizes, stride, feature_map in zip(spec.levels, spec.strides, maps, strict=True):
        height, width = feature_map.shape[-2:]
        step = (stride, stride)
        if spec.anchors == "torchvision":
            step = (padded[0] // height, padded[1] // width)
        around_origin = anchors_at_origin(sizes, spec.ratios, spec.anchors).to(feature_map.device)
        anchors.append(_shifted(around_origin, (height, width), step))
    return anchors


def anchors_at_origin(sizes: Sequence[int], ratios: Sequence[float], rule: str) -> torch.Tensor:
    """The anchors (A, 4) of one position, around the origin; float32.

    Args:
        sizes: Square roots of areas, pixels.
        ratios: Height over width.
        rule: "detectron2" or "torchvision".

    >>> anchors_at_origin((8,), (0.25, 1.0), "detectron2").tolist()
    [[-8.0, -2.0, 8.0, 2.0], [-4.0, -4.0, 4.0, 4.0]]
    """
    if rule == "torchvision":
        size, tall = torch.tensor(sizes), torch.tensor(ratios).sqrt()[:, None]
        wide, high = ((1 / tall) * size).flatten(), (tall * size).flatten()
        return (torch.stack([-wide, -high, wide, high], dim=1) / 2).round()
    size, ratio = torch.tensor(sizes, dtype=torch.float64)[:, None], torch.tensor(ratios).double()
    wide = (size**2 / ratio).sqrt()
    high = wide * ratio
    return torch.stack([-wide, -high, wide, high], dim=2).flatten(0, 1).div(2).float()


def _shifted(
    around_origin: torch.Tensor, grid: tuple[int, int], step: tuple[int, int]
) -> torch.Tensor:
    """Anchors (A, 4) at each of h x w positions, row by row: (h * w * A, 4)."""
    y, x = (
        torch.arange(count, device=around_origin.device) * pixels
        for count, pixels in zip(grid, step, strict=True)
    )
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    shifts = torch.stack([columns, rows, columns, rows], dim=2).reshape(-1, 1, 4)
    return (shifts + around_origin).flatten(0, 1)
