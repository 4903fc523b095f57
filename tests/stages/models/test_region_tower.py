from __future__ import annotations

import math

import pytest
import torch
from torchvision import ops

from stages.models.region_tower import roi_align


def sampled(feature_map: torch.Tensor, box: list[float], cells: int, stride: int) -> torch.Tensor:
    """RoIAlign by its definition: the mean of bilinear samples in each bin, one at a time."""
    _, height, width = feature_map.shape
    x0, y0, x1, y1 = (edge / stride - 0.5 for edge in box)
    high, wide = (y1 - y0) / cells, (x1 - x0) / cells
    rows, columns = math.ceil(high), math.ceil(wide)
    out = torch.zeros(len(feature_map), cells, cells, dtype=feature_map.dtype)
    for i in range(cells):
        for j in range(cells):
            for row in range(rows):
                for column in range(columns):
                    y = y0 + i * high + (row + 0.5) * high / rows
                    x = x0 + j * wide + (column + 0.5) * wide / columns
                    if not (-1 <= y <= height and -1 <= x <= width):
                        continue
                    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
                    top, left = min(int(y), height - 2), min(int(x), width - 2)
                    v, u = y - top, x - left
                    value = (1 - v) * (
                        (1 - u) * feature_map[:, top, left] + u * feature_map[:, top, left + 1]
                    )
                    value += v * (
                        (1 - u) * feature_map[:, top + 1, left]
                        + u * feature_map[:, top + 1, left + 1]
                    )
                    out[:, i, j] += value / (rows * columns)
    return out


@pytest.mark.parametrize(
    "box", [[0, 0, 96, 80], [3, 7, 20, 21], [50.5, 2.25, 51, 60], [80, 70, 96, 80], [-9, 5, 40, 99]]
)
def test_roi_align_is_the_mean_of_bilinear_samples(box) -> None:
    feature_map = torch.randn(1, 3, 5, 6, dtype=torch.float64)
    actual = roi_align(feature_map, [torch.tensor([box], dtype=torch.float64)], 4, 16)[0]
    torch.testing.assert_close(actual, sampled(feature_map[0], box, 4, 16))


def test_both_spellings_of_adaptive_sampling_agree() -> None:
    feature_map = torch.randn(1, 2, 9, 9)
    rois = [torch.tensor([[5.0, 5, 100, 140]])]
    minus = ops.roi_align(feature_map, rois, 7, 1 / 16, -1, aligned=True)
    zero = ops.roi_align(feature_map, rois, 7, 1 / 16, 0, aligned=True)
    assert torch.equal(minus, zero)


def test_roi_align_of_half_precision_is_computed_in_float32() -> None:
    feature_map = torch.randn(1, 2, 8, 8)
    boxes = [torch.tensor([[5.0, 5, 100, 90]])]
    half = roi_align(feature_map.bfloat16(), boxes, 4, 16)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, roi_align(feature_map.bfloat16().float(), boxes, 4, 16))
