from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.sources.parquet_rows import group_ranges, open_parquet, row_groups

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
