from __future__ import annotations

import math

import pytest
import torch
from torchvision import ops

from stages.models.region_tower import pad_to_at_least, roi_align


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


@pytest.mark.parametrize("stride", [14, 16, 18, 32])
def test_a_grid_of_the_size_of_the_map_takes_its_cells_as_they_are(stride) -> None:
    for side in (7, 16, 24, 27, 37):
        feature_map = torch.randn(1, 2, side, side)
        whole = torch.tensor([[0.0, 0, side * stride, side * stride]])
        assert torch.equal(roi_align(feature_map, [whole], side, stride), feature_map)


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


def test_regions_of_several_images_come_in_the_order_of_images() -> None:
    maps = torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    boxes = [torch.tensor([[0.0, 0, 40, 40], [8, 8, 90, 50]]), torch.zeros(0, 4)]
    boxes.append(torch.tensor([[20.0, 0, 60, 96]]))
    expected = [
        roi_align(maps[b : b + 1], [box[None]], 3, 16) for b in range(3) for box in boxes[b]
    ]
    assert torch.equal(roi_align(maps, boxes, 3, 16), torch.cat(expected))


def test_no_regions_give_no_crops() -> None:
    assert roi_align(torch.zeros(2, 5, 4, 4), [torch.zeros(0, 4)] * 2, 7, 16).shape == (0, 5, 7, 7)


def test_autocast_does_not_lower_the_precision_of_roi_align() -> None:
    feature_map, boxes = torch.randn(1, 2, 8, 8), [torch.tensor([[5.0, 5, 100, 90]])]
    expected = roi_align(feature_map, boxes, 4, 16)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(roi_align(feature_map, boxes, 4, 16), expected)


@pytest.mark.parametrize(
    ("size", "padded"), [((3, 50), (16, 50)), ((40, 2), (40, 16)), ((1, 1), (16, 16))]
)
def test_small_images_are_padded_with_zeros_at_the_bottom_and_right(size, padded) -> None:
    pixels = torch.ones(2, 3, *size)
    result = pad_to_at_least(pixels, 16)
    assert result.shape == (2, 3, *padded)
    assert result[..., : size[0], : size[1]].all()
    assert result.sum() == pixels.sum()


def test_images_that_are_large_enough_are_not_copied() -> None:
    pixels = torch.ones(1, 3, 16, 17)
    assert pad_to_at_least(pixels, 16) is pixels
