"""What audits say, against what is true of all labels."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stages.audit_draw import AuditDraw
from stages.auditing.findings import ENOUGH, THRESHOLDS, Audit
from tests.in_memory import InMemory
from tests.stages.test_audit_draw import keys, labels


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def audit(rows: pa.Table, right: np.ndarray, size: int, seed: int = 0) -> Audit:
    truth = dict(zip(keys(rows), right.tolist(), strict=True))
    stage = AuditDraw(called="trial", size=size, strata=5, seed=seed)
    sample = pa.Table.from_batches(list(stage.run(InMemory({"pseudo_labels": rows}))))
    return Audit.of(sample, truth)


def test_all_labels_judged_give_what_is_true(rng: np.random.Generator) -> None:
    rows = labels(rng, 400)
    right = rng.random(400) < 0.7
    found = audit(rows, right, 400)
    probability = np.array(rows["probability"])
    assert found.precision().share == pytest.approx(right.mean())
    for threshold in (0.2, 0.5, 0.9):
        estimate = found.above(threshold)
        within = probability > threshold
        assert estimate.share == pytest.approx(right[within].mean())
        assert estimate.labels == pytest.approx(within.sum())
    ids, counts = np.unique(rows["concept_id"], return_counts=True)
    of_concepts = found.of_concepts()
    assert set(of_concepts) == set(ids[counts >= ENOUGH].tolist())
    for concept, estimate in of_concepts.items():
        assert estimate.share == pytest.approx(
            right[np.array(rows["concept_id"]) == concept].mean()
        )
    assert found.more_for() == 0


def test_what_is_not_decided_is_left_out(rng: np.random.Generator) -> None:
    rows = labels(rng, 1000)
    stage = AuditDraw(called="trial", size=100, strata=5)
    sample = pa.Table.from_batches(list(stage.run(InMemory({"pseudo_labels": rows}))))
    some = keys(sample)[:40]
    found = Audit.of(sample, dict.fromkeys(some, True))
    assert found.precision().judged == 40
    assert found.precision().labels == pytest.approx(1000)
    assert Audit.of(sample, {}).precision().share is None


def test_the_threshold_for_a_target_fails_one_time_in_twenty_at_most(
    rng: np.random.Generator,
) -> None:
    rows = labels(rng, 6000)
    probability = np.array(rows["probability"])
    right = rng.random(6000) < 0.5 + 0.5 * probability  # 0.95 above 0.9, 0.8 of all
    true = {t: right[probability > t].mean() for t in THRESHOLDS}
    target = (true[0.5] + true[0.6]) / 2  # so 0.6 is enough, and 0.5 is not
    given = [audit(rows, right, 300, seed).threshold_for(target) for seed in range(200)]
    wrong = sum(t is not None and true[t] < target for t in given)
    assert wrong <= 22  # 10 are expected at most; four standard errors
    assert any(t is not None and t <= 0.9 for t in given)


def test_a_target_out_of_reach_has_no_threshold(rng: np.random.Generator) -> None:
    rows = labels(rng, 2000)
    assert audit(rows, rng.random(2000) < 0.3, 200).threshold_for(0.9) is None


def test_more_judgements_give_the_interval_that_was_promised(rng: np.random.Generator) -> None:
    rows = labels(rng, 20000)
    right = rng.random(20000) < 0.8
    more = audit(rows, right, 200).more_for(0.03)
    precise = audit(rows, right, 200 + more).precision()
    assert (precise.high - precise.low) / 2 == pytest.approx(0.03, abs=0.006)
