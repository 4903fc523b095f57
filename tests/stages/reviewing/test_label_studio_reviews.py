"""Label Studio's JSON: every kind of result, and what is none."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.reviewing.label_studio_reviews import read_label_studio
from stages.reviewing.review_comparison import NO_REGION, Unread
from tests.stages.reviewing.small_export import Collected

if TYPE_CHECKING:
    from pathlib import Path

VALUE = {"x": 25.0, "y": 25.0, "width": 50.0, "height": 25.0, "rectanglelabels": ["dog"]}
ITEM = {"id": "3-0", "type": "rectanglelabels", "value": VALUE, "original_width": 64}
BOX = (0, "dog", (16.0, 15.0, 48.0, 30.0))


def read(folder: Path, *items: Any, **annotation: Any) -> Collected:
    """One task with one annotation."""
    task = {"data": {"image_id": "image/3"}, "annotations": [{"result": [*items], **annotation}]}
    return read_tasks(folder, [task])


def read_tasks(folder: Path, tasks: Any) -> Collected:
    return Collected.after(folder, "label-studio", read_label_studio, tasks)


def changed(**values: Any) -> dict[str, Any]:
    item = deepcopy(ITEM)
    item["value"] = VALUE | values
    return item


def test_an_upright_rectangle_is_a_box_in_pixels(tmp_path: Path) -> None:
    collected = read(tmp_path, ITEM, changed(rotation=0), changed(rotation=360.0))
    assert collected.boxes() == {3: [BOX] * 3}
    assert collected.refused == []


@pytest.mark.parametrize(
    ("item", "unread"),
    [
        (changed(rotation=10), Unread(0, "dog")),
        (changed(rotation="x"), Unread(0, "dog")),
        (ITEM | {"image_rotation": 90}, Unread(0, "dog")),
        (
            {"id": "3-0", "type": "polygonlabels", "value": {"polygonlabels": ["cat"]}},
            Unread(0, "cat"),
        ),
        ({"id": "zz", "type": "brush", "value": {}}, Unread(NO_REGION, None)),
        ({"id": "7-0", "type": "ellipselabels"}, Unread(NO_REGION, None)),
    ],
)
def test_other_shapes_are_counted_and_may_be_a_label(
    tmp_path: Path, item: dict[str, Any], unread: Unread
) -> None:
    collected = read(tmp_path, item)
    ((_, review),) = collected.collector.reviews()
    assert (review.num_boxes, review.unread) == (0, {unread})
    assert collected.collector.counts["unread"] == 1
    assert collected.refused == []


def test_answers_are_counted_and_those_about_a_region_keep_it_from_being_deleted(
    tmp_path: Path,
) -> None:
    answers = (
        {"id": "ab", "type": "choices", "value": {"choices": ["dog"]}},
        {"id": "3-1", "type": "textarea", "value": {"text": ["hidden"]}},
        {"type": "relation", "from_id": "3-0", "to_id": "3-1"},
        {"type": ["rectanglelabels"], "id": 5, "value": 7},
    )
    collected = read(tmp_path, *answers)
    ((_, review),) = collected.collector.reviews()
    assert review.unread == {Unread(1, None)}
    assert collected.collector.counts["answers"] == 4


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"x": "a"}, Reason.BAD_BOX),
        ({"width": float("nan")}, Reason.BAD_BOX),
        ({"width": 10**400}, Reason.BAD_BOX),
        ({"x": 1e308, "width": 1e308}, Reason.BAD_BOX),
        ({"width": 0}, Reason.EMPTY_BOX),
        ({"x": 200}, Reason.OUTSIDE_BOX),
        ({"rectanglelabels": []}, Reason.UNKNOWN_CATEGORY),
        ({"rectanglelabels": ["dog", "cat"]}, Reason.UNKNOWN_CATEGORY),
        ({"rectanglelabels": [["dog"]]}, Reason.UNKNOWN_CATEGORY),
        ({"rectanglelabels": "dog"}, Reason.UNKNOWN_CATEGORY),
    ],
)
def test_what_is_no_box_is_refused_and_its_label_not_deleted(
    tmp_path: Path, values: dict[str, Any], reason: Reason
) -> None:
    collected = read(tmp_path, changed(**values))
    ((_, review),) = collected.collector.reviews()
    assert collected.reasons == [reason]
    assert {one.region for one in review.unread} == {0}
    assert collected.refused[0][0] == "file.json: task 1, annotation 1, result 1"


def test_an_image_is_found_by_its_picture_where_the_id_is_gone(tmp_path: Path) -> None:
    data = {"image": "/data/local-files/?d=images/train/000000000003.png"}
    annotation = {"result": [ITEM], "completed_by": {"id": 5, "email": ""}}
    collected = read_tasks(tmp_path, [{"data": data, "annotations": [annotation]}])
    assert [reviewer for reviewer, _ in collected.collector.reviews()] == ["5"]
    assert collected.boxes() == {3: [BOX]}


def test_annotations_that_are_none_are_refused_and_the_others_read(tmp_path: Path) -> None:
    good = {"data": {"image_id": "image/3"}, "annotations": [{"result": [ITEM, 5]}]}
    bad = [
        {"data": {"image_id": "image/7"}, "annotations": [7, {}, {"result": {}}]},
        {"data": {"image_id": "image/7"}, "annotations": "x"},
        {"data": {"image_id": "image/7"}},
        "task",
        {"annotations": []},
    ]
    collected = read_tasks(tmp_path, [good, *bad])
    assert collected.boxes() == {3: [BOX]}
    assert collected.reasons == [Reason.BAD_ROW] * 7
    assert collected.collector.num_without_review == 1


def test_cancelled_annotations_are_left_out(tmp_path: Path) -> None:
    collected = read(tmp_path, ITEM, was_cancelled=True)
    assert list(collected.collector.reviews()) == []
    assert collected.collector.counts["cancelled"] == 1


@pytest.mark.parametrize(
    "tasks",
    [
        [{"image": "a.jpg", "label": [{"x": 1}], "annotator": 1, "annotation_id": 2}],
        [[]],
        [1],
    ],
)
def test_a_list_of_other_things_such_as_json_min_is_refused(tmp_path: Path, tasks: Any) -> None:
    with pytest.raises(SourceError, match=r"as Label Studio's JSON-MIN is none; export the proj"):
        read_tasks(tmp_path, tasks)


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    read(tmp_path, ITEM)
    text = (tmp_path / "file.json").read_text()
    for broken in (text[:-5], "[" * 100_000, '[{"data": {}}, {"a": ' + "9" * 5000 + "}]"):
        (tmp_path / "file.json").write_text(broken)
        with pytest.raises(SourceError, match=r"^cannot read .*file.json as Label Studio's JSON"):
            read_label_studio(tmp_path / "file.json", Collected.of(tmp_path / "out").collector)
