from __future__ import annotations

import math

import numpy as np
import pytest

from schemas.calibration import CALIBRATION
from stages.evaluation.calibration import (
    BINS,
    Bins,
    ScoredPredictions,
    bin_indices,
    calibration_errors,
    calibration_rows,
    predictions_from_matches,
    split_bins,
)
from stages.evaluation.matching import match
from tests.stages.evaluation.records import VOCABULARY, detect, single_image


def test_the_error_is_what_a_loop_over_bins_counts() -> None:
    rng = np.random.default_rng(6)
    score, category = rng.uniform(size=300), rng.integers(0, 4, 300)
    correct = rng.uniform(size=300) < score
    bins = split_bins(ScoredPredictions(score, correct, category), VOCABULARY.splits)
    metrics = calibration_errors(bins)
    assert [(m.metric, m.split) for m in metrics] == [("ECE", s) for s in ("all", "base", "novel")]
    for metric in metrics:
        member = np.isin(category, VOCABULARY.splits[metric.split])
        total = 0.0
        for k in range(BINS):
            inside = member & (score >= k / BINS) & (score < (k + 1) / BINS)
            if inside.any():
                total += inside.sum() * abs(score[inside].mean() - correct[inside].mean())
        assert metric.value == pytest.approx(total / member.sum(), abs=1e-9)
        assert metric.objects == member.sum()


def test_a_bin_begins_with_its_lower_bound_and_the_last_holds_one_and_above() -> None:
    score = np.array([0.0, 0.0666, 0.0667, 0.5, 0.99, 1.0, 1.7])
    assert bin_indices(score).tolist() == [0, 0, 1, 7, 14, 14, 14]


def test_rows_hold_means_and_leave_out_empty_bins() -> None:
    score, correct = np.array([0.5, 0.52, 0.9]), np.array([True, False, True])
    predictions = ScoredPredictions(score, correct, np.array([0, 0, 1]))
    batch = calibration_rows(split_bins(predictions, {"all": [0, 1], "novel": [1]}))
    CALIBRATION.check(batch)
    rows = [tuple(row.values()) for row in batch.to_pylist()]
    low, high = (lambda k: pytest.approx(k / BINS)), (lambda k: pytest.approx((k + 1) / BINS))
    assert rows == [
        ("all", 7, low(7), high(7), 2, pytest.approx(0.51), 0.5),
        ("all", 13, low(13), high(13), 1, 0.9, 1.0),
        ("novel", 13, low(13), high(13), 1, 0.9, 1.0),
    ]


def test_a_split_without_predictions_has_no_bins() -> None:
    predictions = ScoredPredictions(np.array([0.5]), np.array([True]), np.array([1]))
    assert set(split_bins(predictions, VOCABULARY.splits)) == {"all", "novel"}


def test_predictions_correct_as_often_as_scored_have_no_error() -> None:
    score = np.full(4, 0.75)
    predictions = ScoredPredictions(score, np.array([True, True, True, False]), np.zeros(4, int))
    (metric,) = calibration_errors(split_bins(predictions, {"all": [0]}))
    assert metric.value == 0.0


def test_the_error_of_no_predictions_is_nan() -> None:
    empty = np.zeros(BINS)
    assert math.isnan(Bins(empty, empty, empty).error())


def test_detections_count_unless_they_are_neither_right_nor_wrong() -> None:
    records = single_image([[0, 0, 50, 50], [80, 80, 150, 150]], [0, 1], [False, True])
    boxes = [[0, 0, 50, 50], [0, 0, 50, 40], [148, 80, 152, 90], [160, 0, 190, 9]]
    detect(
        records, boxes, [0, 0, 1, 1], [0.75, 0.5, 0.25, 0.125]
    )  # hit, double, half on crowd, wrong
    predictions = predictions_from_matches(match(records.arrays(), 4, 100))
    rows = zip(predictions.score, predictions.correct, predictions.category, strict=True)
    assert sorted(rows) == [(0.125, False, 1), (0.5, False, 0), (0.75, True, 0)]
