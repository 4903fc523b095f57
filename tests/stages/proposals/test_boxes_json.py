from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from schemas.errors import SourceError
from stages.proposals.box_file import ImageKey
from stages.proposals.boxes_json import read_json
from stages.sources import json_records
from tests.stages.proposals.box_files import RECORDS, write_records

if TYPE_CHECKING:
    from pathlib import Path


def test_boxes_are_grouped_by_image_in_the_order_of_the_file(tmp_path: Path) -> None:
    arrays = read_json(write_records(tmp_path / "boxes.json", RECORDS))
    assert arrays.keys == [ImageKey("139"), ImageKey("dog")]
    boxes, scores = arrays.boxes(0)
    assert boxes.tolist() == [[10, 20, 40, 60], [1, 2, 4, 6]]
    assert scores.tolist() == [0.5, 0.75]
    assert arrays.boxes(1)[0].tolist() == [[0, 0, 1.5, 2]]


def test_reading_in_small_chunks_gives_the_same_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    records = [
        {"image_id": int(i), "bbox": rng.uniform(0, 9, 4).tolist(), "score": rng.uniform()}
        for i in rng.integers(0, 20, 200)
    ]
    path = write_records(tmp_path / "boxes.json", records)
    monkeypatch.setattr(json_records, "_CHUNK", 200)
    monkeypatch.setattr("stages.proposals.box_arrays._BLOCK", 7)
    arrays = read_json(path)
    assert {key.id for key in arrays.keys} == {str(record["image_id"]) for record in records}
    for index, (image_id, _) in enumerate(arrays.keys):
        expected = [record for record in records if str(record["image_id"]) == image_id]
        boxes, scores = arrays.boxes(index)
        x, y, w, h = np.array([record["bbox"] for record in expected]).T
        np.testing.assert_array_equal(boxes, np.stack([x, y, x + w, y + h], 1).astype(np.float32))
        np.testing.assert_array_equal(scores, np.float32([record["score"] for record in expected]))


def test_corners_are_added_in_float64_before_they_are_rounded(tmp_path: Path) -> None:
    x, width = 16777216.0, 1.5  # float32 holds no 16777217.5
    record = {"image_id": 1, "bbox": [x, 0, width, 1], "score": 1}
    ((x0, _, x1, _),) = read_json(write_records(tmp_path / "b.json", [record])).boxes(0)[0].tolist()
    assert (x0, x1) == (x, float(np.float32(x + width)))


@pytest.mark.parametrize("layout", ["{0},{0}", " {0}\n,\n\t{0} "])
def test_white_space_between_records_does_not_matter(tmp_path: Path, layout: str) -> None:
    (tmp_path / "b.json").write_text(f"[{layout.format(json.dumps(RECORDS[1]))}]")
    assert len(read_json(tmp_path / "b.json").boxes(0)[0]) == 2


def test_an_empty_list_after_a_byte_order_mark_has_no_boxes(tmp_path: Path) -> None:
    (tmp_path / "boxes.json").write_text("\ufeff [ ]")
    assert read_json(tmp_path / "boxes.json").keys == []


def test_the_number_one_and_the_text_one_are_the_same_image(tmp_path: Path) -> None:
    records = [{"image_id": i, "bbox": [0, 0, 1, 1], "score": 1} for i in (1, "1")]
    assert read_json(write_records(tmp_path / "boxes.json", records)).keys == [ImageKey("1")]


BOX = {"bbox": [1, 2, 3, 4], "score": 0.5}
CORNERS = [[1, 2, 4, 6]]


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ([{"image_id": 7, **BOX}], ImageKey("7")),
        ([{"image_id": 7.0, **BOX}], ImageKey("7")),
        ([{"file_name": "v/a.jpg", **BOX}], ImageKey(None, "v/a.jpg")),
        ([{"image_id": "a", "file_name": "a.jpg", **BOX}], ImageKey("a", "a.jpg")),
        ({"7": [BOX]}, ImageKey("7")),
        ({"a.jpg": [[1, 2, 3, 4, 0.5]]}, ImageKey("a.jpg")),
        ({"a.jpg": [1, 2, 3, 4, 0.5]}, ImageKey("a.jpg")),
        ({"a.jpg": {"boxes": [[1, 2, 4, 6]], "scores": [0.5]}}, ImageKey("a.jpg")),
        ([{"image_id": 7, "boxes": [[1, 2, 4, 6]], "scores": [0.5]}], ImageKey("7")),
        ({"image_id": 7, **BOX}, ImageKey("7")),
        (
            {"images": [{"id": 7, "file_name": "a.jpg"}], "annotations": [{"image_id": 7, **BOX}]},
            ImageKey("7", "a.jpg"),
        ),
        (
            {"annotations": [{"image_id": 7, **BOX}], "images": [{"id": 7, "file_name": "a.jpg"}]},
            ImageKey("7", "a.jpg"),
        ),
        (
            {"image": {"image_id": 7, "file_name": "a.jpg"}, "annotations": [BOX]},
            ImageKey("7", "a.jpg"),
        ),
        (
            {"annotations": [BOX], "image": {"image_id": 7, "file_name": "a.jpg"}},
            ImageKey("7", "a.jpg"),
        ),
        ([{"image": {"image_id": 7}, "annotations": [BOX]}], ImageKey("7")),
        (
            {"labels": [3], "scores": [0.5], "bboxes": [[1, 2, 4, 6]], "masks": []},
            ImageKey(None, "boxes.json"),
        ),
    ],
)
def test_every_form_of_json_gives_the_box_and_its_image(
    tmp_path: Path, content: Any, key: ImageKey
) -> None:
    (tmp_path / "boxes.json").write_text(json.dumps(content))
    arrays = read_json(tmp_path / "boxes.json")
    assert arrays.keys == [key]
    assert (arrays.boxes(0)[0].tolist(), arrays.boxes(0)[1].tolist()) == (CORNERS, [0.5])
    assert arrays.bad.count == 0


