"""Ground truth reviews labels, and what it says becomes labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks import mending

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_more_labels_are_right_after_a_review(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make = mending.Bench.make

    def few_steps(bench: mending.Bench, name: str, instead: object = None) -> object:
        bench.steps[mending.STUDENT].options.update(steps=1, images_per_batch=1, warmup=0)
        return make(bench, name, instead)  # type: ignore[arg-type]

    monkeypatch.setattr(mending.Bench, "make", few_steps)
    words = ["--out", str(tmp_path), "--scenes", "12", "--holdout", "2", "--reviewed", "60"]
    mending.main(words)
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == ["none", "60 random", "60 most suspicious"]
    none, random, suspicious = (float(row[2]) for row in rows)
    assert none < random < suspicious
    assert all(0 <= float(row[3]) <= 100 for row in rows)
    assert int(rows[1][1]) < int(rows[0][1])  # boxes on nothing are gone
