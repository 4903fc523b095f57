from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import SourceError
from stages.sources.coco_json import Categories, frame_of, load_json, written_name
from tests.stages.sources.samples import write_json

if TYPE_CHECKING:
    from pathlib import Path


def test_masks_are_dropped_while_reading_and_leave_a_box_only_where_there_is_none(
    tmp_path: Path,
) -> None:
    mask = [[1, 2, 5, 2, 5, 4]]
    annotations = [
        {"image_id": 7, "category_id": 1, "bbox": [1, 1, 2, 2], "segmentation": mask, "id": 3},
        {"image_id": 7, "category_id": 1, "segmentation": mask},
        {"image_id": 7, "bbox": None, "segmentation": {"size": [3, 4], "counts": [4, 1, 7]}},
    ]
    path = write_json(tmp_path / "x.json", {"images": [], "annotations": annotations})
    assert load_json(str(path)).annotations == [
        {"image_id": 7, "category_id": 1, "bbox": [1, 1, 2, 2]},
        {"image_id": 7, "category_id": 1, "box of the mask": (1, 2, 4, 2)},
        {"image_id": 7, "bbox": None, "box of the mask": (1, 1, 1, 1)},
    ]


@pytest.mark.parametrize(
    "content", ["[1, 2]", "{}", '{"images": 3}', '{"images": [], "annotations": {"a": 1}}', "null"]
)
def test_a_json_without_a_list_of_images_is_not_coco(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(SourceError, match=r"x\.json is not COCO's JSON: it needs a list"):
        load_json(str(tmp_path / "x.json"))


@pytest.mark.parametrize("content", [b"{broken", b"\xff", b"[" * 100_000, None])
def test_a_file_that_is_not_json_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(SourceError, match=r"cannot read .*x\.json as JSON"):
        load_json(str(tmp_path / "x.json"))


def test_panoptic_segments_are_named_as_what_they_are(tmp_path: Path) -> None:
    annotation = {"image_id": 7, "segments_info": [{"id": 1}], "file_name": "7.png"}
    path = write_json(tmp_path / "x.json", {"images": [], "annotations": [annotation]})
    with pytest.raises(SourceError, match=r"x\.json holds panoptic segments"):
        load_json(str(path))


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ({"file_name": "a.jpg", "coco_url": "http://x/b.jpg"}, "a.jpg"),
        ({"file_name": "", "coco_url": "http://x/train2017/b.jpg?size=1"}, "train2017/b.jpg"),
        ({"flickr_url": "https://x/1/c.jpg"}, "1/c.jpg"),
        ({"file_name": "https://x/d.jpg"}, "d.jpg"),
        ({"file_name": "http://[broken"}, "http://[broken"),
        ({"file_name": 7}, None),
        ({"coco_url": "http://x/"}, None),
        ([], None),
    ],
)
def test_an_image_is_named_by_its_file_or_by_a_url(entry: Any, name: str | None) -> None:
    assert written_name(entry) == name


def test_a_size_is_two_numbers_above_zero() -> None:
    assert frame_of({"width": "640", "height": 480.0}) == (640, 480)
    for width in (0, -1, None, "wide", float("nan")):
        assert frame_of({"width": width, "height": 480}) is None


def test_a_category_has_one_name_or_a_reason_why_it_has_none() -> None:
    entries = [
        {"id": 0, "name": " person "},
        {"id": "3", "name": 12},
        {"id": 5, "supercategory": "x"},
        *({"id": 6, "name": "cat"}, {"id": 6.0, "name": "dog"}),
        *({"id": 8, "name": "person"}, "nonsense", {"name": "of no id"}),
    ]
    categories = Categories(entries)
    assert [categories.find(value)[0] for value in (0, "0", 0.0, 3)] == ["person"] * 3 + ["12"]
    assert categories.find(5) == (None, "its category, 5, has no name")
    assert categories.find(6) == (None, "several categories have its category_id, 6")
    for unlisted in (9, None, True):
        assert categories.find(unlisted) == (None, "its category is not listed")
    assert categories.shared == ["person"]
