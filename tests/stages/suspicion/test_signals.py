"""Signals add up to a suspicion, and to reasons for it."""

from __future__ import annotations

import numpy as np
import pytest

from stages.suspicion.signals import SIGNALS, combine, names, reasons, share_above, unknown


def drawn(rng: np.random.Generator, rows: int) -> dict[str, np.ndarray]:
    values = {}
    for name in names():
        values[name] = np.where(rng.random(rows) < 0.3, np.nan, rng.random(rows))
    values["unmet"] = (rng.random(rows) < 0.2).astype(float)
    return values


def test_the_suspicion_is_the_weighted_mean_of_what_is_known() -> None:
    rng = np.random.default_rng()
    values, kept = drawn(rng, 200), rng.random(200) < 0.7
    scores = combine(values, kept, np.zeros(len(kept), bool))
    for row in range(200):
        means = {}
        for of in ("name", "box"):
            known = [
                (signal.weight, values[signal.name][row])
                for signal in SIGNALS
                if signal.of == of and not np.isnan(values[signal.name][row])
            ]
            total = sum(weight for weight, _ in known)
            means[of] = sum(w * v for w, v in known) / total if total else np.nan
        known = [(share, means[of]) for of, share in (("name", 0.6), ("box", 0.4))]
        known = [pair for pair in known if not np.isnan(pair[1])]
        every = sum(w * v for w, v in known) / sum(w for w, _ in known) if known else np.nan
        if kept[row]:
            assert scores.suspicion[row] == pytest.approx(every, nan_ok=True)
            assert scores.swapped[row] == pytest.approx(means["name"], nan_ok=True)
            assert scores.misplaced[row] == pytest.approx(means["box"], nan_ok=True)
            assert np.isnan(scores.overlooked[row])
        else:
            share = 0.5 if values["unmet"][row] else 0.0
            assert scores.overlooked[row] == pytest.approx(1 - every * (1 - share), nan_ok=True)
            assert scores.suspicion[row] == pytest.approx(scores.overlooked[row], nan_ok=True)
            assert np.isnan(scores.swapped[row])


def test_scores_are_between_0_and_1_and_the_fault_is_the_larger_of_two() -> None:
    rng = np.random.default_rng()
    values, kept = drawn(rng, 500), np.ones(500, bool)
    scores = combine(values, kept, np.zeros(len(kept), bool))
    known = ~np.isnan(scores.swapped) & ~np.isnan(scores.misplaced)
    boxed = scores.misplaced[known] > scores.swapped[known]
    assert (scores.fault[known] == np.where(boxed, "misplaced", "swapped")).all()
    for one in (scores.suspicion, scores.swapped, scores.misplaced):
        assert ((one[~np.isnan(one)] >= 0) & (one[~np.isnan(one)] <= 1)).all()


def test_reasons_are_what_adds_most_and_turn_round_for_what_is_not_kept() -> None:
    values = {name: unknown(2) for name in names()}
    values["not_mentioned"] = np.array([1.0, 0.0])
    values["odd_box"] = np.array([0.6, 0.4])
    values["low_margin"] = np.array([0.4, 0.9])
    values["unmet"] = np.array([0.0, 1.0])
    scores = combine(values, np.array([True, False]), np.zeros(2, bool))
    assert reasons(values, scores) == [
        ["not_mentioned", "odd_box"],
        ["unmet", "mentioned", "usual_box"],
    ]


def test_a_share_above_counts_equals_half() -> None:
    rng = np.random.default_rng()
    reference, values = np.sort(rng.integers(0, 5, 30)).astype(float), np.arange(-1.0, 7.0)
    expected = [np.mean((reference > v) + 0.5 * (reference == v)) for v in values]
    np.testing.assert_allclose(share_above(reference, values), expected)


def test_every_signal_is_a_column_of_its_name() -> None:
    from schemas.suspicions import SUSPICIONS

    columns = [column.name for column in SUSPICIONS.columns]
    assert columns[-len(SIGNALS) :] == names_in_order(columns)
    assert len({signal.opposite for signal in SIGNALS} | set(columns)) >= len(columns)


def names_in_order(columns: list[str]) -> list[str]:
    return sorted(names(), key=columns.index)
