from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from schemas.evaluated_detections import EVALUATED_DETECTIONS
from stages.evaluation import detections_file
from stages.evaluation.detections_file import DetectionsFile
from stages.evaluation.scores import Detections
from tests.stages.evaluation.records import VOCABULARY

if TYPE_CHECKING:
    from pathlib import Path


def detections(category: list[int], score: list[float]) -> Detections:
    return Detections(np.arange(len(category)), np.array(category, np.int64), np.array(score))


def add(file: DetectionsFile, image_id: str, count: int, **columns: Any) -> None:
    boxes = np.arange(4 * count, dtype=np.float32).reshape(count, 4)
    file.add(image_id, boxes, detections([1] * count, [0.5] * count), **columns)


def rows_of(path: Path) -> list[dict[str, Any]]:
    table = pq.read_table(path)
    EVALUATED_DETECTIONS.check(table)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_a_row_names_the_category_and_has_no_truth_for_proposals(tmp_path: Path) -> None:
    with DetectionsFile(tmp_path / "d.parquet", VOCABULARY) as file:
        file.add("a", np.float32([[1, 2, 3, 4], [5, 6, 7, 8]]), detections([3, 0], [0.9, 0.25]))
    first, second = rows_of(tmp_path / "d.parquet")
    assert first == {
        "image_id": "a", "detection": 0, "category_id": 3, "category": "dog",
        "score": pytest.approx(0.9), "x0": 1.0, "y0": 2.0, "x1": 3.0, "y1": 4.0,
        "truth": None, "rank": None,
    }  # fmt: skip
    assert (second["detection"], second["category"], second["score"]) == (1, "ant", 0.25)


def test_ground_truth_boxes_have_their_true_category_and_its_rank(tmp_path: Path) -> None:
    with DetectionsFile(tmp_path / "d.parquet", VOCABULARY) as file:
        predicted = Detections(np.array([4, 7]), np.array([1, 1]), np.array([0.5, 0.5]))
        truth, rank = np.array([1, 2]), np.array([0, 3])
        file.add("a", np.zeros((2, 4), np.float32), predicted, truth=truth, rank=rank)
    rows = rows_of(tmp_path / "d.parquet")
    assert [(r["detection"], r["truth"], r["rank"]) for r in rows] == [(4, "bee", 0), (7, "cat", 3)]


def test_rows_are_written_in_groups_in_the_order_they_were_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detections_file, "_ROWS_PER_GROUP", 4)
    with DetectionsFile(tmp_path / "d.parquet", VOCABULARY) as file:
        for image_id, count in (("a", 3), ("b", 2), ("c", 0), ("d", 1)):
            add(file, image_id, count)
    metadata = pq.read_metadata(tmp_path / "d.parquet")
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [5, 1]
    assert "".join(row["image_id"] for row in rows_of(tmp_path / "d.parquet")) == "aaabbd"


def test_a_file_without_detections_is_an_empty_table(tmp_path: Path) -> None:
    with DetectionsFile(tmp_path / "d.parquet", VOCABULARY):
        pass
    assert rows_of(tmp_path / "d.parquet") == []


def test_rows_added_before_an_error_are_written_and_the_error_is_raised(tmp_path: Path) -> None:
    def fail_after_one_image() -> None:
        with DetectionsFile(tmp_path / "d.parquet", VOCABULARY) as file:
            add(file, "a", 1)
            raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        fail_after_one_image()
    assert [row["image_id"] for row in rows_of(tmp_path / "d.parquet")] == ["a"]
