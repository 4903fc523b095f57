from __future__ import annotations

import numpy as np
import pytest

from schemas import boxes


@pytest.fixture
def some() -> np.ndarray:
    rng = np.random.default_rng()
    corner = rng.uniform(-50, 100, (200, 2))
    size = rng.uniform(-5, 60, (200, 2))
    return np.concatenate([corner, corner + size], axis=1).astype(np.float32)


def test_corner_and_size_are_corners_and_back(some: np.ndarray) -> None:
    np.testing.assert_allclose(boxes.from_xywh(boxes.to_xywh(some)), some, atol=1e-4)
    assert boxes.from_xywh(np.float32([[1, 2, 3, 4]])).tolist() == [[1, 2, 4, 6]]


def test_a_clipped_box_lies_within_the_image_and_inside_boxes_stay(some: np.ndarray) -> None:
    cut = boxes.clip(some, width=90, height=40)
    assert cut.dtype == np.float32
    limits = (90, 40, 90, 40)
    expected = [[min(max(x, 0), end) for x, end in zip(b, limits, strict=True)] for b in some]
    np.testing.assert_array_equal(cut, expected)
    inside = (some >= 0).all(1) & (some[:, ::2] <= 90).all(1) & (some[:, 1::2] <= 40).all(1)
    np.testing.assert_array_equal(cut[inside], some[inside])
    np.testing.assert_array_equal(boxes.clip(cut, 90, 40), cut)


def test_the_area_is_that_of_the_rectangle_and_0_if_it_is_inside_out(some: np.ndarray) -> None:
    expected = [
        max(float(x1) - float(x0), 0) * max(float(y1) - float(y0), 0) for x0, y0, x1, y1 in some
    ]
    np.testing.assert_allclose(boxes.area(some), expected, rtol=1e-4, atol=1e-3)
    assert boxes.area(np.float32([[3, 3, 1, 1]])).tolist() == [0]


def test_no_boxes_are_no_boxes() -> None:
    none = np.zeros((0, 4), np.float32)
    for function in (boxes.from_xywh, boxes.to_xywh):
        assert function(none).shape == (0, 4)
    assert boxes.clip(none, 5, 5).shape == (0, 4)
    assert boxes.area(none).shape == (0,)
