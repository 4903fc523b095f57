"""The gradient of RoIAlign on a CPU, as sums over bags of bins.

RoIAlign is linear in the map: a bin is a weighted sum of the cells around its samples. Its weights
are products of a row's and a column's, so the cells of a bin are a small rectangle. Backwards, a
cell gathers the bins that it was part of; `embedding_bag` does so over contiguous channels, where
torchvision's kernel adds numbers one by one. `python -m benchmarks.roialign` compares the two. The
forward pass stays torchvision's.

Shapes: R boxes of an image, s cells a side, S samples of a bin, K cells that a bin touches; all in
one direction. C channels, map of H x W cells.

Source: Mask R-CNN (arXiv:1703.06870), section 3, with detectron2's half-pixel centres.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812
from torchvision import ops


class RoIAlignOnCPU(torch.autograd.Function):
    """torchvision's RoIAlign with adaptive sampling; `apply(map, cells, *boxes of each image)`."""

    @staticmethod
    def forward(
        ctx: Any, feature_map: torch.Tensor, cells: int, *boxes: torch.Tensor
    ) -> torch.Tensor:
        """Crops (N, C, s, s) of (B, C, H, W), for B tensors (R_b, 4) in cells of the map."""
        ctx.save_for_backward(*boxes)
        ctx.shape, ctx.cells = feature_map.shape, cells
        crops: torch.Tensor = ops.roi_align(
            feature_map, list(boxes), cells, spatial_scale=1.0, sampling_ratio=-1, aligned=True
        )
        return crops

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient (B, C, H, W) of the map, image by image; boxes have none."""
        boxes = ctx.saved_tensors
        of_images = torch.split(gradients[0], [len(b) for b in boxes])
        maps = [
            map_gradient(gradient, rois, (ctx.shape[2], ctx.shape[3]))
            for gradient, rois in zip(of_images, boxes, strict=True)
        ]
        return (torch.stack(maps).permute(0, 3, 1, 2), None, *(None for _ in boxes))


def map_gradient(
    gradient: torch.Tensor, boxes: torch.Tensor, size: tuple[int, int]
) -> torch.Tensor:
    """The gradient of one image's map.

    Args:
        gradient: (R, C, s, s), of the crops.
        boxes: (R, 4), in cells of the map.
        size: H and W.

    Returns:
        (H, W, C).
    """
    (count, channels, cells, _), (height, width) = gradient.shape, size
    if not count:
        return gradient.new_zeros(height, width, channels)
    cell, of_bin, weight = _contributions(boxes, cells, height, width)
    order = torch.argsort(cell, stable=True)
    counts = torch.bincount(cell, minlength=height * width)
    summed = F.embedding_bag(
        of_bin[order],
        gradient.permute(0, 2, 3, 1).reshape(-1, channels),
        counts.cumsum(0) - counts,
        mode="sum",
        per_sample_weights=weight[order],
    )
    return summed.view(height, width, channels)


def _contributions(
    boxes: torch.Tensor, cells: int, height: int, width: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Triples (M,) of a map cell, a bin and the cell's weight in it, where that is not 0."""
    x0, y0, x1, y1 = (boxes - 0.5).unbind(dim=1)  # half-pixel centres
    top, rows = _weights(y0, y1 - y0, cells, height)
    left, columns = _weights(x0, x1 - x0, cells, width)
    weight = rows[:, :, None, :, None] * columns[:, None, :, None, :]  # (R, s, s, K, K)
    y = top[:, :, None] + torch.arange(rows.shape[2])  # (R, s, K)
    x = left[:, :, None] + torch.arange(columns.shape[2])
    cell = y[:, :, None, :, None] * width + x[:, None, :, None, :]
    bins = torch.arange(len(boxes) * cells * cells).view(-1, cells, cells, 1, 1).expand_as(cell)
    taken = weight != 0
    return cell[taken], bins[taken], weight[taken]


def _weights(
    start: torch.Tensor, size: torch.Tensor, cells: int, length: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """In one direction: the first map cell (R, s) that a bin touches, and weights (R, s, K).

    Args:
        start: (R,), where the boxes begin.
        size: (R,), how long they are.
        cells: Bins of a box.
        length: Cells of the map.
    """
    bin_size = (size / cells)[:, None, None]
    samples = torch.ceil(bin_size)  # of a bin: adaptive
    number = torch.arange(max(int(samples.max()), 1))
    within = (number + 0.5) * bin_size / samples.clamp(min=1)
    at = start[:, None, None] + torch.arange(cells)[:, None] * bin_size + within
    inside = (number < samples) & (at >= -1) & (at <= length)  # a sample further out counts as 0
    share = inside.to(at.dtype) / samples.clamp(min=1)
    at = at.clamp(0, length - 1)
    low = at.floor().long()
    high = (low + 1).clamp(max=length - 1)
    first = low[:, :, :1]
    weights = at.new_zeros(*first.shape[:2], int((high - first).max()) + 1)
    weights.scatter_add_(2, low - first, share * (1 - (at - low)))
    weights.scatter_add_(2, high - first, share * (at - low))
    return first[:, :, 0], weights
