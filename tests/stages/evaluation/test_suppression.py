from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stages.evaluation.scores import boxes_of, select
from stages.evaluation.suppression import SoftNms
from stages.geometry import pairwise_iou

if TYPE_CHECKING:
    from numpy.typing import NDArray

rng = np.random.default_rng(47)


def random_boxes(*shape: int) -> NDArray[np.float32]:
    corner = rng.uniform(0, 60, (*shape, 2))
    return np.concatenate([corner, corner + rng.uniform(5, 60, (*shape, 2))], axis=-1).astype("f4")


def plain_loop(
    scores: NDArray[np.float64], boxes: NDArray[np.float32], threshold: float, soft: SoftNms
) -> list[tuple[int, int, float]]:
    """As published: keep the best of all candidates, lower the others of its category, repeat."""
    candidates = [
        [r, k, scores[r, k]]
        for r in range(scores.shape[0])
        for k in range(scores.shape[1])
        if scores[r, k] > threshold
    ]
    kept = []
    while candidates:
        best = max(
            range(len(candidates)), key=lambda index: candidates[index][2]
        )  # the first of equals
        r, k, score = candidates.pop(best)
        kept.append((r, k, score))
        for other in candidates:
            if other[1] != k:
                continue
            own = boxes if boxes.ndim == 2 else boxes[:, k]
            iou = float(pairwise_iou(own[[r]], own[[other[0]]])[0, 0])  # float32, as equals need
            if soft.method == "gaussian":
                other[2] *= float(np.exp(-(iou**2) / soft.sigma))
            elif iou > soft.nms:
                other[2] *= 1 - iou
        candidates = [other for other in candidates if other[2] > soft.prune]
    return kept


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gaussian", "linear"])
@pytest.mark.parametrize("box_per_category", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_soft_nms_keeps_what_the_plain_loop_keeps(
    method: str, box_per_category: bool, ties: bool
) -> None:
    for _ in range(5):
        regions, categories = int(rng.integers(1, 30)), int(rng.integers(1, 5))
        boxes = random_boxes(regions, categories) if box_per_category else random_boxes(regions)
        scores = rng.uniform(0, 1, (regions, categories))
        if ties:
            scores = np.round(scores, 1)
            boxes = np.round(boxes / 30) * 30 + np.float32([0, 0, 30, 30])
        soft = SoftNms(method, sigma=0.5, prune=0.05, nms=0.3)
        expected = plain_loop(scores, boxes, 0.02, soft)
        for limit in (len(expected) + 5, 7):
            detections = select(scores, boxes, threshold=0.02, nms=0.5, limit=limit, soft=soft)
            assert list(zip(detections.region, detections.category, strict=True)) == [
                (r, k) for r, k, _ in expected[:limit]
            ]
            expected_scores = [s for *_, s in expected[:limit]]
            np.testing.assert_allclose(detections.score, expected_scores, rtol=1e-5)


def test_an_equal_box_loses_most_of_its_score_and_a_distant_box_nothing() -> None:
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60]])
    scores = np.array([[0.9], [0.8], [0.5]])
    detections = select(scores, boxes, threshold=0, nms=0.5, limit=9, soft=SoftNms())
    assert detections.region.tolist() == [0, 2, 1]
    assert detections.score.tolist() == pytest.approx([0.9, 0.5, 0.8 * math.exp(-2)])


def test_scores_at_or_below_the_pruning_bound_are_dropped_except_the_first() -> None:
    boxes = np.float32([[0, 0, 10, 10], [50, 50, 60, 60]])
    scores = np.array([[0.0008, 0.0004], [0.0007, 0.0006]])
    detections = select(scores, boxes, threshold=0.0001, nms=0.5, limit=9, soft=SoftNms())
    assert list(zip(detections.region, detections.category, strict=True)) == [(0, 0)]


def test_a_box_does_not_lower_scores_of_another_category() -> None:
    boxes = np.repeat(np.float32([[0, 0, 10, 10]]), 2, axis=0)
    scores = np.array([[0.9, 0.0], [0.0, 0.8]])
    detections = select(scores, boxes, threshold=0.1, nms=0.5, limit=9, soft=SoftNms())
    assert detections.score.tolist() == [0.9, 0.8]


@pytest.mark.parametrize("soft", [None, SoftNms()])
def test_no_regions_and_no_scores_above_the_threshold_give_no_detections(
    soft: SoftNms | None,
) -> None:
    empty = np.zeros((0, 4), np.float32)
    assert (
        len(select(np.zeros((0, 3)), empty, threshold=0, nms=0.5, limit=9, soft=soft).region) == 0
    )
    some = random_boxes(2)
    assert len(select(np.zeros((2, 3)), some, threshold=0, nms=0.5, limit=9, soft=soft).region) == 0


@pytest.mark.parametrize("soft", [None, SoftNms()])
def test_a_region_whose_scores_or_box_are_not_finite_is_dropped(soft: SoftNms | None) -> None:
    boxes, scores = random_boxes(3), np.full((3, 2), 0.5)
    scores[0, 1] = np.nan
    boxes[2, 0] = np.inf
    detections = select(scores, boxes, threshold=0, nms=0.5, limit=9, soft=soft)
    assert set(detections.region.tolist()) == {1}


def test_with_a_box_for_each_category_a_detection_has_the_box_of_its_category() -> None:
    boxes = random_boxes(6, 3)
    detections = select(rng.uniform(0.1, 1, (6, 3)), boxes, threshold=0, nms=1, limit=99)
    assert len(detections.region) == 18
    for box, r, k in zip(
        boxes_of(boxes, detections), detections.region, detections.category, strict=True
    ):
        assert box.tolist() == boxes[r, k].tolist()


def test_nms_with_a_box_for_each_category_is_nms_of_each_category_alone() -> None:
    boxes, scores = random_boxes(20, 3), rng.uniform(0, 1, (20, 3))
    together = select(scores, boxes, threshold=0.1, nms=0.4, limit=999)
    for k in range(3):
        alone = select(scores[:, [k]], boxes[:, k], threshold=0.1, nms=0.4, limit=999)
        assert together.region[together.category == k].tolist() == alone.region.tolist()


def test_linear_decay_lowers_scores_only_above_the_iou_bound() -> None:
    soft = SoftNms("linear", nms=0.5)
    assert soft.decay(np.array([0.0, 0.5, 0.75, 1.0])).tolist() == [1.0, 1.0, 0.25, 0.0]


def test_gaussian_decay_is_one_without_overlap_and_falls_with_it() -> None:
    factors = SoftNms(sigma=0.5).decay(np.array([0.0, 0.5, 1.0]))
    assert factors.tolist() == pytest.approx([1.0, math.exp(-0.5), math.exp(-2)])
