from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from stages.proposals.selection import Selection, finite, suppress

KEEP_ALL = Selection(nms=1, top_k=1000)
WHOLE = (1000, 1000)


def boxes(count: int, seed: int, whole: bool = True) -> Any:
    """Crowded boxes; whole numbers make ties and IoUs of exactly one half."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 12, (count, 2))
    sides = np.concatenate([corners, corners + rng.uniform(2, 9, (count, 2))], axis=1)
    return (np.floor(sides) if whole else sides).astype(np.float32)


def plain_nms(boxes: Any, scores: Any, threshold: float) -> list[int]:
    """In float64, box by box; of equal scores the first wins."""
    ranked = sorted(range(len(boxes)), key=lambda i: (-float(scores[i]), i))
    kept: list[int] = []
    for i in ranked:
        if all(plain_iou(boxes[i], boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


def plain_iou(a: Any, b: Any) -> float:
    width = max(0.0, min(float(a[2]), float(b[2])) - max(float(a[0]), float(b[0])))
    height = max(0.0, min(float(a[3]), float(b[3])) - max(float(a[1]), float(b[1])))
    area_a = (float(a[2]) - float(a[0])) * (float(a[3]) - float(a[1]))
    area_b = (float(b[2]) - float(b[0])) * (float(b[3]) - float(b[1]))
    return width * height / (area_a + area_b - width * height)


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0.25, 0.5, 0.75])  # float32 holds these exactly
@pytest.mark.parametrize("seed", range(8))
def test_suppression_equals_a_plain_loop_with_ties(seed: int, threshold: float) -> None:
    raw = boxes(80, seed)
    scores = np.random.default_rng(seed).integers(0, 4, 80).astype(np.float32)
    kept, indices = Selection(nms=threshold, top_k=1000)(raw, scores, WHOLE)
    assert indices.tolist() == plain_nms(raw, scores, threshold)
    np.testing.assert_array_equal(kept, raw[indices])


@pytest.mark.slow
@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("seed", range(8))
def test_suppression_equals_a_plain_loop_without_ties(seed: int, threshold: float) -> None:
    raw = boxes(80, seed, whole=False)
    scores = np.random.default_rng(seed).normal(size=80).astype(np.float32)
    _, indices = Selection(nms=threshold, top_k=1000)(raw, scores, WHOLE)
    assert indices.tolist() == plain_nms(raw, scores, threshold)


def test_overlap_of_exactly_the_threshold_is_kept() -> None:
    raw = np.float32([[0, 0, 4, 4], [0, 0, 4, 2]])
    assert suppress(raw, 0.5, 9).tolist() == [0, 1]
    assert suppress(raw, 0.49, 9).tolist() == [0]


@pytest.mark.parametrize("top_k", [1, 3, 7, 60])
def test_trying_only_the_first_boxes_changes_nothing(top_k: int) -> None:
    raw = np.concatenate([np.float32([[0, 0, 9, 9]] * 200), boxes(100, 0)])
    scores = np.arange(300, 0, -1).astype(np.float32)
    assert suppress(raw, 0.5, top_k).tolist() == plain_nms(raw, scores, 0.5)[:top_k]


@pytest.mark.gpu
def test_suppression_on_cuda_equals_that_on_the_cpu() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    raw = boxes(2000, 0)
    assert (
        suppress(raw, 0.5, 300, torch.device("cuda")).tolist() == suppress(raw, 0.5, 300).tolist()
    )


def test_threshold_one_keeps_even_equal_boxes() -> None:
    _, indices = KEEP_ALL(np.float32([[0, 0, 4, 4]] * 3), np.float32([1, 2, 2]), WHOLE)
    assert indices.tolist() == [1, 2, 0]


def test_at_most_top_k_boxes_are_kept_and_the_best_come_first() -> None:
    _, indices = Selection(nms=1, top_k=2)(boxes(4, 0), np.float32([0.1, 0.4, 0.3, 0.2]), WHOLE)
    assert indices.tolist() == [1, 2]


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
def test_boxes_that_are_not_finite_or_empty_after_clipping_are_dropped(bad: list[float]) -> None:
    raw = np.float32([bad, [0, 0, 3, 3]])
    _, indices = KEEP_ALL(raw, np.float32([1, 0]), (20, 10))
    assert indices.tolist() == [1]


@pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_are_dropped(score: float) -> None:
    raw = np.float32([[0, 0, 3, 3]])
    assert KEEP_ALL(raw, np.float32([score]), WHOLE)[1].tolist() == []
    assert finite(raw, np.float32([score])).tolist() == [False]


def test_boxes_are_clipped_before_size_and_overlap_are_computed() -> None:
    raw = np.float32([[0, 0, 8, 8], [0, 0, 80, 8], [6, 6, 90, 90]])
    select = Selection(nms=0.5, top_k=9, min_size=3)
    kept, indices = select(raw, np.float32([2, 3, 1]), (8, 8))
    assert indices.tolist() == [1]
    assert kept.tolist() == [[0, 0, 8, 8]]


def test_both_sides_must_reach_the_smallest_size() -> None:
    raw = np.float32([[0, 0, 5, 5], [0, 0, 50, 4.9], [0, 0, 4.9, 50]])
    _, indices = Selection(nms=1, top_k=9, min_size=5)(raw, np.float32([1, 2, 3]), WHOLE)
    assert indices.tolist() == [0]


def test_a_box_with_exactly_the_lowest_score_is_kept() -> None:
    select = Selection(nms=1, top_k=9, min_score=0.5)
    _, indices = select(boxes(3, 0), np.float32([0.5, 0.49, 0.6]), WHOLE)
    assert indices.tolist() == [2, 0]


def test_no_boxes_give_no_proposals() -> None:
    kept, indices = Selection(nms=0.5, top_k=9)(
        np.zeros((0, 4), np.float32), np.zeros(0, np.float32), WHOLE
    )
    assert kept.shape == (0, 4)
    assert indices.shape == (0,)


def plain_levels(boxes: Any, scores: Any, levels: Any, threshold: float, top_k: int) -> list[int]:
    """Suppression within levels, box by box, then the best of all levels."""
    survivors: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        same_level = [k for k in survivors if levels[k] == levels[index]]
        if all(plain_iou(boxes[index], boxes[k]) <= threshold for k in same_level):
            survivors.append(int(index))
    return survivors[:top_k]


@pytest.mark.parametrize("top_k", [5, 40, 1000])
def test_boxes_suppress_only_boxes_of_their_own_level(top_k: int) -> None:
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 60, (200, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 30, (200, 2))], 1).astype("f4")
    scores = np.round(rng.normal(size=200), 2).astype("f4")  # with ties, negative too
    levels = rng.integers(0, 4, 200).astype(np.uint8)
    kept, indices = Selection(nms=0.5, top_k=top_k)(boxes, scores, (100, 100), levels=levels)
    assert indices.tolist() == plain_levels(boxes, scores, levels, 0.5, top_k)
    assert (kept == boxes[indices]).all()


def test_one_level_for_all_boxes_equals_no_levels() -> None:
    raw, scores = boxes(80, 3), np.random.default_rng(3).normal(size=80).astype(np.float32)
    select = Selection(nms=0.5, top_k=50)
    one_level = select(raw, scores, WHOLE, levels=np.zeros(80, np.uint8))[1]
    assert one_level.tolist() == select(raw, scores, WHOLE)[1].tolist()
