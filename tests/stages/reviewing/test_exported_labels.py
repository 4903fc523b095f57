"""pseudo_labels.parquet of an exported folder: read as written, or refused in one sentence."""

from __future__ import annotations

import gc
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.reviewing import exported_labels
from stages.reviewing.exported_labels import (
    FILE_NAME,
    ExportedLabelsWriter,
    address_in,
    read_exported_labels,
)
from stages.reviewing.exported_rows import SCHEMA
from tests.stages.reviewing.small_export import ADDRESS, LABELS, NAMES, write_export

if TYPE_CHECKING:
    from pathlib import Path


def test_labels_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "out", "cvat")
    exported = read_exported_labels(folder)
    assert exported.address == address_in(folder) == ADDRESS
    assert exported.offered == {*NAMES}
    assert [image.number for image in exported.images] == list(LABELS)
    for image in exported.images:
        labels, concept_ids = exported.labels(image)
        rows = LABELS[image.number]
        assert labels.regions.tolist() == list(range(len(rows)))
        assert labels.names.tolist() == [NAMES[category] for category, *_ in rows]
        assert concept_ids.tolist() == [category for category, *_ in rows]
        assert labels.sides.tolist() == [list(box) for *_, box in rows]


def test_rows_may_be_written_and_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exported_labels, "_BUFFER_ROWS", 2)
    test_labels_are_read_as_they_were_written(tmp_path)
    assert pq.ParquetFile(tmp_path / "out" / FILE_NAME).num_row_groups > 1


def rewrite(folder: Path, rows: list[dict[str, Any]], **metadata: str) -> None:
    told = {"pseudo_labels": ADDRESS, "names": json.dumps(NAMES), **metadata}
    table = pa.Table.from_pylist(rows, SCHEMA.with_metadata(told))
    pq.write_table(table, folder / FILE_NAME)


CHANGES = {
    "images are not in order": {"number": 8},
    "two images have one name": {"number": 2, "image_id": "x"},
    "two images have one id": {"number": 2, "file": "x"},
    "an image has no size": {"number": 2, "image_id": "x", "file": "x", "width": 0},
    "a region occurs twice": {"region": 1},
    "an id is negative": {"concept_id": -1},
    "a box is empty": {"x1": 16.0},
    "a box is not finite": {"y0": float("-inf")},
    "it has empty cells": {"concept": None},
}


@pytest.mark.parametrize("fault", CHANGES)
def test_a_file_that_was_changed_is_refused(tmp_path: Path, fault: str) -> None:
    folder = write_export(tmp_path / "out", "cvat")
    rows = pq.read_table(folder / FILE_NAME).to_pylist()
    rewrite(folder, rows)
    read_exported_labels(folder)
    rewrite(folder, [rows[0] | CHANGES[fault], *rows[1:]])
    with pytest.raises(SourceError, match=f"is not as it was written: {fault}; name the folder"):
        read_exported_labels(folder)


@pytest.mark.parametrize(
    "metadata",
    [
        {"pseudo_labels": "pseudo_labels/../x"},
        {"pseudo_labels": ""},
        {"names": "[1]"},
        {"names": "{"},
        {"names": "[" * 100_000},
    ],
)
def test_a_file_that_does_not_say_what_it_is_of_is_refused(
    tmp_path: Path, metadata: dict[str, str]
) -> None:
    folder = write_export(tmp_path / "out", "cvat")
    rewrite(folder, pq.read_table(folder / FILE_NAME).to_pylist(), **metadata)
    for read in (address_in, read_exported_labels):
        with pytest.raises(SourceError, match="name the folder"):
            read(folder)


def test_no_rows_other_columns_no_file_or_too_many_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SourceError, match=r"pseudo_labels.parquet cannot be read \(No such file"):
        address_in(tmp_path)
    rewrite(tmp_path, [])
    with pytest.raises(SourceError, match="it has no rows"):
        read_exported_labels(tmp_path)
    pq.write_table(pa.table({"image_id": ["a"]}), tmp_path / FILE_NAME)
    with pytest.raises(SourceError, match="has other columns than an export"):
        read_exported_labels(tmp_path)
    folder = write_export(tmp_path / "out", "cvat")
    monkeypatch.setattr(exported_labels, "_MOST_ROWS", 4)
    with pytest.raises(SourceError, match="has 5 labels, and at most 4 are compared at once"):
        read_exported_labels(folder)


def test_a_writer_without_labels_leaves_a_file_without_rows(tmp_path: Path) -> None:
    with ExportedLabelsWriter(tmp_path, ADDRESS, NAMES):
        pass
    assert pq.read_table(tmp_path / FILE_NAME).num_rows == 0
    assert address_in(tmp_path) == ADDRESS


def test_a_writer_that_is_given_up_tries_once_to_close_its_file_and_says_nothing(
    tmp_path: Path,
) -> None:
    tried = []

    def fail() -> None:
        tried.append(1)
        raise OSError(28, "No space left on device")

    writer = ExportedLabelsWriter(tmp_path, ADDRESS, NAMES)
    writer._writer.writer = SimpleNamespace(close=fail)
    with pytest.raises(KeyError), writer:
        raise KeyError
    del writer
    gc.collect()  # what a destructor raises is an error here
    assert tried == [1]
