"""Counts for combinations of thresholds equal those of the command, and those of a loop."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from pipeline import sql
from pipeline.analysis.what_if import Thresholds, forecast
from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.gallery.folder import threshold_grid
from pipeline.gallery.folder.threshold_grid import LEVELS, STEP

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def count_at(grid: dict[str, Any], name: str, levels: tuple[int, ...]) -> int:
    return int(np.array(grid[name]).reshape((LEVELS,) * 3)[levels])


def test_a_cell_of_the_grid_equals_the_command(root: Path) -> None:
    rng = np.random.default_rng(23)
    for address in ConnectionPool(root).label_addresses():
        with sql.connect(root, [address]) as connection:
            grid = threshold_grid.threshold_grid(connection)
        cells = [(0, 0, 0), *map(tuple, rng.integers(0, LEVELS, (25, 3)).tolist())]
        combinations = [Thresholds(**thresholds_of(levels)) for levels in cells]
        for levels, batch in zip(cells, forecast(root, combinations, None, address), strict=True):
            (row,) = batch.to_pylist()
            for name in ("labels", "images", "concepts", "on_objects"):
                assert count_at(grid, name, levels) == row[name], (name, levels)
            share = count_at(grid, "right", levels) / max(count_at(grid, "on_objects", levels), 1)
            assert share == pytest.approx(row["precision"] or 0)
            assert count_at(grid, "found", levels) / grid["objects"] == pytest.approx(row["recall"])
            known = max(count_at(grid, "known", levels), 1)
            assert count_at(grid, "captioned", levels) / known == pytest.approx(
                row["in_caption"] or 0
            )
        assert grid["total"] == count_at(grid, "labels", (0, 0, 0)) > 0


def thresholds_of(levels: tuple[int, ...]) -> dict[str, float]:
    names = ("probability", "margin", "objectness")
    return {name: level * STEP for name, level in zip(names, levels, strict=True) if level}


@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
def test_a_group_is_counted_once_however_the_batches_are_cut(
    batch_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threshold_grid, "_GROUPS", 3)
    rng = np.random.default_rng(23)
    groups = np.sort(rng.integers(0, 2**64, 12, np.uint64)[rng.integers(0, 12, 60)])
    levels = rng.integers(0, LEVELS, (60, 3)).astype(np.int32)
    columns = {"of": groups, **dict(zip(threshold_grid.QUANTITIES, levels.T, strict=True))}
    batches = pa.table(columns).to_batches(max_chunksize=batch_rows)
    counts = threshold_grid._count_groups(iter(batches))
    for cell in product((0, 1, 9, 19), repeat=3):
        assert counts[cell] == len(set(groups[(levels >= cell).all(axis=1)].tolist()))


def test_no_rows_give_zero_counts() -> None:
    assert threshold_grid._count_groups(iter([])).sum() == 0
