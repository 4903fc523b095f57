from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.store import parts, row_groups
from schemas.errors import SchemaError
from schemas.features import FEATURES
from schemas.images import IMAGES
from schemas.metrics import METRICS
from tests.pipeline.store.feature_rows import features
from tests.pipeline.toys import image_columns


def cut(rows: pa.RecordBatch, size: int) -> list[pa.RecordBatch]:
    return [rows.slice(start, size) for start in range(0, rows.num_rows, size)]


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 7, 1000, 5000])
def test_the_bytes_follow_from_the_rows_however_they_were_batched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(row_groups, "_GROUP_ROWS", 1000)
    monkeypatch.setattr(row_groups, "_STEP_ROWS", 40)
    rows = features(5000)
    row_groups.write_rows(tmp_path / "whole", FEATURES, [rows])
    assert row_groups.write_rows(tmp_path / "cut", FEATURES, cut(rows, size)) == 5000
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "cut").read_bytes()
    assert pq.read_metadata(tmp_path / "cut").num_row_groups == 5


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 9, 40])
def test_nested_rows_cut_by_bytes_are_independent_of_batches_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(row_groups, "_GROUP_BYTES", 50_000)
    columns = image_columns(range(300))
    columns["content"] = [bytes(100 + 7 * (i % 50)) if i % 5 else None for i in range(300)]
    rows = IMAGES.batch(columns)
    row_groups.write_rows(tmp_path / "whole", IMAGES, [rows])
    row_groups.write_rows(tmp_path / "cut", IMAGES, cut(rows, size))
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "cut").read_bytes()
    assert pq.read_metadata(tmp_path / "cut").num_row_groups > 1


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows = IMAGES.batch(image_columns(range(50)))
    row_groups.write_rows(tmp_path / "part", IMAGES, cut(rows, 7))
    read = pa.Table.from_batches(list(parts.batches(tmp_path / "part")))
    assert read.to_pylist() == rows.to_pylist()
    assert parts.count(tmp_path / "part") == 50


@pytest.mark.parametrize("count", [0, 1, 400])
def test_some_rows_are_taken_in_the_order_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(row_groups, "_GROUP_ROWS", 120)
    monkeypatch.setattr(row_groups, "_STEP_ROWS", 40)
    rows = features(1000)
    row_groups.write_rows(tmp_path / "part", FEATURES, [rows])
    assert pq.read_metadata(tmp_path / "part").num_row_groups == 9
    asked = np.random.default_rng().integers(0, 1000, count)
    found = parts.take(tmp_path / "part", asked)
    assert found.to_pylist() == pa.Table.from_batches([rows]).take(pa.array(asked)).to_pylist()
    assert parts.take(tmp_path / "part", asked, ["region"]).column_names == ["region"]


def test_batches_of_many_rows_come_about_a_thousand_at_a_time(tmp_path: Path) -> None:
    row_groups.write_rows(tmp_path / "part", FEATURES, [features(3000)])
    assert [b.num_rows for b in parts.batches(tmp_path / "part")] == [1024, 1024, 952]


@pytest.mark.parametrize("rows", [[], [FEATURES.empty()]])
def test_no_rows_are_a_file_with_columns_and_without_batches(
    tmp_path: Path, rows: list[pa.RecordBatch]
) -> None:
    assert row_groups.write_rows(tmp_path / "part", FEATURES, rows) == 0
    assert parts.schema(tmp_path / "part").names == ["image_id", "region", "feature"]
    assert list(parts.batches(tmp_path / "part")) == []


def test_vectors_are_stored_plain_and_all_else_compressed_lists_and_structs_too(
    tmp_path: Path,
) -> None:
    row_groups.write_rows(tmp_path / "images", IMAGES, [IMAGES.batch(image_columns(range(9)))])
    row_groups.write_rows(tmp_path / "features", FEATURES, [features(9)])
    codecs = {}
    for name in ("images", "features"):
        group = pq.read_metadata(tmp_path / name).row_group(0)
        columns = [group.column(i) for i in range(group.num_columns)]
        codecs |= {column.path_in_schema: column.compression for column in columns}
    plain = {name for name, codec in codecs.items() if codec == "UNCOMPRESSED"}
    assert plain == {"content", "feature"}
    assert codecs["captions.list.element"] == codecs["objects.list.element.x0"] == "ZSTD"


def test_rows_of_another_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"rows do not honour 'metrics' v2: missing \['metric'"):
        row_groups.write_rows(tmp_path / "part", METRICS, [features(3)])


def test_vectors_of_two_widths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(pa.ArrowInvalid, match="different"):
        row_groups.write_rows(tmp_path / "part", FEATURES, [features(3, 8), features(3, 9)])


def test_a_missing_value_where_none_may_be_is_refused(tmp_path: Path) -> None:
    rows = features(3)
    rows = rows.set_column(0, rows.schema.field(0), pa.array(["a", None, "c"]))
    with pytest.raises(pa.ArrowInvalid, match="image_id"):
        row_groups.write_rows(tmp_path / "part", FEATURES, [rows])
