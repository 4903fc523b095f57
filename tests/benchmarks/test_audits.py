"""The simulation of audits draws what the stage draws, and its truth is counted by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.audits import ABOVE, ALL, Draws, JudgedLabels, main, numbers_of, simulate
from tests.pipeline.helpers import make_all
from tests.stages.test_audit_draw import drawn, keys, labels

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def judged() -> JudgedLabels:
    rng = np.random.default_rng()
    rows = labels(rng, 3000)
    return JudgedLabels.of(rows.append_column("judged_right", [rng.random(3000) < 0.3]))


@pytest.mark.parametrize("by", ["objectness", "probability", "concept"])
def test_it_draws_what_the_stage_draws(judged: JudgedLabels, by: str) -> None:
    rows = Draws(judged, by, strata=6).draw(numbers_of(judged, seed=7), 60)  # type: ignore[arg-type]
    simulated = pa.Table.from_batches([judged.rows]).take(rows)
    staged = drawn(pa.Table.from_batches([judged.rows]), by=by, seed=7, strata=6, size=60)
    assert sorted(keys(simulated)) == sorted(keys(staged))


def test_the_truth_is_that_of_all_labels_and_of_the_sure_ones(judged: JudgedLabels) -> None:
    sure = judged.rows.column("probability").to_numpy() > 0.5
    expected = {ALL: judged.right.mean(), ABOVE: judged.right[sure].mean()}
    assert judged.truths() == pytest.approx(expected)


def test_intervals_of_simple_samples_hold_about_as_often_as_they_say(judged: JudgedLabels) -> None:
    rows = simulate(judged, "objectness", 40, [200, 400])
    assert [(row["labels"], row["judgements"]) for row in rows] == [
        (domain, size) for domain in (ALL, ABOVE) for size in (200, 400)
    ]
    assert all(row["simple holds"] > 0.75 and row["holds"] > 0.75 for row in rows)
    assert all(0 < row["width"] < 0.5 for row in rows)


@pytest.mark.slow
def test_a_store_is_simulated_and_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_all(tmp_path, count=20)
    labels = made["pseudo_labels"].address
    options = ["--audits", "3", "--by", "objectness", "--sizes", "12", "20"]
    main(["--store", str(tmp_path), "--labels", labels, *options])
    printed = capsys.readouterr().out
    assert "3 audits each" in printed
    assert "| by objectness: labels | judgements | holds |" in printed


def test_photographs_that_are_not_there_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["--store", str(tmp_path / "made"), "--photographs", str(tmp_path)])
    assert "no photographs can be labelled" in capsys.readouterr().err
    assert not (tmp_path / "made").exists()
