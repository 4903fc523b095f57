from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from stages.sources.coco_files import find_files, name_splits
from tests.stages.sources.samples import write_images, write_json

if TYPE_CHECKING:
    from pathlib import Path

COCO = {"images": [], "annotations": [], "categories": []}


def splits(root: Path, *jsons: str) -> dict[str, list[str]]:
    """The names of the files of each split."""
    for name in jsons:
        write_json(root / name, COCO)
    named = name_splits(root, find_files(root))
    return {split: [path.name for path in paths] for split, paths in named.items()}


def test_official_names_come_first_and_other_files_are_told(tmp_path: Path) -> None:
    unread = (
        "person_keypoints_val.json",
        "panoptic_val.json",
        "stuff_val.json",
        "lvis_v1_val.json",
    )
    found = splits(
        tmp_path,
        *(f"annotations/{name}" for name in unread),
        *("annotations/captions_val.json", "annotations/instances_val.json"),
    )
    assert found == {"val": ["captions_val.json", "instances_val.json"]}
    (tmp_path / "annotations/notes.json").write_text("[]")
    kinds = {path.name: what for path, what in find_files(tmp_path).unread.items()}
    assert kinds == {
        "person_keypoints_val.json": "keypoints",
        "panoptic_val.json": "panoptic segments",
        "stuff_val.json": "stuff",
        "lvis_v1_val.json": "another layout of COCO",
        "notes.json": "another kind",
    }


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("annotations/lvis_v1_val.json", "val"),
        ("annotations/train.json", "train"),
        ("annotations/instances_default.json", "default"),
        ("annotations/image_info_test2017.json", "test2017"),
        ("annotations/bottles.json", "bottles"),
        ("annotations/my_photos.json", "photos"),  # there is a folder images/photos
        ("annotations.json", "set"),
        ("_annotations.coco.json", "set"),
        ("labels/train.json", "train"),
    ],
)
def test_the_name_of_a_file_tells_its_split(tmp_path: Path, name: str, split: str) -> None:
    (tmp_path / "set/images/photos").mkdir(parents=True)
    assert list(splits(tmp_path / "set", name)) == [split]


def test_files_beside_the_images_of_a_split_belong_to_it(tmp_path: Path) -> None:
    write_images(tmp_path, ["train/a.jpg", "valid/a.jpg"])
    assert splits(tmp_path, "train/_annotations.coco.json", "valid/labels.json") == {
        "train": ["_annotations.coco.json"],
        "valid": ["labels.json"],
    }


def test_two_files_of_one_word_are_two_splits_unless_their_names_say_nothing(
    tmp_path: Path,
) -> None:
    found = splits(tmp_path / "a", "annotations/lvis_v1_val.json", "annotations/lvis_v2_val.json")
    assert list(found) == ["lvis_v1_val", "lvis_v2_val"]
    assert list(splits(tmp_path / "b", "captions.json", "instances.json")) == ["b"]


def test_masks_beside_annotations_are_no_images(tmp_path: Path) -> None:
    write_images(tmp_path, ["annotations/panoptic_val/1.png"])
    assert list(splits(tmp_path, "annotations/instances_val.json")) == ["val"]


def test_a_file_is_known_by_its_ends_however_big_it_is(tmp_path: Path) -> None:
    head = json.dumps({"info": {}, "annotations": [{"image_id": 1}] * 3})[:-1]
    tail = ', "categories": []}'
    path = tmp_path / "big.json"
    path.write_text(head + " " * (3 << 20) + tail)
    assert find_files(tmp_path).chosen == (path,)
    path.write_text("[" + head + tail + "]")
    assert find_files(tmp_path).unread == {path: "another kind"}


def test_one_json_for_each_image_is_not_looked_at(tmp_path: Path) -> None:
    for number in range(21):
        write_json(tmp_path / f"{number}.json", COCO)
    assert not find_files(tmp_path).has_annotations
