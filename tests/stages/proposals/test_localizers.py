from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.proposals import boxes_json
from stages.proposals.boxes_parquet import GroupedBoxes, open_parquet
from stages.proposals.localizers import open_localizer
from stages.proposals.region_dump import DumpWriter

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [
    {"image_id": 139, "bbox": [10, 20, 30, 40], "score": 0.5, "category_id": 7},
    {"image_id": "dog", "bbox": [0, 0, 1.5, 2], "score": 0.25},
    {"image_id": 139, "bbox": [1, 2, 3, 4], "score": 0.75},
]
CORNERS = [[10, 20, 40, 60], [1, 2, 4, 6]]  # of 139, in the order of the file


def in_json(path: Path) -> Path:
    path = path.with_suffix(".json")
    path.write_text(json.dumps(RECORDS, indent=1))
    return path


def in_parquet(path: Path) -> Path:
    path = path.with_suffix(".parquet")
    rows = [{**r, "image_id": str(r["image_id"])} for r in RECORDS]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def in_parquet_corners(path: Path) -> Path:
    path = path.with_suffix(".parquet")
    columns = {
        "image_id": pa.array([139, 139, 7]).cast(pa.int64()),
        "x0": [10, 1, 0],
        "y0": [20, 2, 0],
        "x1": [40, 4, 1],
        "y1": [60, 6, 1],
        "objectness": [0.5, 0.75, 0.0],
    }
    pq.write_table(pa.table(columns), path, row_group_size=1)
    return path


def in_hdf5(path: Path) -> Path:
    path = path.with_suffix(".h5")
    with DumpWriter(path, "score") as dump:
        dump.append("139", np.float32(CORNERS), np.float32([0.5, 0.75]))
    return path


@pytest.mark.parametrize("make", [in_json, in_parquet, in_parquet_corners, in_hdf5])
def test_every_format_gives_the_same_boxes(tmp_path: Path, make: Any) -> None:
    localizer = open_localizer(make(tmp_path / "boxes"))
    place = localizer.find("coco/val2017/000000000139.jpg")
    assert place is not None
    boxes, scores = localizer.boxes(place)
    np.testing.assert_array_equal(boxes, np.float32(CORNERS))
    np.testing.assert_array_equal(scores, np.float32([0.5, 0.75]))
    assert boxes.dtype == scores.dtype == np.float32
    assert localizer.kind == "score"


@pytest.mark.parametrize(
    ("theirs", "ours", "found"),
    [
        ("val2017/139", "val2017/139", True),
        ("000000000139", "val2017/000000000139", True),
        ("000000000139.jpg", "val2017/000000000139.jpg", True),
        ("139", "a/b/000000000139.jpg", True),
        ("000000000139", "val2017/139", True),
        ("dog.jpg", "folder/dog.jpg", True),
        ("1390", "val2017/139", False),
        ("dog", "folder/hotdog", False),
        ("folder/dog", "dog", False),
        ("139", "139.tar.gz", False),
        ("139", "val2017/", False),
    ],
)
def test_ids_are_matched_by_the_rule(tmp_path: Path, theirs: str, ours: str, found: bool) -> None:
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps([{"image_id": theirs, "bbox": [0, 0, 1, 1], "score": 1}]))
    assert (open_localizer(path).find(ours) is not None) == found


def test_an_exact_id_goes_before_its_tail_and_its_number(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    names = ["7", "007", "a/007"]
    path.write_text(json.dumps([{"image_id": n, "bbox": [0, 0, 1, 1], "score": 1} for n in names]))
    localizer = open_localizer(path)
    assert [localizer.find(i) for i in ("a/007", "b/007", "b/7")] == [2, 1, 0]
    assert localizer.find("b/00007") is None  # 7 or 007: neither may speak for the other


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = in_json(tmp_path / "boxes")
    assert len(open_localizer(path)) == 2
    path.write_text(json.dumps(RECORDS[:1]))
    assert len(open_localizer(path)) == 1


def test_json_read_in_small_pieces_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    records = [
        {"image_id": int(i), "bbox": rng.uniform(0, 9, 4).tolist(), "score": rng.uniform()}
        for i in rng.integers(0, 20, 200)
    ]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(records, indent=2))
    monkeypatch.setattr(boxes_json, "_CHUNK", 200)
    monkeypatch.setattr("stages.proposals.box_arrays._BLOCK", 7)
    localizer = open_localizer(path)
    for i in range(20):
        mine = [r for r in records if r["image_id"] == i]
        place = localizer.find(str(i))
        if place is None:
            assert not mine
            continue
        boxes, scores = localizer.boxes(place)
        x, y, w, h = np.array([r["bbox"] for r in mine]).T
        np.testing.assert_array_equal(boxes, np.stack([x, y, x + w, y + h], 1).astype(np.float32))
        np.testing.assert_array_equal(scores, np.float32([r["score"] for r in mine]))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "does not begin with"),
        (b"{}", "does not begin with"),
        (b"[", "near record 0"),
        (b"[1]", "near record 0: TypeError"),
        (b'[{"image_id": 1, "bbox": [0, 0, 1, 1], "score": 1}', "near record 0"),
        (b'[{"image_id": 1, "bbox": [0, 0, 1], "score": 1}]', "not enough values"),
        (b'[{"image_id": 1, "bbox": "abcd", "score": 1}]', "could not convert"),
        (b'[{"image_id": 1, "bbox": [0, 0, 1, 1]}]', "KeyError: 'score'"),
        (b'[{"image_id": null, "bbox": [0, 0, 1, 1], "score": 1}]', "image_id is None"),
        (b'[{"image_id": true, "bbox": [0, 0, 1, 1], "score": 1}]', "image_id is True"),
        (b'[{"image_id": 1, "bbox": [1' + b"0" * 400 + b', 0, 1, 1], "score": 1}]', "Overflow"),
        (b"[" * 100_000, "near record 0: RecursionError"),
        (b'["\xff"]', "not UTF-8"),
    ],
)
def test_what_is_no_list_of_results_is_refused_with_a_sentence(
    tmp_path: Path, content: bytes, complaint: str
) -> None:
    path = tmp_path / "boxes.json"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=complaint):
        open_localizer(path)


