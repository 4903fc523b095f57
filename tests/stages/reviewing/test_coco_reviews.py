"""COCO's JSON: every entry is read, refused or counted."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.reviewing.coco_reviews import read_coco
from stages.reviewing.review_comparison import NO_REGION, Unread
from tests.stages.reviewing.small_export import LABELS, NAMES, Collected, write_export

if TYPE_CHECKING:
    from pathlib import Path

ANNOTATION = {"id": 1, "image_id": 40, "category_id": 9, "bbox": [16, 15, 32, 15], "iscrowd": 0}
COCO: dict[str, Any] = {
    "annotations": [ANNOTATION],
    "images": [{"id": 40, "file_name": "a/000000000003.png", "width": 64, "height": 60}],
    "categories": [{"id": 9, "name": "dog"}],
}
BOX = (NO_REGION, "dog", (16.0, 15.0, 48.0, 30.0))


def read(folder: Path, content: Any) -> Collected:
    return Collected.after(folder, "coco", read_coco, content)


def with_annotation(**changes: Any) -> dict[str, Any]:
    return COCO | {"annotations": [ANNOTATION | changes]}


def test_the_export_itself_is_read(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "out", "coco")
    (path,) = (folder / "annotations").glob("instances_*")
    collected = read(tmp_path, json.loads(path.read_text()))
    assert collected.boxes() == {
        number: [(NO_REGION, NAMES[category], box) for category, _, box in labels]
        for number, labels in LABELS.items()
    }


def test_the_order_of_the_lists_does_not_matter(tmp_path: Path) -> None:
    assert read(tmp_path, COCO).boxes() == {3: [BOX]}
    assert read(tmp_path, dict(reversed(COCO.items()))).boxes() == {3: [BOX]}


@pytest.mark.parametrize(("region", "expected"), [("2", 2), (2, 2), ("", NO_REGION)])
def test_the_region_is_read_where_cvat_wrote_it(tmp_path: Path, region: Any, expected: int) -> None:
    collected = read(tmp_path, with_annotation(attributes={"region": region, "rotation": 0.0}))
    assert collected.boxes() == {3: [(expected, *BOX[1:])]}


@pytest.mark.parametrize(
    "changes", [{"iscrowd": 1}, {"attributes": {"rotation": 30.5}}, {"iscrowd": {"a": 1}}]
)
def test_crowds_and_rotated_boxes_are_counted(tmp_path: Path, changes: dict[str, Any]) -> None:
    collected = read(tmp_path, with_annotation(**changes))
    ((_, review),) = collected.collector.reviews()
    assert (review.num_boxes, review.unread) == (0, {Unread(NO_REGION, "dog")})
    assert collected.collector.counts["unread"] == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"bbox": [16, 15, 32]}, Reason.BAD_BOX),
        ({"bbox": None}, Reason.BAD_BOX),
        ({"bbox": [16, 15, float("nan"), 3]}, Reason.BAD_BOX),
        ({"bbox": [16, 15, 10**400, 3]}, Reason.BAD_BOX),
        ({"bbox": [16, 15, 0, 3]}, Reason.EMPTY_BOX),
        ({"bbox": [164, 15, 2, 3]}, Reason.OUTSIDE_BOX),
        ({"category_id": 3}, Reason.UNKNOWN_CATEGORY),
        ({"category_id": [9]}, Reason.UNKNOWN_CATEGORY),
        ({"image_id": 41}, Reason.UNKNOWN_IMAGE),
        ({"image_id": {}}, Reason.BAD_ROW),
    ],
)
def test_what_is_no_box_is_refused(tmp_path: Path, changes: dict[str, Any], reason: Reason) -> None:
    collected = read(tmp_path, with_annotation(**changes))
    assert collected.reasons == [reason]
    assert collected.boxes() == {3: []}


def test_images_that_share_an_id_are_not_judged(tmp_path: Path) -> None:
    content = deepcopy(COCO)
    content["images"] += [{**content["images"][0], "file_name": "000000000007.png"}, 5, {"id": []}]
    collected = read(tmp_path, content)
    assert collected.reasons == [Reason.DUPLICATE_ID, Reason.BAD_ROW, Reason.BAD_ROW]
    assert collected.boxes() == {}


def test_an_image_of_another_size_is_refused_and_one_of_others_left_out(tmp_path: Path) -> None:
    content = deepcopy(COCO)
    content["images"][0]["width"] = 65
    content["images"].append({"id": 41, "file_name": "other.png"})
    content["annotations"].append(ANNOTATION | {"image_id": 41})
    collected = read(tmp_path, content)
    assert collected.reasons == [Reason.SIZE_MISMATCH]
    assert collected.collector.unknown == ["other.png"]
    assert collected.boxes() == {}


def test_an_image_without_annotations_was_judged(tmp_path: Path) -> None:
    assert read(tmp_path, COCO | {"annotations": []}).boxes() == {3: []}


@pytest.mark.parametrize("missing", COCO)
def test_captions_and_other_json_are_refused(tmp_path: Path, missing: str) -> None:
    with pytest.raises(SourceError, match=r"file.json is not COCO's JSON of instances; give"):
        read(tmp_path, {name: value for name, value in COCO.items() if name != missing})


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    read(tmp_path, COCO)
    text = (tmp_path / "file.json").read_text()
    for broken in (text[:-5], '{"images": ' + "[" * 100_000, "{", text + "x"):
        (tmp_path / "file.json").write_text(broken)
        with pytest.raises(SourceError, match=r"^cannot read .*file.json as COCO's JSON"):
            read_coco(tmp_path / "file.json", Collected.of(tmp_path / "out").collector)
