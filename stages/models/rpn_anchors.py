"""Anchors: the boxes whose likeness to an object a proposal network judges.

Two published rules differ in sizes, order and distance, so a network keeps the one it was
trained with:

* detectron2: exact sides, size by size and ratio by ratio; a stride apart.
* torchvision: sides rounded to whole pixels, ratio by ratio and size by size; the padded image's
  side over the map's apart, rounded down, which is less than the stride where it does not divide.

Shapes: h w places of a map, A anchors at each place, P = h * w * A.

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
    """Anchors (P, 4) on each map, place by place, in pixels of the padded batch; float32.

    Args:
        spec: Sizes, ratios and rule.
        maps: (B, C, h, w), one for each of the spec's strides.
        padded: Height and width of the batch, pixels.
    """
    found = []
    for sizes, stride, each in zip(spec.levels, spec.strides, maps, strict=True):
        high, wide = each.shape[-2:]
        apart = (stride, stride)
        if spec.anchors == "torchvision":
            apart = (padded[0] // high, padded[1] // wide)
        around_origin = cell(sizes, spec.ratios, spec.anchors).to(each.device)
        found.append(_shifted(around_origin, (high, wide), apart))
    return found


def cell(sizes: Sequence[int], ratios: Sequence[float], rule: str) -> torch.Tensor:
    """The anchors (A, 4) of one place, around the origin; float32.

    Args:
        sizes: Square roots of areas, pixels.
        ratios: Height over width.
        rule: "detectron2" or "torchvision".

    >>> cell((8,), (0.25, 1.0), "detectron2").tolist()
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


def _shifted(around: torch.Tensor, places: tuple[int, int], apart: tuple[int, int]) -> torch.Tensor:
    """(A, 4) at each of h x w places, row by row. (h * w * A, 4)."""
    y, x = (
        torch.arange(count, device=around.device) * step
        for count, step in zip(places, apart, strict=True)
    )
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    shifts = torch.stack([columns, rows, columns, rows], dim=2).reshape(-1, 1, 4)
    return (shifts + around).flatten(0, 1)
