"""Counts for every choice of thresholds equal those of the command, and those counted by hand."""

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
from pipeline.gallery.folder.threshold_grid import LEVELS, STEP, grid

if TYPE_CHECKING:
    from pathlib import Path


def at(found: dict[str, Any], name: str, levels: tuple[int, ...]) -> int:
    return int(np.array(found[name]).reshape((LEVELS,) * 3)[levels])


def test_every_cell_says_what_the_command_says(root: Path) -> None:
    rng = np.random.default_rng()
    for address in ConnectionPool(root).label_addresses():
        with sql.connect(root, [address]) as connection:
            found = grid(connection)
        chosen = [(0, 0, 0), *map(tuple, rng.integers(0, LEVELS, (25, 3)).tolist())]
        asked = [Thresholds(**given(levels)) for levels in chosen]
        for levels, batch in zip(chosen, forecast(root, asked, None, address), strict=True):
            (row,) = batch.to_pylist()
            for name in ("labels", "images", "concepts", "on_objects"):
                assert at(found, name, levels) == row[name], (name, levels)
            share = at(found, "right", levels) / max(at(found, "on_objects", levels), 1)
            assert share == pytest.approx(row["precision"] or 0)
            assert at(found, "found", levels) / found["drawn"] == pytest.approx(row["recall"])
            known = max(at(found, "known", levels), 1)
            assert at(found, "captioned", levels) / known == pytest.approx(row["in_caption"] or 0)
        assert found["total"] == at(found, "labels", (0, 0, 0)) > 0


def given(levels: tuple[int, ...]) -> dict[str, float]:
    names = ("probability", "margin", "objectness")
    return {name: level * STEP for name, level in zip(names, levels, strict=True) if level}


@pytest.mark.parametrize("batch_rows", [1, 7, 1000])
def test_groups_are_counted_once_however_they_are_cut(
    batch_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threshold_grid, "_GROUPS", 3)
    rng = np.random.default_rng()
    groups = np.sort(rng.integers(0, 2**64, 12, np.uint64)[rng.integers(0, 12, 60)])
    levels = rng.integers(0, LEVELS, (60, 3)).astype(np.int32)
    columns = {"of": groups, **dict(zip(threshold_grid.QUANTITIES, levels.T, strict=True))}
    batches = pa.table(columns).to_batches(max_chunksize=batch_rows)
    counts = threshold_grid._groups_above(iter(batches))
    for cell in product((0, 1, 9, 19), repeat=3):
        assert counts[cell] == len(set(groups[(levels >= cell).all(axis=1)].tolist()))


def test_nothing_is_counted_of_nothing() -> None:
    assert threshold_grid._groups_above(iter([])).sum() == 0
