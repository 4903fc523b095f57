from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from stages.evaluation.scores import boxes_of, select
from stages.evaluation.suppression import SoftNms

if TYPE_CHECKING:
    from numpy.typing import NDArray

rng = np.random.default_rng()  # fresh every run: what is asserted holds for any numbers


def random_boxes(*shape: int) -> NDArray[np.float32]:
    corner = rng.uniform(0, 60, (*shape, 2))
    return np.concatenate([corner, corner + rng.uniform(5, 60, (*shape, 2))], axis=-1).astype("f4")


def overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return float(shared / (areas - shared))


def plain_loop(
    scores: NDArray[np.float64], boxes: NDArray[np.float32], threshold: float, soft: SoftNms
) -> list[tuple[int, int, float]]:
    """As published: one list of all candidates, the best leaves, the rest of its category pay."""
    waiting = [
        [r, k, scores[r, k]]
        for r in range(scores.shape[0])
        for k in range(scores.shape[1])
        if scores[r, k] > threshold
    ]
    taken = []
    while waiting:
        best = max(range(len(waiting)), key=lambda place: waiting[place][2])  # the first of equals
        r, k, score = waiting.pop(best)
        taken.append((r, k, score))
        for other in waiting:
            if other[1] != k:
                continue
            own = boxes if boxes.ndim == 2 else boxes[:, k]
            iou = overlap(own[r], own[other[0]])
            if soft.method == "gaussian":
                other[2] *= math.exp(-(iou**2) / soft.sigma)
            elif iou > soft.nms:
                other[2] *= 1 - iou
        waiting = [other for other in waiting if other[2] > soft.prune]
    return taken


@pytest.mark.parametrize("method", ["gaussian", "linear"])
@pytest.mark.parametrize("own_boxes", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_soft_nms_keeps_what_the_plain_loop_keeps(method: str, own_boxes: bool, ties: bool) -> None:
    for _ in range(5):
        regions, categories = int(rng.integers(1, 30)), int(rng.integers(1, 5))
        boxes = random_boxes(regions, categories) if own_boxes else random_boxes(regions)
        scores = rng.uniform(0, 1, (regions, categories))
        if ties:
            scores = np.round(scores, 1)
            boxes = np.round(boxes / 30) * 30 + np.float32([0, 0, 30, 30])
        soft = SoftNms(method, sigma=0.5, prune=0.05, nms=0.3)
        expected = plain_loop(scores, boxes, 0.02, soft)
        for limit in (len(expected) + 5, 7):
            found = select(scores, boxes, threshold=0.02, nms=0.5, limit=limit, soft=soft)
            assert list(zip(found.region, found.category, strict=True)) == [
                (r, k) for r, k, _ in expected[:limit]
            ]
            expected_scores = [s for *_, s in expected[:limit]]
            np.testing.assert_allclose(found.score, expected_scores, rtol=1e-5)


def test_by_pencil_a_twin_loses_all_but_its_share_and_a_stranger_nothing() -> None:
    boxes = np.float32([[0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 60, 60]])
    scores = np.array([[0.9], [0.8], [0.5]])
    found = select(scores, boxes, threshold=0, nms=0.5, limit=9, soft=SoftNms())
    assert found.region.tolist() == [0, 2, 1]
    assert found.score.tolist() == pytest.approx([0.9, 0.5, 0.8 * math.exp(-2)])


def test_what_falls_to_the_pruning_bound_is_gone_but_for_the_first() -> None:
    boxes = np.float32([[0, 0, 10, 10], [50, 50, 60, 60]])
    scores = np.array([[0.0008, 0.0004], [0.0007, 0.0006]])
    found = select(scores, boxes, threshold=0.0001, nms=0.5, limit=9, soft=SoftNms())
    assert list(zip(found.region, found.category, strict=True)) == [(0, 0)]


def test_categories_do_not_disturb_one_another() -> None:
    boxes = np.repeat(np.float32([[0, 0, 10, 10]]), 2, axis=0)
    scores = np.array([[0.9, 0.0], [0.0, 0.8]])
    found = select(scores, boxes, threshold=0.1, nms=0.5, limit=9, soft=SoftNms())
    assert found.score.tolist() == [0.9, 0.8]


@pytest.mark.parametrize("soft", [None, SoftNms()])
def test_nothing_comes_of_nothing(soft: SoftNms | None) -> None:
    empty = np.zeros((0, 4), np.float32)
    assert (
        len(select(np.zeros((0, 3)), empty, threshold=0, nms=0.5, limit=9, soft=soft).region) == 0
    )
    some = random_boxes(2)
    assert len(select(np.zeros((2, 3)), some, threshold=0, nms=0.5, limit=9, soft=soft).region) == 0


@pytest.mark.parametrize("soft", [None, SoftNms()])
def test_a_region_with_a_number_that_is_none_is_dropped(soft: SoftNms | None) -> None:
    boxes, scores = random_boxes(3), np.full((3, 2), 0.5)
    scores[0, 1] = np.nan
    boxes[2, 0] = np.inf
    found = select(scores, boxes, threshold=0, nms=0.5, limit=9, soft=soft)
    assert set(found.region.tolist()) == {1}


def test_boxes_of_ones_own_are_looked_up_by_category() -> None:
    boxes = random_boxes(6, 3)
    found = select(rng.uniform(0.1, 1, (6, 3)), boxes, threshold=0, nms=1, limit=99)
    assert len(found.region) == 18
    for box, r, k in zip(boxes_of(boxes, found), found.region, found.category, strict=True):
        assert box.tolist() == boxes[r, k].tolist()


def test_hard_nms_with_boxes_of_ones_own_is_nms_of_each_category_alone() -> None:
    boxes, scores = random_boxes(20, 3), rng.uniform(0, 1, (20, 3))
    together = select(scores, boxes, threshold=0.1, nms=0.4, limit=999)
    for k in range(3):
        alone = select(scores[:, [k]], boxes[:, k], threshold=0.1, nms=0.4, limit=999)
        assert together.region[together.category == k].tolist() == alone.region.tolist()