def test_a_record_a_line_is_read_and_a_broken_line_is_one_bad_record(tmp_path: Path) -> None:
    lines = [json.dumps({"image_id": n, **BOX}) for n in range(3)]
    lines[1] = lines[1][:-5]
    (tmp_path / "boxes.json").write_text("\n".join([*lines, ""]))
    arrays = read_json(tmp_path / "boxes.json")
    assert arrays.keys == [ImageKey("0"), ImageKey("2")]
    ((record, reason, detail),) = arrays.bad.rows()
    assert (record, reason) == ("boxes.json: record 1", "bad-row")
    assert detail.startswith("JSONDecodeError")


def test_an_image_without_boxes_is_known(tmp_path: Path) -> None:
    contents: list[Any] = [
        {"images": [{"id": 7, "file_name": "a.jpg"}], "annotations": []},
        {"a.jpg": []},
        {"image": {"image_id": 7, "file_name": "a.jpg"}, "annotations": []},
        [{"image_id": "a.jpg", "bboxes": [], "scores": []}],
    ]
    for content in contents:
        (tmp_path / "boxes.json").write_text(json.dumps(content))
        arrays = read_json(tmp_path / "boxes.json")
        assert [str(key) for key in arrays.keys] == ["a.jpg"]
        assert len(arrays) == arrays.bad.count == 0


def test_bad_records_among_good_ones_are_counted_and_named(tmp_path: Path) -> None:
    bad = [
        1,
        {"image_id": 1},
        {"image_id": 1, "bbox": [0, 0, 1]},
        {"image_id": 1, "bbox": "abcd"},
        {"image_id": None, **BOX},
        {"image_id": True, **BOX},
        {"image_id": 1.5, **BOX},
        {"image_id": 1, **BOX, "score": "high"},
        {"image_id": 1, "bbox": [10**400, 0, 1, 1]},
        BOX,
        {"image_id": 1, "category_id": 1, "keypoints": [1, 2, 3]},
    ]
    path = write_records(tmp_path / "b.json", [{"image_id": 7, **BOX}, *bad])  # type: ignore[list-item]
    arrays = read_json(path)
    assert (arrays.keys, len(arrays)) == ([ImageKey("7")], 1)
    rows = list(arrays.bad.rows())
    assert [record for record, _, _ in rows] == [f"b.json: record {n + 1}" for n in range(11)]
    assert rows[-1][2] == "it holds keypoints, and no box"


def test_the_user_says_what_four_numbers_are(tmp_path: Path) -> None:
    path = write_records(tmp_path / "boxes.json", [{"image_id": 7, "bbox": [1, 2, 3, 4]}])
    assert (read_json(path).layout, read_json(path, "xyxy").layout) == ("xywh", "xyxy")
    assert read_json(path, "xyxy").boxes(0)[0].tolist() == [[1, 2, 3, 4]]
    assert not read_json(path).has_scores


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "does not begin with"),
        (b"boxes", "does not begin with"),
        (b"{}x", "more text follows"),
        (b'{"a": 1}', r"it has no boxes, but \['a'\]"),
        (b"[", "near record 0: JSONDecodeError"),
        (b"[1]", "record 0: 1 is no record of a box"),
        (b'[{"image_id": 1, "bbox": [0, 0, 1, 1], "score": 1}', "near record 1: JSONDecodeError"),
        (b'[{"image_id": 1, "caption": "a dog"}]', "record 0: it holds captions, and no box"),
        (b'[{"image_id": 1, "bbox": [0, 0, 1], "score": 1}]', r"\[0, 0, 1\] is no four numbers"),
        (b"[" * 100_000, "near record 0: RecursionError"),
        (b'["\xff"]', "not UTF-8"),
    ],
)
def test_a_file_without_any_box_that_can_be_read_is_refused(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "boxes.json"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=sentence):
        read_json(path)


@pytest.mark.parametrize("between", [" ", "\n", ",", "]", "\0"])
@pytest.mark.parametrize("more", ["[{}]", "{}"])
def test_what_follows_the_end_of_a_list_is_never_passed_over(
    tmp_path: Path, between: str, more: str
) -> None:
    record = '{"image_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}'
    (tmp_path / "b.json").write_text(f"[{record}]{between}{more.replace('{}', record)}")
    with pytest.raises(SourceError, match="more text follows the end"):
        read_json(tmp_path / "b.json")
