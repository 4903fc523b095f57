from __future__ import annotations

from typing import Any

import pytest

from stages.proposals.box_file import ImageKey
from stages.proposals.box_records import Box, boxes_of_record, key_of, text_of_id
from stages.sources.record import Refusal

ROW = (1.0, 2.0, 4.0, 6.0, 0.5)


@pytest.mark.parametrize(
    ("fields", "layout"),
    [
        ({"bbox": [1, 2, 3, 4], "score": 0.5}, "xywh"),
        ({"bbox": ["1", "2", "3", "4"], "score": "0.5"}, "xywh"),
        ({"bbox": [1, 2, 4, 6], "bbox_mode": 0, "score": 0.5}, "xyxy"),
        ({"bbox": [1, 2, 3, 4], "predicted_iou": 0.5, "stability_score": 0.9}, "xywh"),
        ({"x0": 1, "y0": 2, "x1": 4, "y1": 6, "objectness": 0.5}, "xyxy"),
        ({"xmin": 1, "ymin": 2, "xmax": 4, "ymax": 6, "confidence": 0.5}, "xyxy"),
        ({"box": {"x1": 1, "y1": 2, "x2": 4, "y2": 6}, "confidence": 0.5}, "xyxy"),
        ({"segmentation": [[1, 2, 4, 2, 4, 6]], "score": 0.5}, "xywh"),
        (
            {"segmentation": {"size": [6, 5], "counts": [8, 4, 2, 4, 2, 4, 6]}, "score": 0.5},
            "xywh",
        ),
    ],
)
def test_every_form_of_one_box(fields: dict[str, Any], layout: str) -> None:
    (box,) = boxes_of_record({"image_id": 7, **fields})
    assert box == Box(ImageKey("7"), ROW, layout)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "record",
    [
        {"image_id": 7, "boxes": [[1, 2, 4, 6]] * 2, "scores": [0.5, 0.5], "labels": [1, 1]},
        {"image": {"image_id": 7}, "annotations": [{"bbox": [1, 2, 3, 4], "score": 0.5}] * 2},
        {"image_id": 7, "instances": [{"image_id": 7, "bbox": [1, 2, 3, 4], "score": 0.5}] * 2},
    ],
)
def test_every_form_of_all_boxes_of_an_image(record: dict[str, Any]) -> None:
    boxes = [box for box in boxes_of_record(record) if isinstance(box, Box)]
    assert [(box.key, box.row) for box in boxes] == [(ImageKey("7"), ROW)] * 2


def test_what_the_user_says_holds_for_numbers_without_names_alone() -> None:
    corners = {"image_id": 7, "score": 0.5, "x0": 1, "y0": 2, "x1": 4, "y1": 6}
    numbers = {"image_id": 7, "score": 0.5, "bbox": [1, 2, 4, 6]}
    outline = {"image_id": 7, "score": 0.5, "segmentation": [[1, 2, 4, 2, 4, 6]]}
    for record in (numbers, outline):
        (box,) = boxes_of_record(record, "xyxy")
        assert isinstance(box, Box)
        assert box.row == ROW
    (box,) = boxes_of_record(corners, "xywh")
    assert isinstance(box, Box)
    assert box.row == ROW


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"image_id": 7, "bbox": [1, 2, 3]}, "bad-box"),
        ({"image_id": 7, "bbox": [1, 2, 3, 4, 5]}, "bad-box"),
        ({"image_id": 7, "bbox": "1234"}, "bad-box"),
        ({"image_id": 7, "bbox": [1, 2, 3, {}]}, "bad-box"),
        ({"image_id": 7, "bbox": None, "segmentation": []}, "bad-row"),
        ({"image_id": 7, "segmentation": [[1, 2, 3]]}, "bad-box"),
        ({"image_id": 7, "segmentation": {"size": [9, 9], "counts": "\x00"}}, "bad-box"),
        ({"image_id": 7, "bbox": [1, 2, 3, 4], "score": []}, "bad-row"),
        ({"image_id": 7, "boxes": [[1, 2, 3, 4]], "scores": [1, 2]}, "bad-row"),
        ({"image_id": [], "boxes": [], "scores": []}, "bad-row"),
        ({"image_id": 7, "segments_info": []}, "bad-row"),
        ([1, 2, 3], "bad-box"),
        (None, "bad-row"),
    ],
)
def test_what_is_no_box_is_refused_with_a_reason(record: Any, reason: str) -> None:
    (refusal,) = boxes_of_record(record)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == reason
    assert len(refusal.detail) < 200


def test_an_image_is_known_by_id_or_name_or_both() -> None:
    assert key_of({"image_id": 7, "file_name": "a.jpg"}) == ImageKey("7", "a.jpg")
    assert key_of({"image_id": None, "path": "a.jpg"}) == ImageKey(None, "a.jpg")
    assert key_of({"image": "a.jpg", "bbox": []}) == ImageKey(None, "a.jpg")
    assert key_of({"bbox": []}) is None


@pytest.mark.parametrize("value", [None, True, 1.5, [], "", 10**18, float("nan")])
def test_what_is_no_id_is_refused(value: Any) -> None:
    with pytest.raises(Refusal, match="bad-row: image_id is"):
        text_of_id(value)
