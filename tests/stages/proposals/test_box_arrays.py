from __future__ import annotations

import numpy as np
import pytest

from stages.proposals import box_arrays
from stages.proposals.box_arrays import BoxArrays, BoxCollector


@pytest.mark.parametrize("block", [1, 7, 40, 1000])
def test_any_order_of_adding_gives_the_boxes_of_each_image(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(box_arrays, "_BLOCK", block)
    rng = np.random.default_rng(0)
    rows = [(f"image {i}", tuple(rng.normal(size=5))) for i in rng.integers(0, 6, 40)]
    collector = BoxCollector()
    for image_id, row in rows:
        collector.add(image_id, row)
    arrays = collector.arrays()
    assert arrays.ids == list(dict.fromkeys(image_id for image_id, _ in rows))
    for index, image_id in enumerate(arrays.ids):
        expected = np.float32([row for other, row in rows if other == image_id])
        boxes, scores = arrays.boxes(index)
        np.testing.assert_array_equal(boxes, expected[:, :4])
        np.testing.assert_array_equal(scores, expected[:, 4])
        assert boxes.dtype == scores.dtype == np.float32


def test_a_collector_without_boxes_has_no_images() -> None:
    assert BoxCollector().arrays().ids == []


def test_values_beyond_float32_become_infinite_and_nan_stays() -> None:
    collector = BoxCollector()
    collector.add("a", (1e300, -1e300, float("nan"), 2.0, 0.5))
    boxes, _ = collector.arrays().boxes(0)
    np.testing.assert_array_equal(boxes, [[np.inf, -np.inf, np.nan, 2]])


def test_an_image_without_boxes_has_an_empty_array() -> None:
    boxes = np.arange(8, dtype=np.float32).reshape(2, 4)
    owners = np.array([2, 0])
    arrays = BoxArrays({"a": 0, "b": 1, "c": 2}, owners, (boxes, np.float32([1, 2])))
    assert [arrays.boxes(index)[1].tolist() for index in range(3)] == [[2], [], [1]]
    assert arrays.boxes(1)[0].shape == (0, 4)
