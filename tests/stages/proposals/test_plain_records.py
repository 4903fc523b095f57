"""Plain records are read at once as they are one by one; others are left to the reader of one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stages.proposals import boxes_json
from stages.proposals.box_records import Box, boxes_of_record
from stages.proposals.boxes_json import read_json
from stages.proposals.plain_records import plain_boxes

if TYPE_CHECKING:
    from pathlib import Path

    from schemas.box_forms import BoxLayout

PLAIN = {"image_id": 7, "bbox": [1, 2.5, 3, 4], "score": 0.5}


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def some_records(rng: np.random.Generator, count: int, *, scored: bool) -> list[dict[str, Any]]:
    """Plain records of images that come and go, with numbers of every size."""
    ids = [3, "3", "b/ü 空.jpg", 10**17, 0]
    records = []
    for _ in range(count):
        numbers = (rng.normal(size=4) * 10.0 ** rng.integers(-3, 39)).tolist()
        record: dict[str, Any] = {"bbox": numbers, "image_id": ids[rng.integers(len(ids))]}
        if rng.random() < 0.3:
            record["bbox"] = [int(n) for n in numbers]
        if rng.random() < 0.5:
            record |= {"category_id": "any", "id": None, "area": [], "segmentation": {}}
        records.append({**record, "score": rng.random()} if scored else record)
    return records


@pytest.mark.parametrize("layout", ["xywh", "xyxy"])
@pytest.mark.parametrize("scored", [False, True])
def test_many_are_read_as_one(rng: np.random.Generator, layout: BoxLayout, *, scored: bool) -> None:
    records = some_records(rng, 200, scored=scored)
    found = plain_boxes(records, layout)
    assert found is not None
    expected = [box for record in records for box in boxes_of_record(record, layout)]
    assert [found.keys[owner] for owner in found.owners] == [
        box.key for box in expected if isinstance(box, Box)
    ]
    rows = np.array([box.row for box in expected if isinstance(box, Box)])
    np.testing.assert_array_equal(found.rows, rows)


@pytest.mark.parametrize(
    "other",
    [
        *(7, None, [1, 2, 3, 4], {}, {"image_id": 7}, {"bbox": [1, 2, 3, 4], "score": 1}),
        *({**PLAIN, "bbox": box} for box in ([1, 2, 3], [1, 2, 3, "4"], [1, 2, 3, None], "1234")),
        *({**PLAIN, "bbox": box} for box in ([1, 2, 3, True], [1, 2, 3, 10**400], {"0": 1})),
        *({**PLAIN, "score": score} for score in (None, "0.5", True, [1], 10**400)),
        *({**PLAIN, "image_id": image} for image in (None, 7.0, True, "", 10**18, "\ud800", [])),
        *({**PLAIN, name: 0} for name in ("bbox_mode", "file_name", "boxes", "instances", "conf")),
        {"image_id": 7, "bbox": [1, 2, 3, 4]},
    ],
)
def test_none_of_many_is_plain_if_one_is_not(other: Any) -> None:
    assert plain_boxes([PLAIN, PLAIN], "xywh") is not None
    for records in ([PLAIN, other], [other, PLAIN]):
        assert plain_boxes(records, "xywh") is None


def test_a_file_of_plain_and_other_records_is_read_as_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    monkeypatch.setattr("stages.sources.json_records._CHUNK", 700)
    monkeypatch.setattr(boxes_json, "_MANY", 2)
    records: list[Any] = [*some_records(rng, 60, scored=True), *some_records(rng, 60, scored=True)]
    for place in (20, 50, 55):
        records[place] = {**records[place], "bbox": [1, 2, "x", 4]}
    records[70] = {"image_id": "new", "boxes": [[1, 2, 4, 8]], "scores": [0.25]}
    (tmp_path / "boxes.json").write_text(json.dumps({"annotations": records, "info": {}}))
    fast = read_json(tmp_path / "boxes.json")
    monkeypatch.setattr(boxes_json, "plain_boxes", lambda *_: None)
    slow = read_json(tmp_path / "boxes.json")
    assert fast.keys == slow.keys
    assert (fast.layout, fast.bad.count, len(fast)) == (slow.layout, slow.bad.count, len(slow))
    assert [bad.record for bad in fast.bad.listed] == [bad.record for bad in slow.bad.listed]
    for place in range(len(fast.keys)):
        for ours, theirs in zip(fast.boxes(place), slow.boxes(place), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    assert fast.bad.count == 3
