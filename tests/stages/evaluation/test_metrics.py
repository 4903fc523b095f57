from __future__ import annotations

import numpy as np
import pytest

from schemas.metrics import METRICS
from stages.evaluation.metrics import Metric, accuracy, metric_rows
from stages.evaluation.vocabulary import Vocabulary

PETS = Vocabulary(("cat", "dog", "eel"), {"base": ("cat", "dog"), "novel": ("eel",)})


def value_of(metrics: list[Metric], name: str, split: str, category: str = "") -> tuple[float, int]:
    ((value, count),) = [
        (m.value, m.objects)
        for m in metrics
        if (m.metric, m.split, m.category) == (name, split, category)
    ]
    return value, count


def test_top_one_and_top_five_of_splits_and_categories_are_shares_of_objects() -> None:
    truth, rank = np.array([0, 0, 0, 1, 2]), np.array([0, 0, 6, 3, 0])
    metrics = accuracy(truth, rank, PETS)
    assert value_of(metrics, "top1", "all") == (0.6, 5)
    assert value_of(metrics, "top5", "all") == (0.8, 5)
    assert value_of(metrics, "top1", "base") == (0.5, 4)
    assert value_of(metrics, "top1", "novel") == (1.0, 1)
    assert value_of(metrics, "top1", "all", "cat") == (pytest.approx(2 / 3), 3)
    assert value_of(metrics, "top1_macro", "all") == (pytest.approx((2 / 3 + 0 + 1) / 3), 5)


def test_a_split_or_category_without_objects_has_no_row() -> None:
    metrics = accuracy(np.array([0]), np.array([0]), PETS)
    assert {m.split for m in metrics} == {"all", "base"}
    assert {m.category for m in metrics} == {"", "cat"}


def test_no_objects_at_all_give_no_rows() -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert accuracy(nothing, nothing, PETS) == []
    METRICS.check(metric_rows([]))


def test_rows_come_in_the_order_of_their_key() -> None:
    truth = np.array([2, 1, 0])
    rows = metric_rows(accuracy(truth, truth, PETS))
    METRICS.check(rows)
    keys = list(zip(*(rows.column(name).to_pylist() for name in METRICS.key), strict=True))
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys)
