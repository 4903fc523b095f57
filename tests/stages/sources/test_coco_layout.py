from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import SourceError
from stages.sources.coco_layout import find_splits, is_coco, pair_splits
from stages.sources.record import LeftOut
from tests.stages.sources.samples import write_images, write_json

COCO = {"images": [], "annotations": [], "categories": []}


def folders(root: Path, *jsons: str) -> dict[str, str]:
    """The folder of images of each split, seen from the root."""
    for name in jsons:
        write_json(root / name, COCO)
    splits = find_splits(str(root), ()).splits
    return {split.name: str(Path(split.folder).relative_to(root)) for split in splits}


@pytest.mark.parametrize("folder", ["images/val", "val", "data/val"])
def test_a_split_has_the_folder_of_its_name(tmp_path: Path, folder: str) -> None:
    write_images(tmp_path / folder, ["a.jpg"])
    assert folders(tmp_path, "annotations/instances_val.json") == {"val": folder}


def test_a_split_without_such_a_folder_has_all_images_around(tmp_path: Path) -> None:
    write_images(tmp_path / "images", ["train2017/1.jpg", "val2017/2.jpg"])
    assert folders(tmp_path, "annotations/lvis_v1_val.json") == {"val": "images"}
    (split,) = find_splits(str(tmp_path), ()).splits
    assert split.is_shared


def test_a_split_whose_only_images_are_those_of_others_is_left_out_and_named(
    tmp_path: Path,
) -> None:
    write_images(tmp_path / "images/val", ["a.jpg"])
    jsons = ("annotations/instances_val.json", "annotations/instances_train.json")
    assert folders(tmp_path, *jsons) == {"val": "images/val"}
    assert find_splits(str(tmp_path), ()).seen.remarks == (
        "split train is left out: no folder train or images/train is there",
    )
    with pytest.raises(SourceError, match="no split 'train' with JSON and images"):
        find_splits(str(tmp_path), ("train",))


def test_what_is_recognised_and_not_read_is_counted_and_named(tmp_path: Path) -> None:
    write_images(tmp_path / "val", ["a.jpg"])
    write_json(tmp_path / "annotations/person_keypoints_val.json", COCO)
    write_json(tmp_path / "annotations/notes.json", {"a": 1})
    assert list(folders(tmp_path, "annotations/captions_val.json")) == ["val"]
    seen = find_splits(str(tmp_path), ()).seen
    assert seen.left_out == (
        LeftOut("JSON file of another kind"),
        LeftOut("JSON file of keypoints"),
    )
    assert seen.remarks == ("not read: annotations/person_keypoints_val.json (keypoints)",)


def test_annotations_that_are_not_read_are_never_passed_over(tmp_path: Path) -> None:
    write_images(tmp_path / "val", ["a.jpg"])
    write_json(tmp_path / "annotations/panoptic_val.json", COCO)
    assert is_coco(str(tmp_path))
    with pytest.raises(SourceError, match=r"panoptic segments are not read.*--kind folder"):
        find_splits(str(tmp_path), ())


def test_a_folder_around_a_coco_folder_is_as_good(tmp_path: Path) -> None:
    write_images(tmp_path / "inner", ["train/a.jpg", "valid/a.jpg"])
    jsons = [f"inner/{split}/_annotations.coco.json" for split in ("train", "valid")]
    assert folders(tmp_path, *jsons) == {"train": "inner/train", "valid": "inner/valid"}
    write_json(tmp_path / "second/annotations/instances_val.json", COCO)
    with pytest.raises(SourceError, match="holds several COCO folders; name one"):
        find_splits(str(tmp_path), ())


def test_images_alone_and_other_json_are_not_coco(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg", "train/b.jpg"])
    write_json(tmp_path / "dataset.json", {"images": [{"sentences": []}], "dataset": "coco"})
    assert not is_coco(str(tmp_path))


def test_files_named_one_by_one_belong_to_the_folder_of_their_name(tmp_path: Path) -> None:
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
    paths = [str(tmp_path / name) for name in ("train", "val", "x_val.json", "x_train.json")]
    splits = pair_splits(paths, ()).splits
    assert [(split.name, split.jsons) for split in splits] == [
        ("train", (str(tmp_path / "x_train.json"),)),
        ("val", (str(tmp_path / "x_val.json"),)),
    ]