def test_an_empty_list_has_no_boxes(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text("\ufeff [ ]")
    assert open_localizer(path).find("1") is None


def parquet(path: Path, ids: list[str], group: int = 3, **other: Any) -> Path:
    n = len(ids)
    columns = {"image_id": ids, **{c: np.arange(n, dtype=float) for c in ("x0", "y0", "x1", "y1")}}
    columns["score"] = np.arange(n, dtype=float)
    columns = {k: v for k, v in {**columns, **other}.items() if v is not None}
    pq.write_table(pa.table(columns), path, row_group_size=group)
    return path


@pytest.mark.parametrize("ids", ["aabbbbbbbbcdd", "a", "abc", "aaaaaaaaa", "abcabcaab"])
@pytest.mark.parametrize("group", [1, 2, 3, 100])
def test_parquet_rows_are_found_however_they_lie(tmp_path: Path, ids: str, group: int) -> None:
    boxes = open_parquet(parquet(tmp_path / "b.parquet", list(ids), group))
    together = len(set(ids)) == sum(a != b for a, b in zip(ids, "-" + ids, strict=False))
    assert isinstance(boxes, GroupedBoxes) == together
    assert sorted(boxes.ids) == sorted(set(ids))
    for index, image_id in enumerate(boxes.ids):
        found, scores = boxes.boxes(index)
        expected = [k for k, other in enumerate(ids) if other == image_id]
        assert scores.tolist() == expected
        assert found.tolist() == [[k] * 4 for k in expected]


def test_parquet_without_rows_has_no_boxes(tmp_path: Path) -> None:
    assert open_parquet(parquet(tmp_path / "b.parquet", [])).ids == []


def test_null_coordinates_become_nan(tmp_path: Path) -> None:
    localizer = open_localizer(parquet(tmp_path / "b.parquet", ["a"], x0=pa.array([None], "f4")))
    assert np.isnan(localizer.boxes(0)[0][0, 0])


@pytest.mark.parametrize(
    ("other", "complaint"),
    [
        ({"score": None}, "columns score are missing"),
        ({"x1": None, "y0": None}, "columns y0, x1 are missing"),
        ({"score": ["high", "low"]}, "columns score are not numbers"),
        ({"x0": None, "bbox": ["a", "b"]}, "columns bbox are not numbers"),
        ({"image_id": pa.array([None, "a"])}, "image_id is null"),
        ({"image_id": pa.array([[1], [2]])}, "not a readable Parquet"),
    ],
)
def test_parquet_that_lacks_something_is_refused(
    tmp_path: Path, other: dict[str, Any], complaint: str
) -> None:
    path = parquet(tmp_path / "b.parquet", ["a", "b"], **other)
    with pytest.raises(SourceError, match=complaint):
        open_localizer(path)


def test_a_bbox_of_three_numbers_is_refused(tmp_path: Path) -> None:
    bbox = pa.array([[0.0, 0, 1, 1], [0.0, 0, 1]])
    path = parquet(tmp_path / "b.parquet", ["a", "b"], x0=None, bbox=bbox)
    with pytest.raises(SourceError, match="four numbers"):
        open_localizer(path).boxes(0)


@pytest.mark.parametrize("name", ["none.json", "boxes.csv", "boxes.parquet"])
def test_what_is_missing_or_of_another_format_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "boxes.csv").write_text("image_id,x0")
    (tmp_path / "boxes.parquet").write_text("PAR1")
    with pytest.raises(SourceError, match=r"check the path|are read from|not a readable"):
        open_localizer(tmp_path / name)
