"""Export to a Parquet table of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from pipeline.exporting import parquet_format
from pipeline.exporting.labelled_images import ExportRequest
from pipeline.exporting.labels import export_labels
from pipeline.exporting.parquet_format import ParquetFormat
from tests.pipeline.exporting.labelled_store import image_with_labels, labels

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_rows_keep_ids_regions_categories_and_scores(root: Path, tmp_path: Path) -> None:
    export_labels(root, tmp_path / "out", "parquet", ExportRequest(where="kept"), "none")
    rows = pq.read_table(tmp_path / "out" / "labels.parquet").to_pylist()
    expected = labels(root)
    assert [(r["image_id"], r["region"], r["category"], r["score"]) for r in rows] == [
        (r["image_id"], r["region"], r["concept"], r["probability"]) for r in expected
    ]


@pytest.mark.parametrize("buffer", [0, 3, 50_000])
def test_the_size_of_the_buffer_does_not_change_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffer: int
) -> None:
    monkeypatch.setattr(parquet_format, "_BUFFER_ROWS", buffer)
    writer = ParquetFormat(tmp_path, ["dog", "cat"], "none")
    for number in range(1, 6):
        boxes = [(k % 2, k / 8, (k, k, k + 1, k + number)) for k in range(number)]
        writer.add(image_with_labels(number, boxes))
    writer.close()
    rows = pq.read_table(tmp_path / "labels.parquet").to_pylist()
    assert [(row["image"], row["region"], row["y1"]) for row in rows] == [
        (number, k, k + number) for number in range(1, 6) for k in range(number)
    ]
    assert [row["category"] for row in rows[-5:]] == ["dog", "cat", "dog", "cat", "dog"]
    names = pq.read_table(tmp_path / "categories.parquet").to_pylist()
    assert names == [{"category_id": 1, "category": "dog"}, {"category_id": 2, "category": "cat"}]
