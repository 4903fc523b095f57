"""Average precision against other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks import average_precision

if TYPE_CHECKING:
    import pytest


def test_every_program_that_is_installed_counts_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert average_precision.main(["--images", "30", "--rounds", "1"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "times ours" in line]
    assert lines[0].startswith("ours")
    assert any(line.startswith("pycocotools") for line in lines)
    assert len({line.split()[-1] for line in lines}) == 1
    assert float(lines[0].split()[-1]) > 0


def test_a_program_that_counts_something_else_is_found_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(average_precision, "peers", lambda _records: {"other": lambda: 0.5})
    assert average_precision.main(["--images", "5", "--rounds", "1"]) == 1
    assert capsys.readouterr().out.endswith("they do not agree\n")


def test_records_have_objects_of_all_sizes() -> None:
    records = average_precision.invented_records(50, np.random.default_rng(1))
    areas = np.array([one["area"] for one in records.objects])
    assert (areas < 32**2).any()
    assert (areas > 96**2).any()
    assert {one["iscrowd"] for one in records.objects} == {0, 1}
