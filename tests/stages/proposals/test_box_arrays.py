from __future__ import annotations

import numpy as np
import pytest

from stages.proposals import box_arrays
from stages.proposals.box_arrays import BoxArrays, BoxCollector
from stages.proposals.box_file import ImageKey


@pytest.mark.parametrize("block", [1, 7, 40, 1000])
def test_any_order_of_adding_gives_the_boxes_of_each_image(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(box_arrays, "_BLOCK", block)
    rng = np.random.default_rng(0)
    rows = [(f"image {i}", tuple(rng.normal(size=5))) for i in rng.integers(0, 6, 40)]
    collector = BoxCollector()
    for image_id, row in rows:
        collector.add(ImageKey(image_id), row)
    arrays = collector.arrays()
    assert arrays.keys == [ImageKey(i) for i in dict.fromkeys(i for i, _ in rows)]
    for index, (image_id, _) in enumerate(arrays.keys):
        expected = np.float32([row for other, row in rows if other == image_id])
        boxes, scores = arrays.boxes(index)
        np.testing.assert_array_equal(boxes, expected[:, :4])
        np.testing.assert_array_equal(scores, expected[:, 4])
        assert boxes.dtype == scores.dtype == np.float32


def test_a_collector_without_boxes_has_no_images() -> None:
    assert BoxCollector().arrays().keys == []


def test_values_beyond_float32_become_infinite_and_nan_stays() -> None:
    collector = BoxCollector()
    collector.add(ImageKey("a"), (1e300, -1e300, float("nan"), 2.0, 0.5))
    boxes, _ = collector.arrays().boxes(0)
    np.testing.assert_array_equal(boxes, [[np.inf, -np.inf, np.nan, 2]])


def test_an_image_without_boxes_has_an_empty_array() -> None:
    boxes = np.arange(8, dtype=np.float32).reshape(2, 4)
    owners = np.array([2, 0])
    arrays = BoxArrays(map(ImageKey, "abc"), owners, (boxes, np.float32([1, 2])))
    assert [arrays.boxes(index)[1].tolist() for index in range(3)] == [[2], [], [1]]
    assert arrays.boxes(1)[0].shape == (0, 4)


@pytest.mark.parametrize("block", [1, 3, 100])
def test_blocks_give_every_box_once_with_its_image(
    monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr(box_arrays, "_BLOCK", block)
    collector = BoxCollector()
    for number, image_id in enumerate("babbc"):
        collector.add(ImageKey(image_id), (number, 0, 9, 9, 0.5))
    owners, boxes, _ = map(np.concatenate, zip(*collector.arrays().blocks(), strict=True))
    owned = {(int(owner), int(box[0])) for owner, box in zip(owners, boxes, strict=True)}
    assert owned == {(0, 0), (1, 1), (0, 2), (0, 3), (2, 4)}
    assert max(len(o) for o, _, _ in collector.arrays().blocks()) <= block


def test_two_images_that_turn_out_to_be_one_have_the_boxes_of_both() -> None:
    collector = BoxCollector()
    for number, image_id in enumerate("abca"):
        collector.add(ImageKey(image_id), (number, 0, 9, 9, 1))
    collector.replace(ImageKey("a"), ImageKey("c"))
    collector.replace(ImageKey("unknown"), ImageKey("x"))
    arrays = collector.arrays()
    assert arrays.keys == [ImageKey("b"), ImageKey("c")]
    assert [arrays.boxes(i)[0][:, 0].tolist() for i in (0, 1)] == [[1], [0, 2, 3]]


def test_without_any_score_every_score_is_one() -> None:
    collector = BoxCollector()
    collector.add(ImageKey("a"), (0, 0, 1, 1, float("nan")))
    assert not collector.arrays().has_scores
    assert collector.arrays().boxes(0)[1].tolist() == [1]
    collector.add(ImageKey("a"), (0, 0, 1, 1, 0.5))
    arrays = collector.arrays()
    assert arrays.has_scores
    assert np.isnan(arrays.boxes(0)[1]).tolist() == [True, False]
