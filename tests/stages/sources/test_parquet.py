from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.pixels import load_image, read_content
from stages.sources.parquet import ParquetSource
from stages.sources.parquet_rows import read_row
from stages.sources.record import LeftOut, SourceOptions
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
    with pytest.raises(SourceError, match="rc ingest with --accept-changed"):
        read_content(rows[1])


def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(SourceError, match=r"cannot read .*a\.parquet as Parquet"):
        ingest(tmp_path / "s", tmp_path / "a.parquet")


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
    assert read_row(str(tmp_path / "a.parquet"), "0") == encoded(0)
    with pytest.raises(SourceError, match=r"row 1 of .* has no image: it changed since"):
        read_row(str(tmp_path / "a.parquet"), "1")
    with pytest.raises(SourceError, match="has no row -1"):
        read_row(str(tmp_path / "a.parquet"), "-1")


def test_a_bad_caption_is_refused_and_the_image_stays(tmp_path: Path) -> None:
    table = [{"image": encoded(0), "text": 7}]
    rows, refused = ingest(tmp_path / "s", write_parquet(tmp_path / "a.parquet", table))
    assert [row["captions"] for row in rows] == [[]]
    assert reasons(refused) == [("a/000000000", "bad-caption")]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        pa.binary(),
        pa.large_binary(),
        pa.binary_view(),
        pa.dictionary(pa.int32(), pa.binary()),
        pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
        pa.struct([("bytes", pa.binary_view()), ("path", pa.string_view())]),
        pa.struct([("bytes", pa.dictionary(pa.int32(), pa.binary()))]),
        pa.list_(pa.binary()),
        pa.large_list(pa.struct([("bytes", pa.large_binary()), ("path", pa.string())])),
        pa.list_(pa.struct([("bytes", pa.binary())]), 1),
    ],
    ids=str,
)
def test_every_type_of_image_cell_is_read_alike(tmp_path: Path, kind: pa.DataType) -> None:
    def cell(n: int) -> Any:
        value: Any = encoded(n)
        inner = kind.value_type if "list" in str(kind) else kind
        value = {"bytes": value} if pa.types.is_struct(inner) else value
        return [value] if inner is not kind else value

    cells = pa.array([cell(n) for n in range(3)], kind)
    table = pa.table({"image": cells, "caption": pa.array(list("abc"), pa.string_view())})
    with pq.ParquetWriter(tmp_path / "a.parquet", table.schema) as writer:
        for row_group in table.to_batches(2) if "view" not in str(kind) else [table]:
            writer.write(row_group)
    rows, refused = ingest(tmp_path / "s", tmp_path / "a.parquet")
    assert [row["captions"] for row in rows] == [["a"], ["b"], ["c"]]
    assert [read_content(row) for row in rows] == [encoded(n) for n in range(3)]
    assert refused == []


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({"alt_text": "a dog"}, ["a dog"]),
        ({"TEXT": "a dog"}, ["a dog"]),
        ({"caption_1": "b", "caption_0": "a"}, ["a", "b"]),
        ({"sentences": [{"raw": "a"}, {"raw": "b"}]}, ["a", "b"]),
        ({"captions": '["a", "b"]'}, ["a", "b"]),
        ({"text": b"a dog"}, ["a dog"]),
        ({"caption": float("nan")}, []),
        ({"caption": None}, []),
    ],
)
def test_captions_are_found_in_every_usual_column(
    tmp_path: Path, cells: dict[str, Any], expected: list[str]
) -> None:
    path = write_parquet(tmp_path / "a.parquet", [{"image": encoded(0), **cells}])
    rows, refused = ingest(tmp_path / "s", path)
    assert [row["captions"] for row in rows] == [expected]
    assert refused == []


def remarks(path: Path, **options: Any) -> tuple[str, ...]:
    return ParquetSource((str(path),), SourceOptions(**options)).inventory().remarks


