from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import SourceError
from stages.proposals.boxes_parquet import GroupedBoxes, open_parquet
from tests.stages.proposals.box_files import write_columns

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("ids", ["aabbbbbbbbcdd", "a", "abc", "aaaaaaaaa", "abcabcaab"])
@pytest.mark.parametrize("group", [1, 2, 3, 100])
def test_every_order_of_rows_gives_the_boxes_of_each_image(
    tmp_path: Path, ids: str, group: int
) -> None:
    file = open_parquet(write_columns(tmp_path / "b.parquet", list(ids), group))
    is_grouped = len(set(ids)) == sum(a != b for a, b in zip(ids, "-" + ids, strict=False))
    assert isinstance(file, GroupedBoxes) == is_grouped
    assert sorted(file.ids) == sorted(set(ids))
    for index, image_id in enumerate(file.ids):
        boxes, scores = file.boxes(index)
        expected = [row for row, other in enumerate(ids) if other == image_id]
        assert scores.tolist() == expected
        assert boxes.tolist() == [[row] * 4 for row in expected]


def test_only_one_row_group_of_a_grouped_file_is_read_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = open_parquet(write_columns(tmp_path / "b.parquet", list("aabbcc"), group=2))
    assert isinstance(file, GroupedBoxes)
    read_groups: list[int] = []
    read_group = file._table.boxes
    monkeypatch.setattr(
        file._table, "boxes", lambda group: (read_groups.append(group), read_group(group))[1]
    )
    for index in (0, 0, 2, 2, 1):
        file.boxes(index)
    assert read_groups == [0, 2, 1]


def test_an_image_may_span_three_row_groups(tmp_path: Path) -> None:
    file = open_parquet(write_columns(tmp_path / "b.parquet", list("abbbbbc"), group=2))
    assert file.boxes(1)[1].tolist() == [1, 2, 3, 4, 5]


def test_a_file_without_rows_has_no_boxes(tmp_path: Path) -> None:
    assert open_parquet(write_columns(tmp_path / "b.parquet", [])).ids == []


def test_a_null_coordinate_becomes_nan(tmp_path: Path) -> None:
    changes = {"x0": pa.array([None], "f4")}
    file = open_parquet(write_columns(tmp_path / "b.parquet", ["a"], **changes))
    assert np.isnan(file.boxes(0)[0]).tolist() == [[True, False, False, False]]


def test_a_number_beyond_float32_becomes_infinite(tmp_path: Path) -> None:
    file = open_parquet(write_columns(tmp_path / "b.parquet", ["a"], score=[1e300]))
    assert file.boxes(0)[1].tolist() == [np.inf]


def test_corners_come_before_a_bbox_and_score_before_objectness(tmp_path: Path) -> None:
    bbox = pa.array([[9.0, 9, 9, 9]])
    path = write_columns(tmp_path / "b.parquet", ["a"], bbox=bbox, objectness=[5.0])
    boxes, scores = open_parquet(path).boxes(0)
    assert (boxes.tolist(), scores.tolist()) == ([[0, 0, 0, 0]], [0])


@pytest.mark.parametrize("kind", ["list", "large", "fixed"])
def test_a_bbox_may_be_any_kind_of_list(tmp_path: Path, kind: str) -> None:
    kinds = {"list": pa.list_(pa.float32()), "large": pa.large_list(pa.int64())}
    bbox = pa.array([[1, 2, 3, 4]] * 2, kinds.get(kind, pa.list_(pa.float64(), 4)))
    path = write_columns(tmp_path / "b.parquet", ["a", "a"], x0=None, bbox=bbox)
    assert open_parquet(path).boxes(0)[0].tolist() == [[1, 2, 4, 6]] * 2


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"score": None}, "columns score are missing"),
        ({"x1": None, "y0": None}, "columns y0, x1 are missing"),
        ({"score": ["high", "low"]}, "columns score are not numbers"),
        ({"x0": None, "bbox": ["a", "b"]}, "columns bbox are not numbers"),
        ({"image_id": pa.array([None, "a"])}, "image_id is null in row group 0"),
        ({"image_id": pa.array([[1], [2]])}, "not a readable Parquet"),
    ],
)
def test_a_missing_or_unusable_column_is_named(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    path = write_columns(tmp_path / "b.parquet", ["a", "b"], **changes)
    with pytest.raises(SourceError, match=sentence):
        open_parquet(path)


def test_a_bbox_of_three_numbers_is_refused(tmp_path: Path) -> None:
    bbox = pa.array([[0.0, 0, 1, 1], [0.0, 0, 1]])
    path = write_columns(tmp_path / "b.parquet", ["a", "b"], x0=None, bbox=bbox)
    with pytest.raises(SourceError, match="bbox must hold four numbers in every row"):
        open_parquet(path).boxes(0)


def test_damaged_boxes_are_named_by_their_row_group(tmp_path: Path) -> None:
    path = write_columns(tmp_path / "b.parquet", ["a", "b"], group=1)
    file = open_parquet(path)
    content = path.read_bytes()
    path.write_bytes(content[:4] + bytes(len(content) - 4))
    with pytest.raises(SourceError, match="row group 1 is damaged"):
        file.boxes(1)
