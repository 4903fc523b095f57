from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from stages.geometry import pairwise_iou
from stages.proposals.recall import (
    AR_PROPOSALS,
    IOU_THRESHOLDS,
    RecallCounts,
    matched_ious,
    recall_and_ar100,
)

A, B, FAR = [0, 0, 10, 10], [20, 0, 30, 10], [80, 80, 90, 90]


def as_boxes(*boxes: list[int]) -> Any:
    return np.float32(boxes).reshape(-1, 4)


def test_a_box_matches_only_one_object() -> None:
    np.testing.assert_array_equal(matched_ious(as_boxes(A), as_boxes(A, A)), [1, 0])


def test_the_best_pair_is_matched_first() -> None:
    smaller = [0, 0, 10, 9]
    np.testing.assert_allclose(matched_ious(as_boxes(smaller, A), as_boxes(A, smaller)), [1, 1])


@pytest.mark.parametrize(("proposals", "objects"), [((), ()), ((A,), ()), ((), (A,))])
def test_without_proposals_or_objects_nothing_is_matched(proposals: Any, objects: Any) -> None:
    assert matched_ious(as_boxes(*proposals), as_boxes(*objects)).tolist() == [0.0] * len(objects)


def test_only_the_first_hundred_proposals_count_for_ar100() -> None:
    counts = RecallCounts()
    counts.add(as_boxes(*[FAR] * AR_PROPOSALS, A), as_boxes(A, B))
    assert counts.to_json() == {"objects": 2, "hits_50": 1, "ar100_hits": [0] * 10}


def test_counts_of_images_add_up() -> None:
    counts = RecallCounts()
    counts.add(as_boxes([0, 0, 10, 8]), as_boxes(A))
    counts.add(as_boxes(B), as_boxes(B))
    assert counts.to_json()["ar100_hits"] == [2] * 7 + [1] * 3  # 0.8 counts at 0.8, in float64
    assert recall_and_ar100(counts.to_json()) == (1.0, pytest.approx(0.85))


def test_without_objects_there_is_no_recall() -> None:
    assert all(math.isnan(value) for value in recall_and_ar100(RecallCounts().to_json()))


@pytest.mark.parametrize("seed", range(20))
def test_matching_equals_a_plain_loop_over_the_best_remaining_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 8, (12, 2, 2)).astype(np.float32)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1) + 4], axis=1)
    proposals, objects = boxes[:7], boxes[7:]
    iou = pairwise_iou(objects.astype(float), proposals.astype(float))
    expected = np.zeros(len(objects))
    while (iou >= IOU_THRESHOLDS[0]).any():
        g, r = np.unravel_index(iou.argmax(), iou.shape)
        expected[g] = iou[g, r]
        iou[g, :] = iou[:, r] = 0
    np.testing.assert_array_equal(matched_ious(proposals, objects), expected)


def test_greedy_matching_finds_at_least_half_of_the_best_assignment() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        origins = rng.integers(0, 5, (3, 2))
        objects = np.concatenate([origins, origins + 8], axis=1).astype(np.float32)
        proposals = objects + rng.integers(-2, 3, (3, 4))
        iou = pairwise_iou(objects.astype(float), proposals.astype(float))
        best = max(sum(iou[g, r] >= 0.5 for g, r in enumerate(p)) for p in permutations(range(3)))
        greedy = int((matched_ious(proposals, objects) >= 0.5).sum())
        assert best / 2 <= greedy <= best
