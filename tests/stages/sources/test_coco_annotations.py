from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from schemas.quarantine import Reason
from stages.sources.coco_annotations import SplitContent, read_split
from stages.sources.coco_image import CocoImage, Split
from stages.sources.image_folder import ImageFolder
from tests.stages.sources.samples import write_json

if TYPE_CHECKING:
    from pathlib import Path

IMAGES = [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "deep/b.jpg"}]
CATEGORIES = [{"id": 1, "name": "dog"}]
NO_BBOX = "it has no bbox, and no mask to make one of"


def content(folder: Path, annotations: list[Any], images: list[Any] = IMAGES) -> SplitContent:
    listed = {"images": images, "annotations": annotations, "categories": CATEGORIES}
    path = write_json(folder / "instances_val.json", listed)
    return read_split(Split("val", (str(path),), str(folder)), ImageFolder(str(folder)))


def read(folder: Path, annotations: list[Any], images: list[Any] = IMAGES) -> list[CocoImage]:
    return list(content(folder, annotations, images).images.values())


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
    "bbox", [[1, 2, 3], [1, 2, 3, None], [1, 2, 3, True], [1, 2, 3, 10**400], "1234", None, []]
)
def test_a_box_that_is_not_four_finite_numbers_is_a_problem(tmp_path: Path, bbox: Any) -> None:
    detail = "its bbox is not four finite numbers" if bbox else NO_BBOX
    image, _ = read(tmp_path, [{"image_id": 7, "category_id": 1, "bbox": bbox}])
    sentence = f"annotation 0 of instances_val.json: {detail}"
    assert (image.objects, image.problems) == ([], [(Reason.BAD_BOX, sentence)])


def test_captions_and_problems_name_their_annotation(tmp_path: Path) -> None:
    annotations = [
        {"image_id": 7, "caption": " a dog "},
        {"image_id": 7, "caption": 5},
        {"image_id": 7, "category_id": 2, "bbox": [0, 0, 1, 1]},
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
            "annotation 2 of instances_val.json: its category is not listed",
        ),
    ]
    assert (other.captions, other.problems) == ([], [])


def test_two_files_that_list_one_file_name_describe_one_image(tmp_path: Path) -> None:
    paths = []
    for number, caption in enumerate(("a dog", "a cat")):  # each file has its own ids
        images = [{"id": number, "file_name": "a.jpg"}]
        annotations = [{"image_id": number, "caption": caption}]
        listed = {"images": images, "annotations": annotations}
        paths.append(str(write_json(tmp_path / f"captions_{number}.json", listed)))
    split = Split("val", tuple(paths), str(tmp_path))
    (image,) = read_split(split, ImageFolder(str(tmp_path))).images.values()
    assert image.captions == ["a dog", "a cat"]
    assert image.source_id == "0"


def test_an_image_has_the_id_of_its_split_folder_and_stem_and_the_size_of_its_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")
    images = [*IMAGES, {"id": 9, "coco_url": "http://images.cocodataset.org/val2017/7.jpg"}]
    read_back = read(tmp_path, [], [*images, {"id": 10, "file_name": ".jpg"}])
    others = ["val/val2017/7", "val/.jpg"]
    assert [image.image_id for image in read_back] == ["val/a", "val/deep/b", *others]
    assert [image.size for image in read_back] == [3, -1, -1, -1]


@pytest.mark.parametrize("image_id", [7, 7.0, "7", " 07 "])
@pytest.mark.parametrize("listed_id", [7, 7.0, "7"])
def test_ids_that_are_the_same_number_are_the_same_id(
    tmp_path: Path, image_id: Any, listed_id: Any
) -> None:
    box = {"image_id": image_id, "category_id": "1", "bbox": [1, 2, 3, 4]}
    (image,) = read(tmp_path, [box], [{"id": listed_id, "file_name": "a.jpg"}])
    assert (image.source_id, len(image.objects)) == ("7", 1)


@pytest.mark.parametrize(
    ("annotation", "reason", "detail"),
    [
        ({"image_id": 99, "caption": "x"}, Reason.UNKNOWN_IMAGE, "image 99 is not listed"),
        ({"image_id": None, "caption": "x"}, Reason.UNKNOWN_IMAGE, "it names no image_id"),
        ({"caption": "x"}, Reason.UNKNOWN_IMAGE, "it names no image_id"),
        (None, Reason.BAD_ROW, "it is not an object"),
    ],
)
def test_an_annotation_of_no_image_is_a_problem_of_its_own(
    tmp_path: Path, annotation: Any, reason: Reason, detail: str
) -> None:
    (problem,) = content(tmp_path, [annotation]).problems
    assert problem.record == "val/instances_val.json#annotation0"
    assert problem.reason == reason
    assert problem.detail == f"annotation 0 of instances_val.json: {detail}"


