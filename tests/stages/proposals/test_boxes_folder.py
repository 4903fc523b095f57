from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.errors import SourceError
from stages.proposals.box_file import ImageKey
from stages.proposals.boxes_folder import digest_of_boxes, read_folder

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Path, **files: str) -> Path:
    """A folder of texts; `__` in a name is a slash, and `_txt` a suffix."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_txt", ".txt").replace("_json", ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_lines_of_yolo_are_boxes_outlines_and_scores(tmp_path: Path) -> None:
    text = "0 0.5 0.5 0.5 1 0.75\n3 0.25 0.25 0.5 0.5\n\n0 0.1 0.2 0.3 0.2 0.3 0.6\n"
    arrays = read_folder(write(tmp_path, labels__a_txt=text, labels__none_txt=""))
    assert arrays.keys == [ImageKey(None, "labels/a.txt"), ImageKey(None, "labels/none.txt")]
    boxes, scores = arrays.boxes(0)
    expected = [[0.25, 0, 0.75, 1], [0, 0, 0.5, 0.5], [0.1, 0.2, 0.3, 0.6]]
    np.testing.assert_allclose(boxes, expected, rtol=1e-6)
    assert scores[0] == 0.75
    assert np.isnan(scores[1:]).all()
    assert arrays.in_fractions
    assert len(arrays.boxes(1)[0]) == 0


def test_labels_without_scores_have_score_one(tmp_path: Path) -> None:
    arrays = read_folder(write(tmp_path, a_txt="0 0.5 0.5 0.5 1\n"))
    assert not arrays.has_scores
    assert arrays.boxes(0)[1].tolist() == [1]


def test_lines_and_files_that_are_no_labels_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path, a_txt="0 0.5 0.5 0.5 1\n0 0.5 0.5\nx\n", classes_txt="cat\ndog\n")
    (folder / "b.txt").write_bytes(b"\xff\xfe0")
    arrays = read_folder(folder)
    assert arrays.keys == [ImageKey(None, "a.txt")]
    assert [(record, str(reason)) for record, reason, _ in arrays.bad.rows()] == [
        ("a.txt: line 2", "bad-box"),
        ("a.txt: line 3", "bad-box"),
        ("b.txt", "bad-row"),
        ("classes.txt", "bad-row"),
    ]


def test_a_folder_of_json_is_one_image_a_file(tmp_path: Path) -> None:
    mmdetection = {"labels": [0], "scores": [0.5], "bboxes": [[1, 2, 4, 6]]}
    arrays = read_folder(write(tmp_path, a_json=json.dumps(mmdetection), b_json=json.dumps(
        {**mmdetection, "bboxes": [[0, 0, 1, 1]]}
    )))  # fmt: skip
    assert arrays.keys == [ImageKey(None, "a.json"), ImageKey(None, "b.json")]
    assert [arrays.boxes(i)[0].tolist() for i in (0, 1)] == [[[1, 2, 4, 6]], [[0, 0, 1, 1]]]
    assert arrays.layout == "xyxy"
    sam = [
        {
            "image": {"image_id": n, "width": 9, "height": 9, "file_name": f"sa_{n}.jpg"},
            "annotations": [{"bbox": [n, 2, 3, 4], "predicted_iou": 0.9, "stability_score": 1}],
        }
        for n in range(2)
    ]
    arrays = read_folder(write(tmp_path, a_json=json.dumps(sam[0]), b_json=json.dumps(sam[1])))
    assert arrays.keys == [ImageKey("0", "sa_0.jpg"), ImageKey("1", "sa_1.jpg")]
    assert arrays.boxes(1)[0].tolist() == [[1, 2, 4, 6]]


def test_a_list_of_json_belongs_to_the_image_that_its_file_is_named_like(tmp_path: Path) -> None:
    masks = [{"bbox": [1, 2, 3, 4], "predicted_iou": 0.9, "area": 12}]  # as SAM's command writes
    results = [{"name": "dog", "confidence": 0.5, "box": {"x1": 1, "y1": 2, "x2": 4, "y2": 6}}]
    named = [{"file_name": "d.jpg", "bbox": [1, 2, 3, 4]}]
    texts = {"a_json": masks, "b_json": results, "c_json": [], "e_json": named}
    arrays = read_folder(write(tmp_path, **{n: json.dumps(text) for n, text in texts.items()}))
    names = [key.name for key in arrays.keys]
    assert names == ["a.json", "b.json", "c.json", "d.jpg"]
    assert [arrays.boxes(i)[0].tolist() for i in range(4)] == [
        [[1, 2, 4, 6]], [[1, 2, 4, 6]], [], [[1, 2, 4, 6]],
    ]  # fmt: skip
    assert arrays.bad.count == 0


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "it holds neither .json nor .txt"),
        ({"a_txt": "0 0 0 1 1", "b_json": "[]"}, "it holds both .json and .txt"),
        ({"classes_txt": "cat"}, "no box can be read; classes.txt: no line is"),
        ({"a_json": '{"a": 1}'}, "no box can be read; a.json: record 0: it has no boxes"),
    ],
)
def test_a_folder_without_boxes_is_refused(
    tmp_path: Path, files: dict[str, str], sentence: str
) -> None:
    with pytest.raises(SourceError, match=sentence):
        read_folder(write(tmp_path, **files))


def test_labels_of_yolo_have_one_form(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="leave out --boxes"):
        read_folder(write(tmp_path, a_txt="0 0 0 1 1"), "xyxy")


def test_a_folder_is_identified_by_its_files(tmp_path: Path) -> None:
    first = write(tmp_path / "1", a_txt="0 0 0 1 1", b_txt="")
    second = write(tmp_path / "2", a_txt="0 0 0 1 1", b_txt="")
    (second / ".hidden.txt").write_text("1")
    (second / "picture.jpg").write_bytes(b"")
    assert digest_of_boxes(first) == digest_of_boxes(second)
    write(second, b_txt="0 0 0 1 1")
    assert digest_of_boxes(first) != digest_of_boxes(second)
    assert digest_of_boxes(first / "a.txt") == digest_of_boxes(second / "b.txt")
