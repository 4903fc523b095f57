"""The measures of the benchmark, by hand and by brute force; its weights find what is planted."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.suspicions import ScoredLabels, area_under_curve, choose, share_wrong, table
from stages.suspicion.signals import SIGNALS


def planted(rng: np.random.Generator, count: int) -> ScoredLabels:
    """Labels whose objectness says whether they are right, and nothing else does."""
    wrong = rng.random(count) < 0.4
    columns = {signal.name: rng.random(count) for signal in SIGNALS}
    columns["odd_box"] = np.full(count, np.nan)
    columns["low_objectness"] = np.clip(wrong * 0.5 + rng.random(count) * 0.7, 0, 1)
    scores = {"suspicion": columns["low_objectness"], "chance": rng.random(count)}
    return ScoredLabels(pa.table(columns), wrong, rng.random(count) < 0.5, scores)


def test_the_area_is_the_share_of_pairs_in_order() -> None:
    rng = np.random.default_rng()
    scores, wrong = rng.integers(0, 6, 80).astype(float), rng.random(80) < 0.3
    pairs = scores[wrong][:, None] - scores[~wrong][None, :]
    expected = np.mean((pairs > 0) + 0.5 * (pairs == 0))
    assert area_under_curve(scores, wrong) == pytest.approx(expected)


def test_the_first_are_those_with_the_highest_scores() -> None:
    scores, wrong = np.array([0.1, 0.9, 0.5, 0.5]), np.array([True, False, True, False])
    assert [share_wrong(scores, wrong, n) for n in (1, 2, 3, 9)] == [0.0, 0.5, 1 / 3, 0.5]


def test_weights_are_largest_for_what_tells_wrong_from_right() -> None:
    weights = choose(planted(np.random.default_rng(), 1500))
    assert weights["low_objectness"] == pytest.approx(3)
    assert min(weights.values()) >= 0
    assert max(value for name, value in weights.items() if name != "low_objectness") < 1


def test_the_table_has_a_line_for_each_way_to_rank() -> None:
    lines = table([("planted", planted(np.random.default_rng(), 300))]).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith("| planted: 300, ")
    assert {line.count("|") for line in lines} == {7}


def test_what_is_looked_for_is_said() -> None:
    lines = table([("planted", planted(np.random.default_rng(), 300))], "right").splitlines()
    assert "right of first 100" in lines[0]
    assert lines[2].split("|")[1].strip().endswith("% right")