def test_images_that_share_an_id_are_refused_and_so_are_their_annotations(tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "a.jpg"}, {"id": "7", "file_name": "b.jpg"}]
    held = content(tmp_path, [{"image_id": 7, "caption": "of which?"}], images)
    refusals = [image.refusal for image in held.images.values()]
    assert [refusal and refusal.reason for refusal in refusals] == [Reason.MISSING_IMAGE] * 2
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"abc")
    held = content(tmp_path, [{"image_id": 7, "caption": "of which?"}], images)
    refusals = [image.refusal for image in held.images.values()]
    assert [refusal and refusal.reason for refusal in refusals] == [Reason.DUPLICATE_ID] * 2
    assert [problem.reason for problem in held.problems] == [Reason.AMBIGUOUS_ID]


def test_an_image_that_is_listed_twice_is_one_image_and_counted(tmp_path: Path) -> None:
    held = content(tmp_path, [], [*IMAGES, {"id": 9, "file_name": "./a.jpg"}])
    assert [image.source_id for image in held.images.values()] == ["7", "8"]
    assert held.repeated == 1


def test_the_id_of_the_file_with_categories_is_kept(tmp_path: Path) -> None:
    listed = {"images": [{"id": 1, "file_name": "a.jpg"}]}
    boxes = {"images": [{"id": 2, "file_name": "a.jpg"}], "categories": CATEGORIES}
    paths = [write_json(tmp_path / "c.json", listed), write_json(tmp_path / "i.json", boxes)]
    for files in (paths, paths[::-1]):
        split = Split("val", tuple(map(str, files)), str(tmp_path))
        (image,) = read_split(split, ImageFolder(str(tmp_path))).images.values()
        assert image.source_id == "2"


@pytest.mark.parametrize("entry", [{"id": 1, "file_name": 7}, {"id": 1}, 4, None])
def test_an_entry_without_a_file_name_is_a_problem_and_the_others_stay(
    tmp_path: Path, entry: Any
) -> None:
    held = content(tmp_path, [], [entry, *IMAGES])
    assert len(held.images) == 2
    (problem,) = held.problems
    assert problem.record == "val/instances_val.json#image0"
    assert (problem.reason, problem.detail) == (
        Reason.BAD_ROW,
        "image 0 of instances_val.json: it has no file_name",
    )


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        ({"image_id": 7}, Reason.BAD_ROW),
        ({"image_id": 7, "caption": " "}, Reason.BAD_CAPTION),
        ({"image_id": 7, "caption": None}, Reason.BAD_CAPTION),
        ({"image_id": 7, "category_id": 1}, Reason.BAD_BOX),
        ({"image_id": 7, "bbox": [1, 1, 2, 2]}, Reason.UNKNOWN_CATEGORY),
    ],
)
def test_an_annotation_that_holds_nothing_usable_is_a_problem(
    tmp_path: Path, annotation: Any, reason: Reason
) -> None:
    image, _ = read(tmp_path, [annotation])
    assert [problem[0] for problem in image.problems] == [reason]


def test_categories_that_share_a_name_are_one_and_said(tmp_path: Path) -> None:
    listed = {"images": IMAGES, "categories": [*CATEGORIES, {"id": 5, "name": "dog"}]}
    boxes = [{"image_id": 7, "category_id": n, "bbox": [1, 1, 2, 2]} for n in (1, 5)]
    path = write_json(tmp_path / "x.json", {**listed, "annotations": boxes})
    held = read_split(Split("val", (str(path),), str(tmp_path)), ImageFolder(str(tmp_path)))
    assert [thing.category for thing in held.images["a.jpg"].objects] == ["dog", "dog"]
    assert held.remarks == ["val/x.json has several categories called dog"]


def test_categories_that_only_look_like_one_are_said_with_their_code_points(
    tmp_path: Path,
) -> None:
    names = ("caf\u00e9", "cafe\u0301", None)
    categories = [{"id": number, "name": name} for number, name in enumerate(names)]
    path = write_json(tmp_path / "x.json", {"images": IMAGES, "categories": categories})
    held = read_split(Split("val", (str(path),), str(tmp_path)), ImageFolder(str(tmp_path)))
    assert held.remarks == [
        "val/x.json has 'caf\u00e9' (U+00E9) and 'cafe\u0301' (U+0301), which look alike "
        "(names 1 and 2)"
    ]
