from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from schemas.curves import CURVES
from stages.evaluation.curves import curve_rows, split_curves
from stages.evaluation.matching import RECALLS
from tests.stages.evaluation.records import (
    VOCABULARY,
    detect,
    precision_of,
    random_records,
    single_image,
)


def test_the_mean_of_a_curve_is_its_ap50() -> None:
    precision = precision_of(random_records(np.random.default_rng(4)), 4, 100)
    batch = curve_rows(precision, VOCABULARY)
    CURVES.check(batch)
    curves = defaultdict(list)
    for row in batch.to_pylist():
        curves[row["split"], row["category"]].append(row["precision"])
    expected = {
        (m.split, m.category): m.value
        for m in precision.metrics(VOCABULARY, with_recall=False)
        if m.metric == "AP50"
    }
    assert curves.keys() == expected.keys()
    for key, values in curves.items():
        assert len(values) == len(RECALLS)
        assert np.mean(values) == pytest.approx(expected[key], abs=1e-9)


def test_the_curve_of_a_split_is_the_mean_over_its_categories_that_have_objects() -> None:
    records = single_image([[0, 0, 50, 50], [60, 60, 99, 99]], [0, 1])
    detect(records, [[0, 0, 50, 50]], [0], [0.9])  # ant is detected, bee is missed
    curves = split_curves(precision_of(records, 4, 100), VOCABULARY.splits)
    np.testing.assert_array_equal(curves["all"], np.full(101, 0.5))
    np.testing.assert_array_equal(curves["base"], np.ones(101))  # dog has no objects
    np.testing.assert_array_equal(curves["novel"], np.zeros(101))


def test_a_category_has_the_score_at_which_each_recall_is_reached() -> None:
    records = single_image([[0, 0, 50, 50], [60, 60, 99, 99]], [0, 0])
    detect(records, [[0, 0, 50, 50], [100, 100, 120, 120]], [0, 0], [0.75, 0.25])
    rows = curve_rows(precision_of(records, 4, 100), VOCABULARY).to_pylist()
    ant = [row for row in rows if row["category"] == "ant"]
    assert [row["score"] for row in ant] == [0.75] * 51 + [None] * 50  # half of recall
    assert [row["precision"] for row in ant] == [1.0] * 51 + [0.0] * 50
    assert {row["score"] for row in rows if row["category"] == ""} == {None}


def test_without_objects_there_are_no_curves() -> None:
    precision = precision_of(single_image([], []), 4, 100)
    assert split_curves(precision, VOCABULARY.splits) == {}
    assert curve_rows(precision, VOCABULARY).num_rows == 0
