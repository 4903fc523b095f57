"""Items 19 to 22 and 30: from features to detections, written out as loops."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from stages.evaluation.protocols import PRESETS
from stages.evaluation.scores import Detections, combine, cosines, probabilities, select
from stages.evaluation.suppression import SoftNms
from stages.models.detector import Detector, HeadSpec
from stages.proposals.selection import Selection
from tests.parity import nets

if TYPE_CHECKING:
    from pathlib import Path

TEMPERATURE = 0.01
Row = tuple[int, int, float]  # region, category, score


def iou(a: np.ndarray, b: np.ndarray) -> float:
    wide = min(a[2], b[2]) - max(a[0], b[0])
    high = min(a[3], b[3]) - max(a[1], b[1])
    intersection = max(0.0, float(wide)) * max(0.0, float(high))
    areas = [float((box[2] - box[0]) * (box[3] - box[1])) for box in (a, b)]
    return intersection / (sum(areas) - intersection)


def boxes_and_scores(seed: int, count: int, categories: int) -> tuple[np.ndarray, np.ndarray]:
    """Crowded boxes (R, 4) float32 and scores (R, K), no two alike."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 40, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(10, 40, (count, 2))], axis=1)
    return boxes.astype(np.float32), rng.permutation(count * categories).reshape(
        count, categories
    ) / (count * categories)


def softmax(values: list[float]) -> list[float]:
    top = max(values)
    weights = [math.exp(v - top) for v in values]
    return [w / sum(weights) for w in weights]


def test_item_19_background_is_a_logit_of_exactly_0_beside_the_categories() -> None:
    rng = np.random.default_rng(0)
    features, embeddings = rng.standard_normal((6, 8)), rng.standard_normal((4, 8))
    features[0] *= 9  # lengths do not matter
    actual = probabilities(cosines(features, embeddings), TEMPERATURE)
    for row, feature in zip(actual, features, strict=True):
        logits = [
            float(feature @ e) / math.sqrt(float(feature @ feature) * float(e @ e)) / TEMPERATURE
            for e in embeddings
        ]
        expected = softmax([*logits, 0.0])
        np.testing.assert_allclose(row, expected[:-1], rtol=1e-9)  # the last column is dropped
        assert row.sum() == pytest.approx(1 - expected[-1])


def test_item_19_a_detector_gives_the_same_probabilities(tmp_path: Path) -> None:
    clip = nets.thin(tmp_path, side=64)
    texts = torch.randn(4, clip.width, dtype=torch.float64) * 3
    detector = Detector(clip, HeadSpec(categories=("a", "b", "c", "d")), texts)
    assert detector.head.background == "zero"
    features = torch.randn(6, clip.width, dtype=torch.float64)
    logits = detector.classify(features)
    assert torch.equal(logits[:, -1], torch.zeros(6, dtype=torch.float64))
    expected = probabilities(
        cosines(features.numpy(), detector.embeddings.double().numpy()), TEMPERATURE
    )
    np.testing.assert_allclose(logits.softmax(dim=1)[:, :-1].numpy(), expected, rtol=1e-6)


def test_item_19_other_categories_can_be_given_at_test_time(tmp_path: Path) -> None:
    clip = nets.thin(tmp_path, side=64)
    detector = Detector(clip, HeadSpec(categories=("a",)), torch.randn(1, clip.width))
    features = torch.randn(2, clip.width, dtype=torch.float64)
    texts = torch.randn(5, clip.width, dtype=torch.float64)
    expected = cosines(features.numpy(), texts.numpy()) / TEMPERATURE
    actual = detector.classify(features, texts)
    np.testing.assert_allclose(
        actual[:, :5].numpy(), expected, rtol=1e-5, atol=1e-4
    )  # float32 texts
    assert not actual[:, 5].any()


def test_item_20_the_score_is_the_root_of_probability_times_the_raw_logit() -> None:
    probability = np.array([[0.25, 0.04], [0.9, 0.1], [0.5, 0.5]])
    logit = np.array([4.0, -0.5, 0.0])
    actual = combine("sqrt-logit", probability, logit)
    np.testing.assert_allclose(actual[0], [1.0, 0.4])
    assert np.isnan(actual[1]).all()
    assert not actual[2].any()


def test_item_20_a_negative_logit_drops_the_proposal_and_a_large_one_scores_above_1() -> None:
    boxes, _ = boxes_and_scores(0, 3, 2)
    probability = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3]])
    scores = combine("sqrt-logit", probability, np.array([-3.0, 5.0, 0.2]))
    detections = select(scores, boxes, threshold=0.0, nms=1.0, limit=100)
    assert set(detections.region.tolist()) == {1, 2}
    assert detections.score[0] == pytest.approx(2.0)


def test_item_20_a_sigmoid_in_place_of_the_logit_is_an_option() -> None:
    actual = combine("sqrt-sigmoid", np.array([[0.25]]), np.array([-2.0]))
    assert actual[0, 0] == pytest.approx(math.sqrt(0.25 / (1 + math.exp(2))))


