from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.coco_annotations import CocoImage, Split, read_images
from tests.stages.sources.samples import write_json

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "deep/b.jpg"}]
CATEGORIES = [{"id": 1, "name": "dog"}]


def read(folder: Path, annotations: list[Any], images: list[Any] = IMAGES) -> list[CocoImage]:
    content = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    path = write_json(folder / "instances_val.json", content)
    return read_images(Split("val", (str(path),), str(folder)))


def test_an_annotation_becomes_an_object_with_corners(tmp_path: Path) -> None:
    box = {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3.5, 4], "area": 9, "iscrowd": 1}
    first, _ = read(tmp_path, [box])
    (item,) = first.objects
    assert (item.category, item.box) == ("dog", (1, 2, 4.5, 6))
    assert (item.area, item.is_crowd) == (9, True)


@pytest.mark.parametrize("area", [None, "large", float("nan"), 10**400])
def test_an_unusable_area_is_none(tmp_path: Path, area: Any) -> None:
    box = {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "area": area}
    (item,) = read(tmp_path, [box])[0].objects
    assert item.area is None


@pytest.mark.parametrize(
    "bbox", [[1, 2, 3], [1, 2, 3, None], [1, 2, 3, True], [1, 2, 3, 10**400], "1234", None]
)
def test_a_box_that_is_not_four_finite_numbers_is_a_problem(tmp_path: Path, bbox: Any) -> None:
    image, _ = read(tmp_path, [{"image_id": 7, "category_id": 1, "bbox": bbox}])
    sentence = "annotation 0 of instances_val.json is not four finite numbers"
    assert (image.objects, image.problems) == ([], [(Reason.BAD_BOX, sentence)])


def test_captions_and_problems_name_their_annotation(tmp_path: Path) -> None:
    annotations = [
        {"image_id": 7, "caption": " a dog "},
        {"image_id": 7, "caption": 5},
        {"image_id": 7, "category_id": 2, "bbox": [0, 0, 1, 1]},
        {"image_id": 99, "caption": "of no listed image"},
    ]
    image, other = read(tmp_path, annotations)
    assert image.captions == ["a dog"]
    assert image.problems == [
        (
            Reason.BAD_CAPTION,
            "annotation 1 of instances_val.json: a caption must be text, not int",
        ),
        (
            Reason.UNKNOWN_CATEGORY,
            "annotation 2 of instances_val.json has an unlisted category",
        ),
    ]
    assert (other.captions, other.problems) == ([], [])


def test_two_files_that_list_one_file_name_describe_one_image(tmp_path: Path) -> None:
    paths = []
    for number, caption in enumerate(("a dog", "a cat")):  # each file has its own ids
        images = [{"id": number, "file_name": "a.jpg"}]
        annotations = [{"image_id": number, "caption": caption}]
        content = {"images": images, "annotations": annotations}
        paths.append(str(write_json(tmp_path / f"captions_{number}.json", content)))
    (image,) = read_images(Split("val", tuple(paths), str(tmp_path)))
    assert image.captions == ["a dog", "a cat"]


def test_an_image_has_the_id_of_its_split_folder_and_stem_and_the_size_of_its_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")
    images = [*IMAGES, {"id": 9, "coco_url": "http://images.cocodataset.org/val2017/7.jpg"}]
    read_back = read(tmp_path, [], [*images, {"id": 10, "file_name": ".jpg"}])
    assert [image.image_id for image in read_back] == ["val/a", "val/deep/b", "val/7", "val/.jpg"]
    assert [image.size for image in read_back] == [3, -1, -1, -1]


def test_masks_are_dropped_while_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    annotation = {"image_id": 7, "category_id": 1, "bbox": [1, 1, 2, 2], "segmentation": [[1.0]]}
    entries: list[Any] = []
    monkeypatch.setattr(
        "stages.sources.coco_annotations._add_annotation",
        lambda _image, entry, _categories, _where: entries.append(entry),
    )
    read(tmp_path, [annotation])
    assert entries == [{"image_id": 7, "category_id": 1, "bbox": [1, 1, 2, 2]}]


@pytest.mark.parametrize("name", [7, "", None])
def test_an_image_without_a_file_name_is_an_error(tmp_path: Path, name: Any) -> None:
    with pytest.raises(SourceError, match=r"instances_val\.json lists an image without file_name"):
        read(tmp_path, [], [{"id": 1, "file_name": name}])


@pytest.mark.parametrize("content", ["[1, 2]", "{}", '{"images": 3}', '{"images": [4]}'])
def test_a_json_without_a_list_of_images_is_not_coco(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(SourceError, match=r"x\.json is not COCO's JSON: it needs a list"):
        read_images(Split("val", (str(tmp_path / "x.json"),), str(tmp_path)))


@pytest.mark.parametrize("content", [b"{broken", b"\xff", b"[" * 100_000, None])
def test_a_file_that_is_not_json_is_named(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(SourceError, match=r"cannot read .*x\.json as JSON"):
        read_images(Split("val", (str(tmp_path / "x.json"),), str(tmp_path)))
