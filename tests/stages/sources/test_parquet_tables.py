from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.sources import parquet_tables
from stages.sources.table_rows import table_rows
from tests.stages.sources.samples import ingest, write_images

if TYPE_CHECKING:
    from pathlib import Path


def repeated(value: Any, times: int) -> pa.Array:
    """One value many times, for the price of one."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * times, pa.int32()), pa.array([value]))


def write(path: Path, **columns: pa.Array) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_texts_that_a_few_bytes_unpack_to_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_tables, "_SMALL_TEXT", 1000)
    names = repeated("a.jpg", 9000)
    for captions in (repeated("dog " * 50, 9000), pa.array([["dog " * 25] * 2] * 9000)):
        path = write(tmp_path / "t.parquet", file_name=names, caption=captions)
        said = rf"the {path.stat().st_size:,} bytes of .*t.parquet unpack to more than .* rows"
        with pytest.raises(SourceError, match=said):
            list(table_rows(str(path)))


def test_more_rows_than_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "t.parquet", file_name=repeated("a.jpg", 9000))
    assert len(list(table_rows(str(path)))) == 9000
    monkeypatch.setattr(parquet_tables, "_SMALL_ROWS", 1000)
    assert path.stat().st_size < 9000
    with pytest.raises(SourceError, match="no table of captions does"):
        list(table_rows(str(path)))


def test_a_table_that_repeats_itself_is_one_all_the_same(tmp_path: Path) -> None:
    write_images(tmp_path / "photos", ["a.jpg"])
    captions = repeated("a dog", 5000)
    write(tmp_path / "photos" / "t.parquet", file_name=repeated("a.jpg", 5000), caption=captions)
    rows, refused = ingest(tmp_path / "s", tmp_path / "photos")
    assert (rows[0]["captions"], refused) == (["a dog"], [])
