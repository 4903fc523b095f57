from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.sources import parquet_rows
from stages.sources.parquet_rows import (
    group_ranges,
    open_parquet,
    read_row,
    read_values,
    row_groups,
    rows_at_once,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_row_groups_begin_where_the_ones_before_end(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [b"x"] * 5}), path, row_group_size=2)
    starts, sizes = row_groups(str(path))
    assert starts.tolist() == [0, 2, 4, 5]
    assert len(sizes) == 3
    assert min(sizes) > 0


def test_ranges_keep_to_both_limits_and_leave_out_empty_groups() -> None:
    starts = np.array([0, 2, 4, 4, 9])
    sizes = (10, 10, 0, 50)
    by_images = group_ranges(starts, sizes, part_bytes=100, part_images=4)
    assert by_images == [(0, 3), (3, 4)]
    by_bytes = group_ranges(starts, sizes, part_bytes=10, part_images=100)
    assert by_bytes == [(0, 1), (1, 3), (3, 4)]
    assert group_ranges(np.array([0, 0]), (9,), part_bytes=10, part_images=10) == []


def test_what_is_not_parquet_is_refused() -> None:
    with pytest.raises(SourceError, match="cannot read t as Parquet: "):
        open_parquet("t", io.BytesIO(b"PAR1"))


def test_two_columns_of_one_name_are_refused() -> None:
    out = io.BytesIO()
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["caption", "caption"])
    pq.write_table(table, out)
    with pytest.raises(SourceError, match="t has several columns called 'caption'"):
        open_parquet("t", out)


@pytest.mark.parametrize("nested", [False, True])
def test_values_that_are_repeated_for_nothing_are_read_few_at_a_time(
    tmp_path: Path, nested: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = bytes(100_000)
    cells = [{"bytes": value, "path": "a"}] * 50 if nested else [value] * 50
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": cells}), path, compression="zstd")
    assert path.stat().st_size < 5000
    monkeypatch.setattr(parquet_rows, "_MOST_BYTES", 1_000_000)
    with path.open("rb") as file:
        metadata = open_parquet("a", file).metadata
        assert rows_at_once(file, metadata, 0, ["image"], 50) in (9, 10)
        assert len(list(read_values("a", file, [0], ["image"], 50))) == 50
    assert read_row(str(path), "49") == value


def test_values_that_are_stored_once_each_are_read_together(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [bytes([n]) * 9 for n in range(50)]}), path)
    with path.open("rb") as file:
        assert rows_at_once(file, open_parquet("a", file).metadata, 0, ["image"], 32) == 32


def test_a_group_of_too_many_values_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"score": [0.5] * 1000}), path)
    monkeypatch.setattr(parquet_rows, "_MOST_VALUES", 999)
    with path.open("rb") as file, pytest.raises(ValueError, match="1,000 values in"):
        list(read_values("a", file, [0], ["score"], 50))


def test_a_row_that_python_cannot_hold_is_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    days = pa.array([0, 1 << 30, 1], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"day": days}), path)
    with path.open("rb") as file:
        rows = list(read_values("a", file, [0], ["day"], 50))
    assert [isinstance(row, OverflowError) for row in rows] == [False, True, False]
