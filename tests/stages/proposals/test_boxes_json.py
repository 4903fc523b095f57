from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.errors import SourceError
from stages.proposals import boxes_json
from stages.proposals.boxes_json import read_json
from tests.stages.proposals.box_files import RECORDS, write_records

if TYPE_CHECKING:
    from pathlib import Path


def test_boxes_are_grouped_by_image_in_the_order_of_the_file(tmp_path: Path) -> None:
    arrays = read_json(write_records(tmp_path / "boxes.json", RECORDS))
    assert arrays.ids == ["139", "dog"]
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
    monkeypatch.setattr(boxes_json, "_CHUNK", 200)
    monkeypatch.setattr("stages.proposals.box_arrays._BLOCK", 7)
    arrays = read_json(path)
    assert sorted(arrays.ids) == sorted({str(record["image_id"]) for record in records})
    for index, image_id in enumerate(arrays.ids):
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
    assert read_json(tmp_path / "boxes.json").ids == []


def test_the_number_one_and_the_text_one_are_the_same_image(tmp_path: Path) -> None:
    records = [{"image_id": i, "bbox": [0, 0, 1, 1], "score": 1} for i in (1, "1")]
    assert read_json(write_records(tmp_path / "boxes.json", records)).ids == ["1"]


@pytest.mark.parametrize(
    ("content", "sentence"),
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
def test_a_file_that_is_not_a_list_of_results_is_refused(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "boxes.json"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=sentence):
        read_json(path)