def test_item_20_the_published_protocols_multiply_by_the_raw_logit_where_the_scripts_do() -> None:
    with_logit = {name for name, preset in PRESETS.items() if preset["score"] == "sqrt-logit"}
    assert with_logit == {"coco-rpn", "lvis-rpn", "lvis-ovd", "lvis-full"}
    other_scores = {preset["score"] for name, preset in PRESETS.items() if name not in with_logit}
    assert other_scores == {"probability"}


def plain_detections(
    scores: np.ndarray, boxes: np.ndarray, threshold: float, nms: float, limit: int
) -> list[Row]:
    """Finite rows; above the threshold; each category by itself; the best of all."""
    candidates = [
        (r, k, float(scores[r, k]))
        for r in range(len(scores))
        if np.isfinite(scores[r]).all()
        for k in range(scores.shape[1])
        if scores[r, k] > threshold
    ]
    kept: list[Row] = []
    for r, k, score in sorted(candidates, key=lambda row: -row[2]):
        if all(other != k or iou(boxes[r], boxes[q]) <= nms for q, other, _ in kept):
            kept.append((r, k, score))
    return kept[:limit]


def rows_of(detections: Detections) -> list[Row]:
    columns = (detections.region, detections.category, detections.score)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("threshold", "limit"), [(0.0, 1000), (0.3, 1000), (0.1, 12)])
def test_item_21_finite_then_threshold_then_nms_by_category_then_the_best(
    seed: int, threshold: float, limit: int
) -> None:
    boxes, scores = boxes_and_scores(seed, 40, 3)
    scores[5] = np.nan
    scores[6, 1] = np.inf
    detections = select(scores, boxes, threshold=threshold, nms=0.5, limit=limit)
    expected = plain_detections(scores, boxes, threshold, 0.5, limit)
    assert [row[:2] for row in rows_of(detections)] == [row[:2] for row in expected]
    np.testing.assert_allclose(detections.score, [row[2] for row in expected], rtol=1e-6)


def test_item_21_a_score_at_the_threshold_is_not_above_it() -> None:
    box = np.float32([[0, 0, 10, 10]])
    assert not len(select(np.array([[0.5]]), box, threshold=0.5, nms=0.5, limit=9).region)


def test_item_21_zero_shot_moves_no_box() -> None:
    for name in ("coco-gt", "coco-rpn", "lvis-gt", "lvis-rpn"):
        assert PRESETS[name]["move_boxes"] is False
        assert PRESETS[name]["nms"] == 0.5
        assert PRESETS[name]["soft_nms"] == "none"


def plain_soft(scores: np.ndarray, boxes: np.ndarray, threshold: float, limit: int) -> list[Row]:
    """The loop: take the best, lower what overlaps it in its category, prune, repeat."""
    left = [
        [r, k, float(scores[r, k])]
        for r in range(len(scores))
        for k in range(scores.shape[1])
        if scores[r, k] > threshold
    ]
    kept: list[Row] = []
    while left:
        best = max(left, key=lambda row: row[2])
        left.remove(best)
        kept.append((best[0], best[1], best[2]))
        for row in left:
            if row[1] == best[1]:
                row[2] *= math.exp(-(iou(boxes[row[0]], boxes[best[0]]) ** 2) / 0.5)
        left = [row for row in left if row[2] > 0.001]
    return kept[:limit]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("limit", [9, 500])
def test_item_22_soft_nms_equals_the_plain_loop(seed: int, limit: int) -> None:
    boxes, scores = boxes_and_scores(seed, 30, 3)
    soft = SoftNms()
    assert (soft.method, soft.sigma, soft.prune) == ("gaussian", 0.5, 0.001)
    detections = select(scores**3, boxes, threshold=0.0005, nms=0.5, limit=limit, soft=soft)
    expected = plain_soft(scores**3, boxes, 0.0005, limit)
    assert [row[:2] for row in rows_of(detections)] == [row[:2] for row in expected]
    np.testing.assert_allclose(detections.score, [row[2] for row in expected], rtol=1e-6)


def test_item_22_only_open_vocabulary_detectors_use_soft_nms() -> None:
    soft = {name for name, preset in PRESETS.items() if preset["soft_nms"] != "none"}
    assert soft == {"coco-ovd", "coco-ovd-novel", "coco-ovd-base", "lvis-ovd"}
    assert {PRESETS[name]["soft_nms"] for name in soft} == {"gaussian"}


def test_item_30_boxes_that_overlap_less_than_nine_tenths_are_kept_for_zero_shot() -> None:
    boxes = np.float32([[0, 0, 100, 100], [0, 0, 100, 85], [0, 0, 100, 95]])  # IoU 0.85, 0.95
    scores = np.float32([3, 2, 1])
    _, kept = Selection(nms=0.9, top_k=1000)(boxes, scores, (100, 100))
    assert kept.tolist() == [0, 1]
    _, tidy = Selection(nms=0.7, top_k=1000)(boxes, scores, (100, 100))
    assert tidy.tolist() == [0]