def test_columns_that_are_not_read_are_told(tmp_path: Path) -> None:
    row = {"image": encoded(0), "conversations": "x", "n": 1}
    path = write_parquet(tmp_path / "a.parquet", [row])
    (remark,) = remarks(path)
    assert "a.parquet has no column with a usual name for captions; its columns are" in remark
    assert "'conversations' is not read" in remark
    row = {"image": encoded(0), "mask": {"bytes": encoded(1)}, "caption": "a", "text": "b"}
    path = write_parquet(tmp_path / "b.parquet", [row])
    assert remarks(path) == (
        "captions of b.parquet are read from 'caption', not from 'text'; --caption-column decides",
        "images of b.parquet are read from 'image', not from 'mask'; --image-column decides",
    )
    assert remarks(path, image_column="mask", caption_column="text") == ()


def test_the_user_names_the_columns_and_the_bytes_are_found_again(tmp_path: Path) -> None:
    row = {"image": encoded(0), "Other": {"bytes": encoded(1)}, "caption": "a", "satz": "b"}
    path = write_parquet(tmp_path / "a.parquet", [row])
    rows, _ = ingest(tmp_path / "s", path, image_column="other", caption_column="satz")
    assert (rows[0]["captions"], read_content(rows[0])) == (["b"], encoded(1))
    for options, sentence in (
        ({"image_column": "x"}, "no column 'x'; its columns are 'image', 'Other'"),
        ({"image_column": "satz"}, "column 'satz' of .* holds no bytes"),
    ):
        with pytest.raises(SourceError, match=sentence):
            ingest(tmp_path / "s", path, kind="parquet", **options)
    with pytest.raises(SourceError, match="no column 'x'; its columns are"):
        ingest(tmp_path / "s", path, caption_column="x")


def test_a_path_without_bytes_is_a_file_beside_the_table(tmp_path: Path) -> None:
    (tmp_path / "d/img").mkdir(parents=True)
    (tmp_path / "d/img/a.jpg").write_bytes(encoded(5))
    (tmp_path / "secret.jpg").write_bytes(encoded(6))
    paths = ["img/a.jpg", "img/gone.jpg", "../secret.jpg", str(tmp_path / "secret.jpg")]
    table = [{"image": {"bytes": None, "path": path}, "caption": path[-5:]} for path in paths]
    rows, refused = ingest(tmp_path / "s", write_parquet(tmp_path / "d/a.parquet", table))
    assert [(row["uri"], row["member"]) for row in rows] == [(str(tmp_path / "d/img/a.jpg"), None)]
    assert read_content(rows[0]) == encoded(5)
    assert [reason for _, reason in reasons(refused)] == [
        "missing-image",
        "unsafe-name",
        "unsafe-name",
    ]
    assert "the row holds no bytes, and its path is no file here" in refused[0][2]


def test_the_digest_depends_on_files_that_are_read_beside_the_table(tmp_path: Path) -> None:
    cells = [{"bytes": None, "path": "a.jpg"}, {"bytes": encoded(0), "path": "b.jpg"}]
    path = write_parquet(tmp_path / "a.parquet", [{"image": cell} for cell in cells])
    source = ParquetSource((str(path),))
    without = source.digest()
    (tmp_path / "a.jpg").write_bytes(encoded(5))
    assert source.digest() != without
    full = write_parquet(tmp_path / "f.parquet", structs(2))
    before = ParquetSource((str(full),)).digest()
    (tmp_path / "0.jpg").write_bytes(encoded(5))
    assert ParquetSource((str(full),)).digest() == before


def test_of_a_list_of_images_the_first_is_read_and_the_others_are_counted(tmp_path: Path) -> None:
    cells = [[encoded(0), encoded(1), encoded(2)], [], [None, encoded(3)]]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"images": pa.array(cells, pa.list_(pa.binary()))}), path)
    rows, refused = ingest(tmp_path / "s", path)
    assert [read_content(row) for row in rows] == [encoded(0), encoded(3)]
    assert reasons(refused) == [("a/000000001", "missing-image")]
    source = ParquetSource((str(path),))
    records = [item for piece in source.slices() for item in source.records(piece)]
    assert [item for item in records if isinstance(item, LeftOut)] == [
        LeftOut("further image of a row", 2)
    ]
    assert "has a list of images in 'images': the first is read" in remarks(path)[1]
