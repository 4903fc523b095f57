from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.pixels import load_image, read_content
from stages.sources.parquet import ParquetSource, image_column, read_row
from stages.sources.record import SourceOptions
from tests.stages.sources.samples import encoded, ids, ingest, reasons

if TYPE_CHECKING:
    from pathlib import Path


def write_parquet(path: Path, rows: list[dict[str, Any]], group: int = 2) -> Path:
    pq.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
    return path


def structs(count: int) -> list[dict[str, Any]]:
    return [
        {"image": {"bytes": encoded(n), "path": f"{n}.jpg"}, "text": f"picture {n}"}
        for n in range(count)
    ]


def test_a_struct_of_bytes_and_path_is_an_image(tmp_path: Path) -> None:
    rows, refused = ingest(tmp_path / "s", write_parquet(tmp_path / "a.parquet", structs(5)))
    assert ids(rows) == [f"a/{n:09d}" for n in range(5)]
    assert [row["captions"] for row in rows] == [[f"picture {n}"] for n in range(5)]
    assert {row["source"] for row in rows} == {"parquet"}
    assert refused == []


@pytest.mark.parametrize("name", ["image", "jpg", "bytes"])
def test_a_plain_column_of_bytes_is_an_image(tmp_path: Path, name: str) -> None:
    table = [{name: encoded(1), "captions": ["a", "b"]}]
    rows, _ = ingest(tmp_path / "s", write_parquet(tmp_path / "a.parquet", table))
    assert rows[0]["captions"] == ["a", "b"]


def test_the_bytes_of_rows_can_be_read_again_in_any_order(tmp_path: Path) -> None:
    rows, _ = ingest(tmp_path / "s", write_parquet(tmp_path / "a.parquet", structs(7)))
    for n in (6, 0, 3, 1, 5):
        assert read_content(rows[n]) == encoded(n)
    assert load_image(rows[4]).shape == (8, 12, 3)


def test_parts_end_at_row_groups(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", structs(7), group=2)
    source = ParquetSource((str(path),), SourceOptions(part_images=4))
    assert [(part.first, part.last) for part in source.slices()] == [(0, 4), (4, 7)]
    source = ParquetSource((str(path),), SourceOptions(part_bytes=1))
    assert [source.count(part) for part in source.slices()] == [2, 2, 2, 1]
    rows, _ = ingest(tmp_path / "s", path, part_images=4)
    assert ids(rows) == [f"a/{n:09d}" for n in range(7)]


def test_a_folder_of_files_is_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "d/data").mkdir(parents=True)
    for name in ("train-1", "train-0"):
        write_parquet(tmp_path / "d/data" / f"{name}.parquet", structs(1))
    rows, _ = ingest(tmp_path / "s", tmp_path / "d")
    assert ids(rows) == ["train-0/000000000", "train-1/000000000"]


def test_a_row_without_bytes_is_reported(tmp_path: Path) -> None:
    table = [{"image": {"bytes": None, "path": "x"}}, *({"image": s["image"]} for s in structs(1))]
    rows, refused = ingest(tmp_path / "s", write_parquet(tmp_path / "a.parquet", table))
    assert ids(rows) == ["a/000000001"]
    assert reasons(refused) == [("a/000000000", "missing-image")]


def test_damaged_pages_lose_only_their_own_rows(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", structs(4), group=2)
    second = pq.ParquetFile(path).metadata.row_group(1).column(0)
    content = bytearray(path.read_bytes())
    content[second.data_page_offset : second.data_page_offset + 40] = bytes(40)
    path.write_bytes(content)
    rows, refused = ingest(tmp_path / "s", path, part_images=2)
    assert ids(rows)[:2] == ["a/000000000", "a/000000001"]
    assert refused


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", structs(3))
    rows, _ = ingest(tmp_path / "s", path)
    write_parquet(path, structs(2))
    with pytest.raises(SourceError, match="has no row 2"):
        read_content(rows[2])
    write_parquet(path, [{"image": encoded(0, (90, 90))}] * 3)
    with pytest.raises(SourceError, match="rc ingest --force"):
        read_content(rows[1])


def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(SourceError, match=r"cannot read .*a\.parquet as Parquet"):
        ingest(tmp_path / "s", tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("kind", "is_image"),
    [
        (pa.binary(), True),
        (pa.large_binary(), True),
        (pa.struct([("path", pa.string()), ("bytes", pa.binary())]), True),
        (pa.struct([("bytes", pa.string())]), False),
        (pa.struct([("path", pa.string())]), False),
        (pa.string(), False),
        (pa.list_(pa.uint8()), False),
    ],
)
def test_an_image_column_holds_bytes_or_a_struct_with_bytes(kind: Any, is_image: bool) -> None:
    schema = pa.schema([("Image", kind), ("url", pa.string())])
    assert image_column(schema) == ("Image" if is_image else None)
    assert image_column(schema.remove(0)) is None


def test_row_groups_are_joined_up_to_the_limits_as_in_a_plain_loop(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    groups = rng.integers(1, 6, 12).tolist()
    with pq.ParquetWriter(tmp_path / "a.parquet", pa.schema([("image", pa.binary())])) as writer:
        for size in groups:
            writer.write_table(pa.table({"image": [b"x"] * size}))
    expected, start, row = [], 0, 0
    for size in groups:
        if row + size - start > 7 and row > start:
            expected.append((start, row))
            start = row
        row += size
    expected.append((start, row))
    source = ParquetSource((str(tmp_path / "a.parquet"),), SourceOptions(part_images=7))
    assert [(part.first, part.last) for part in source.slices()] == expected
    assert source.total() == sum(groups)


def test_a_row_that_lost_its_image_is_an_error(tmp_path: Path) -> None:
    table = pa.table({"image": pa.array([encoded(0), None], pa.binary())})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read_row(str(tmp_path / "a.parquet"), 0) == encoded(0)
    with pytest.raises(SourceError, match=r"row 1 of .* has no image: it changed since"):
        read_row(str(tmp_path / "a.parquet"), 1)
    with pytest.raises(SourceError, match="has no row -1"):
        read_row(str(tmp_path / "a.parquet"), -1)


def test_a_bad_caption_is_refused_and_the_image_stays(tmp_path: Path) -> None:
    table = [{"image": encoded(0), "text": 7}]
    rows, refused = ingest(tmp_path / "s", write_parquet(tmp_path / "a.parquet", table))
    assert [row["captions"] for row in rows] == [[]]
    assert reasons(refused) == [("a/000000000", "bad-caption")]
