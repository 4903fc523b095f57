from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.sources.parquet_columns import (
    holds_only_paths,
    image_column,
    images_in_cell,
    no_image_column,
    paths_in,
    paths_without_bytes,
)

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


@pytest.mark.parametrize(
    ("kind", "is_image"),
    [
        (pa.binary(), True),
        (pa.large_binary(), True),
        (pa.binary_view(), True),
        (pa.dictionary(pa.int8(), pa.binary()), True),
        (pa.dictionary(pa.int8(), PICTURE), True),
        (pa.list_(PICTURE), True),
        (pa.list_view(pa.binary()), True),
        (pa.struct([("path", pa.string()), ("bytes", pa.binary())]), True),
        (pa.struct([("path", pa.string()), ("bytes", pa.null())]), True),
        (pa.struct([("bytes", pa.null())]), False),
        (pa.struct([("bytes", pa.string())]), False),
        (pa.struct([("path", pa.string())]), False),
        (pa.string(), False),
        (pa.list_(pa.uint8()), False),
    ],
    ids=str,
)
def test_an_image_column_holds_bytes_or_a_struct_with_bytes(kind: Any, is_image: bool) -> None:
    schema = pa.schema([("Image", kind), ("caption", pa.string())])
    assert image_column(schema) == ("Image" if is_image else None)
    assert image_column(schema.remove(0)) is None


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"mask": pa.binary(), "image": pa.binary()}, "image"),
        ({"jpg_1": pa.binary(), "jpg_0": pa.binary()}, "jpg_0"),
        ({"hash": pa.binary(), "scan": PICTURE}, "scan"),
        ({"payload": pa.binary(), "caption": pa.string()}, "payload"),
        ({"hash": pa.binary(), "file_name": pa.string()}, None),
        ({"one": pa.binary(), "two": pa.binary()}, None),
    ],
)
def test_of_several_columns_the_usual_name_decides(
    columns: dict[str, Any], expected: str | None
) -> None:
    assert image_column(pa.schema(list(columns.items()))) == expected


def test_the_user_decides_among_columns_that_hold_images() -> None:
    schema = pa.schema([("image", pa.binary()), ("Mask", pa.binary()), ("text", pa.string())])
    assert [image_column(schema, name) for name in ("mask", "text", "x")] == ["Mask", None, None]


def test_a_file_without_images_says_which_columns_it_has() -> None:
    with pytest.raises(SourceError, match="t has no column 'x'; its columns are 'a'"):
        no_image_column("t", ["a"], "x")
    assert "column 'a' of t holds no bytes" in str(no_image_column("t", ["a"], "a"))
    assert "its columns are 'a', 'b'; name one with" in str(no_image_column("t", ["a", "b"], None))


@pytest.mark.parametrize("value", [None, [], [None], {"bytes": None, "path": None}, b"", {}])
def test_an_empty_cell_has_no_images(value: Any) -> None:
    assert images_in_cell(value) == []


def test_paths_are_listed_where_a_row_group_lacks_bytes(tmp_path: Path) -> None:
    cells = [
        *({"bytes": b"x", "path": "a.jpg"}, {"bytes": b"y", "path": "b.jpg"}),
        *({"bytes": None, "path": "c.jpg"}, None),
    ]
    table = pa.table({"image": pa.array(cells, PICTURE), "jpg": [b"x"] * 4})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    with pq.ParquetFile(tmp_path / "a.parquet") as file:
        assert list(paths_without_bytes(file, "image")) == ["c.jpg"]
        assert list(paths_without_bytes(file, "jpg")) == []


@pytest.mark.parametrize(
    ("cells", "is_list"),
    [
        ([{"bytes": None, "path": "a.jpg"}, None], True),
        ([{"bytes": None, "path": "a.jpg"}, {"bytes": b"x", "path": None}], False),
        ([], False),
    ],
)
@pytest.mark.parametrize("statistics", [True, False])
def test_only_a_column_without_any_bytes_is_a_list_of_files(
    tmp_path: Path, cells: list[Any], is_list: bool, statistics: bool
) -> None:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(cells, kind)})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=1, write_statistics=statistics)
    with pq.ParquetFile(tmp_path / "a.parquet") as file:
        assert holds_only_paths(file, "image") is is_list
        assert list(paths_in(file, "image")) == ["a.jpg"] * bool(cells)
