from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from stages.proposals.selection import Selection, finite, suppress

KEEP = Selection(nms=1, top_k=1000)
WHOLE = (1000, 1000)


def boxes(count: int, seed: int, whole: bool = True) -> Any:
    """Crowded boxes; whole numbers make ties and IoUs of exactly one half."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 12, (count, 2))
    both = np.concatenate([corners, corners + rng.uniform(2, 9, (count, 2))], axis=1)
    return (np.floor(both) if whole else both).astype(np.float32)


def plain_nms(boxes: Any, scores: Any, threshold: float) -> list[int]:
    """In float64, box by box; of equal scores the first wins."""
    left = sorted(range(len(boxes)), key=lambda i: (-float(scores[i]), i))
    kept: list[int] = []
    for i in left:
        if all(plain_iou(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


def plain_iou(a: Any, b: Any) -> float:
    width = max(0.0, min(float(a[2]), float(b[2])) - max(float(a[0]), float(b[0])))
    height = max(0.0, min(float(a[3]), float(b[3])) - max(float(a[1]), float(b[1])))
    area_a = (float(a[2]) - float(a[0])) * (float(a[3]) - float(a[1]))
    area_b = (float(b[2]) - float(b[0])) * (float(b[3]) - float(b[1]))
    return width * height / (area_a + area_b - width * height)


@pytest.mark.parametrize("threshold", [0.25, 0.5, 0.75])  # float32 holds these exactly
@pytest.mark.parametrize("seed", range(8))
def test_suppression_equals_a_plain_loop_with_ties(seed: int, threshold: float) -> None:
    mine = boxes(80, seed)
    scores = np.random.default_rng(seed).integers(0, 4, 80).astype(np.float32)
    found, places = Selection(nms=threshold, top_k=1000)(mine, scores, WHOLE)
    assert places.tolist() == plain_nms(mine, scores, threshold)
    np.testing.assert_array_equal(found, mine[places])


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("seed", range(8))
def test_suppression_equals_a_plain_loop_without_ties(seed: int, threshold: float) -> None:
    mine = boxes(80, seed, whole=False)
    scores = np.random.default_rng(seed).normal(size=80).astype(np.float32)
    _, places = Selection(nms=threshold, top_k=1000)(mine, scores, WHOLE)
    assert places.tolist() == plain_nms(mine, scores, threshold)


def test_overlap_of_exactly_the_threshold_is_kept() -> None:
    mine = np.float32([[0, 0, 4, 4], [0, 0, 4, 2]])
    assert suppress(mine, 0.5, 9).tolist() == [0, 1]
    assert suppress(mine, 0.49, 9).tolist() == [0]


@pytest.mark.parametrize("most", [1, 3, 7, 60])
def test_trying_the_first_boxes_first_changes_nothing(most: int) -> None:
    mine = np.concatenate([np.float32([[0, 0, 9, 9]] * 200), boxes(100, 0)])
    scores = np.arange(300, 0, -1).astype(np.float32)
    assert suppress(mine, 0.5, most).tolist() == plain_nms(mine, scores, 0.5)[:most]


@pytest.mark.gpu
def test_suppression_on_cuda_equals_that_on_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    mine = boxes(2000, 0)
    assert (
        suppress(mine, 0.5, 300, torch.device("cuda")).tolist() == suppress(mine, 0.5, 300).tolist()
    )


def test_threshold_one_keeps_even_equal_boxes() -> None:
    _, places = KEEP(np.float32([[0, 0, 4, 4]] * 3), np.float32([1, 2, 2]), WHOLE)
    assert places.tolist() == [1, 2, 0]


def test_the_best_come_first_and_no_more_than_asked_for() -> None:
    _, places = Selection(nms=1, top_k=2)(boxes(4, 0), np.float32([0.1, 0.4, 0.3, 0.2]), WHOLE)
    assert places.tolist() == [1, 2]


@pytest.mark.parametrize(
    "bad",
    [
        [np.nan, 0, 5, 5],
        [0, 0, np.inf, 5],
        [5, 5, 5, 9],
        [5, 5, 4, 9],
        [20, 0, 30, 5],
        [-9, 0, 0, 5],
        [-5, -5, -1, -1],
    ],
)
def test_boxes_that_are_not_finite_or_empty_in_the_image_are_dropped(bad: list[float]) -> None:
    mine = np.float32([bad, [0, 0, 3, 3]])
    _, places = KEEP(mine, np.float32([1, 0]), (20, 10))
    assert places.tolist() == [1]


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_dropped(score: float) -> None:
    mine = np.float32([[0, 0, 3, 3]])
    assert KEEP(mine, np.float32([score]), WHOLE)[1].tolist() == []
    assert finite(mine, np.float32([score])).tolist() == [False]


def test_boxes_are_cut_before_they_are_measured_and_compared() -> None:
    mine = np.float32([[0, 0, 8, 8], [0, 0, 80, 8], [6, 6, 90, 90]])
    how = Selection(nms=0.5, top_k=9, min_size=3)
    found, places = how(mine, np.float32([2, 3, 1]), (8, 8))
    assert places.tolist() == [1]
    assert found.tolist() == [[0, 0, 8, 8]]


def test_the_least_size_holds_for_both_sides_and_is_allowed() -> None:
    mine = np.float32([[0, 0, 5, 5], [0, 0, 50, 4.9], [0, 0, 4.9, 50]])
    _, places = Selection(nms=1, top_k=9, min_size=5)(mine, np.float32([1, 2, 3]), WHOLE)
    assert places.tolist() == [0]


def test_the_least_score_is_allowed() -> None:
    how = Selection(nms=1, top_k=9, min_score=0.5)
    _, places = how(boxes(3, 0), np.float32([0.5, 0.49, 0.6]), WHOLE)
    assert places.tolist() == [2, 0]


def test_of_nothing_nothing_is_selected() -> None:
    found, places = Selection(nms=0.5, top_k=9)(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), WHOLE
    )
    assert found.shape == (0, 4)
    assert places.shape == (0,)


def plain_levels(boxes: Any, scores: Any, levels: Any, threshold: float, most: int) -> list[int]:
    """Suppression within levels, box by box, then the best of all levels."""
    alive: list[int] = []
    for place in np.argsort(-scores, kind="stable"):
        rivals = [k for k in alive if levels[k] == levels[place]]
        if all(iou(boxes[place], boxes[k]) <= threshold for k in rivals):
            alive.append(int(place))
    return alive[:most]


def iou(a: Any, b: Any) -> float:
    shared = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    areas = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod()
    return float(shared / (areas - shared))


@pytest.mark.parametrize("most", [5, 40, 1000])
def test_item_16_boxes_give_way_only_to_better_ones_of_their_own_map(most: int) -> None:
    draw = np.random.default_rng()
    corner = draw.uniform(0, 60, (200, 2))
    boxes = np.concatenate([corner, corner + draw.uniform(5, 30, (200, 2))], 1).astype("f4")
    scores = np.round(draw.normal(size=200), 2).astype("f4")  # with ties, negative too
    levels = draw.integers(0, 4, 200).astype(np.uint8)
    kept, places = Selection(nms=0.5, top_k=most)(boxes, scores, (100, 100), levels=levels)
    assert places.tolist() == plain_levels(boxes, scores, levels, 0.5, most)
    assert (kept == boxes[places]).all()
    together = Selection(nms=0.5, top_k=most)(boxes, scores, (100, 100))[1]
    alone = Selection(nms=0.5, top_k=most)(boxes, scores, (100, 100), levels=np.zeros(200, "u1"))[1]
    assert together.tolist() == alone.tolist()
