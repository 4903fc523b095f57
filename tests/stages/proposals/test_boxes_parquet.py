from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import SourceError
from stages.proposals.box_file import ImageKey
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
    assert sorted(key.id for key in file.keys) == sorted(set(ids))
    for index, (image_id, _) in enumerate(file.keys):
        boxes, scores = file.boxes(index)
        expected = [row for row, other in enumerate(ids) if other == image_id]
        assert scores.tolist() == expected
        assert boxes.tolist() == [[row] * 4 for row in expected]
    owned = [
        (file.keys[owner].id, score)
        for owners, _, scores in file.blocks()
        for owner, score in zip(owners, scores.tolist(), strict=True)
    ]
    assert sorted(owned, key=lambda pair: pair[1]) == [(i, row) for row, i in enumerate(ids)]


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
    assert open_parquet(write_columns(tmp_path / "b.parquet", [])).keys == []


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
        ({"x1": None, "y0": None}, "columns y0, x1 are missing"),
        ({"score": ["high", "low"]}, "columns score must hold a number"),
        ({"x0": None, "bbox": ["a", "b"]}, "columns bbox must hold a number"),
        ({"score": [[0.5], [0.25]]}, "columns score must hold a number"),
        ({"x0": [[1.0], [2.0, 3.0]]}, "columns x0 must hold a number"),
        ({"x0": None, "bbox": [1.0, 2.0]}, "and bbox a list of four"),
        ({"image_id": pa.array([[1], [2]])}, "cannot read .* as Parquet of boxes"),
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
    with pytest.raises(SourceError, match="cannot read row group 1 of"):
        file.boxes(1)


@pytest.mark.parametrize("ids", [[None, "a", None, None, "b"], ["a", None, "b", "a"]])
def test_rows_of_no_image_are_named_and_the_others_kept(
    tmp_path: Path, ids: list[str | None]
) -> None:
    path = write_columns(tmp_path / "b.parquet", ["x"] * len(ids), 2, image_id=pa.array(ids))
    file = open_parquet(path)
    named = {row for row, image_id in enumerate(ids) if image_id is None}
    assert {record for record, _, _ in file.bad.rows()} == {f"b.parquet: row {n}" for n in named}
    scores = [score for _, _, scores in file.blocks() for score in scores.tolist()]
    assert sorted(scores) == [row for row in range(len(ids)) if row not in named]


def test_without_a_column_of_scores_every_score_is_one(tmp_path: Path) -> None:
    for ids in ("ab", "aba"):
        file = open_parquet(write_columns(tmp_path / "b.parquet", list(ids), score=None))
        assert not file.has_scores
        assert set(file.boxes(0)[1].tolist()) == {1}


def test_a_bbox_is_read_as_the_user_says_and_other_names_of_corners_are_known(
    tmp_path: Path,
) -> None:
    bbox = pa.array([[1.0, 2, 3, 4]])
    path = write_columns(tmp_path / "b.parquet", ["a"], x0=None, bbox=bbox)
    as_sizes, as_corners = open_parquet(path), open_parquet(path, "xyxy")
    assert (as_sizes.layout, as_sizes.boxes(0)[0].tolist()) == ("xywh", [[1, 2, 4, 6]])
    assert (as_corners.layout, as_corners.boxes(0)[0].tolist()) == ("xyxy", [[1, 2, 3, 4]])
    others = {"xmin": [1.0], "ymin": [2.0], "xmax": [3.0], "ymax": [4.0]}
    path = write_columns(tmp_path / "b.parquet", ["a"], x0=None, **others)
    assert open_parquet(path).boxes(0)[0].tolist() == [[1, 2, 3, 4]]


def test_images_may_be_named_by_their_files(tmp_path: Path) -> None:
    path = write_columns(tmp_path / "b.parquet", ["x"], image_id=None, file_name=["v/a.jpg"])
    assert open_parquet(path).keys == [ImageKey(None, "v/a.jpg")]


def test_float_ids_are_whole_numbers_as_text(tmp_path: Path) -> None:
    path = write_columns(tmp_path / "b.parquet", ["x"], image_id=[139.0])
    assert open_parquet(path).keys == [ImageKey("139")]
