"""Labels of two precisions are compared region by region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from benchmarks import precisions
from benchmarks.precisions import EXACT, agreement
from schemas.features import FEATURES

if TYPE_CHECKING:
    from pathlib import Path


def rows(features: list[list[float]], best: list[int], probability: list[float]) -> list[pa.Table]:
    keys = {"image_id": ["a", "a", "b", "b"], "region": pa.array([0, 1, 0, 2], pa.int32())}
    vectors = FEATURES.batch({**keys, "feature": np.array(features, np.float32)})
    labels = {"concept_id": best, "probability": pa.array(probability, pa.float32())}
    return [pa.Table.from_batches([vectors]), pa.table({**keys, **labels})]


def test_numbers_are_those_counted_by_hand() -> None:
    exact = rows([[1, 0], [0, 2], [3, 0], [1, 1]], [5, 6, 7, 8], [0.5, 0.25, 0.75, 0.125])
    other = rows([[2, 0], [0, 1], [3, 4], [1, 1]], [5, 6, 9, 8], [0.25, 0.25, 0.75, 0.0625])
    backwards = [table.take([3, 1, 0, 2]) for table in other]
    for theirs in (other, backwards):
        found = agreement((exact[0], exact[1]), (theirs[0], theirs[1]), 0.1)
        assert found.regions == 4
        assert found.cosine == pytest.approx(0.6)
        assert (found.differs, found.kept) == (0.25, 0.25)
        assert found.probability == pytest.approx((0.25 + 0.0625) / 4)
    assert found.cells() == "0.60000 | 25.00 | 0.07812 | 25.00"


def test_other_regions_are_refused() -> None:
    exact = rows([[1, 0]] * 4, [1] * 4, [0.5] * 4)
    with pytest.raises(ValueError, match="not of the same regions"):
        agreement((exact[0], exact[1]), (exact[0].slice(1), exact[1].slice(1)), 0.1)


@pytest.mark.slow
def test_a_table_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    precisions.main(["--out", str(tmp_path), "--scenes", "4", "--device", "cpu"])
    first, _, head, line, exact, rough = capsys.readouterr().out.splitlines()
    regions = int(first.split(", ")[1].split()[0])
    assert regions > 40
    assert head.count("|") == line.count("|") == exact.count("|") == rough.count("|")
    assert exact.startswith(f"| {EXACT} ")
    assert [float(cell) for cell in exact.split(" | ")[3:7]] == [1, 0, 0, 0]
    cosine, differs, difference, _ = (float(cell) for cell in rough.split(" | ")[3:7])
    assert 0.99 < cosine < 1
    assert differs < 10
    assert 0 < difference < 0.05
