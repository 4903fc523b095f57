from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from schemas.errors import OptionError
from stages.synthetic.categories import BASE, CATEGORIES, NOVEL
from stages.synthetic.dataset_writers import write_pictures, write_scenes, write_web_images
from stages.synthetic.rendering import render_scene, render_web_image

if TYPE_CHECKING:
    from pathlib import Path


def test_a_tar_holds_image_caption_and_record_of_each_key(tmp_path: Path) -> None:
    paths = write_web_images(tmp_path, count=5, seed=2, shard_size=3)
    assert [path.name for path in paths] == ["00000.tar", "00001.tar"]
    with tarfile.open(paths[1]) as tar:
        assert tar.getnames() == [
            f"00001000{position}.{suffix}"
            for position in (0, 1)
            for suffix in ("jpg", "json", "txt")
        ]
        content = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    expected = render_web_image(2, 3)
    record = json.loads(content["000010000.json"])
    assert content["000010000.txt"].decode() == record["caption"] == expected.captions[0]
    assert (record["key"], record["status"]) == ("000010000", "success")
    assert (record["width"], record["height"]) == (96, 96)
    decoded = np.asarray(Image.open(io.BytesIO(content["000010000.jpg"])), dtype=float)
    assert np.abs(decoded - expected.image).mean() < 6


@pytest.mark.slow
def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_web_images(tmp_path / folder, count=3, seed=1)
        write_scenes(tmp_path / folder, "val", count=2, seed=1)
    first = sorted(path for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(first) == 1 + 2 + 5
    for path in first:
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes()


def test_no_unfinished_file_is_left(tmp_path: Path) -> None:
    write_web_images(tmp_path, count=2, seed=1)
    write_scenes(tmp_path, "val", count=1, seed=1)
    assert not list(tmp_path.rglob("*.tmp"))


@pytest.mark.slow
def test_a_coco_folder_holds_the_boxes_and_captions_of_the_scenes(tmp_path: Path) -> None:
    write_scenes(tmp_path, "train", count=3, seed=4)
    instances = json.loads((tmp_path / "annotations/instances_train.json").read_text())
    captions = json.loads((tmp_path / "annotations/captions_train.json").read_text())
    names = {row["id"]: row["name"] for row in instances["categories"]}
    assert list(names.values()) == [c.name for c in CATEGORIES]
    for image in instances["images"]:
        expected = render_scene(4, image["id"])
        rows = [row for row in instances["annotations"] if row["image_id"] == image["id"]]
        assert tuple(names[row["category_id"]] for row in rows) == expected.categories
        corners = [[x, y, x + w, y + h] for x, y, w, h in (row["bbox"] for row in rows)]
        np.testing.assert_allclose(corners, expected.boxes)
        assert all(row["area"] == row["bbox"][2] * row["bbox"][3] for row in rows)
        texts = [
            row["caption"] for row in captions["annotations"] if row["image_id"] == image["id"]
        ]
        assert tuple(texts) == expected.captions
        with Image.open(tmp_path / "images/train" / image["file_name"]) as image_file:
            assert image_file.size == (image["width"], image["height"]) == (320, 256)


@pytest.mark.slow
def test_pictures_show_one_object_whose_box_is_the_whole_picture(tmp_path: Path) -> None:
    write_pictures(tmp_path, "whole", count=6, seed=4)
    instances = json.loads((tmp_path / "annotations/instances_whole.json").read_text())
    names = {row["id"]: row["name"] for row in instances["categories"]}
    web = (render_web_image(4, index) for index in range(30))
    single = [picture for picture in web if len(picture.categories) == 1][:6]
    rows = instances["annotations"]
    assert [names[row["category_id"]] for row in rows] == [p.categories[0] for p in single]
    assert [row["image_id"] for row in rows] == list(range(6))
    assert {tuple(row["bbox"]) for row in rows} == {(0, 0, 96, 96)}
    with Image.open(tmp_path / "images/whole/000003.jpg") as image:
        assert abs(np.asarray(image, float) - single[3].image).mean() < 4


@pytest.mark.slow
def test_annotation_ids_are_unique(tmp_path: Path) -> None:
    write_scenes(tmp_path, "train", count=4, seed=4)
    for kind in ("instances", "captions"):
        rows = json.loads((tmp_path / f"annotations/{kind}_train.json").read_text())["annotations"]
        assert len({row["id"] for row in rows}) == len(rows) > 0


def test_a_second_split_keeps_the_first_and_the_base_and_novel_names(tmp_path: Path) -> None:
    write_scenes(tmp_path, "train", count=1, seed=4)
    write_scenes(tmp_path, "val", count=1, seed=5)
    assert (tmp_path / "images/train/000000.jpg").exists()
    assert (tmp_path / "images/val/000000.jpg").exists()
    splits = json.loads((tmp_path / "splits.json").read_text())
    assert splits == {"base": list(BASE), "novel": list(NOVEL)}


@pytest.mark.slow
def test_progress_is_reported_after_every_image(tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    write_web_images(tmp_path, 3, 0, progress=lambda done, count: reported.append((done, count)))
    write_scenes(tmp_path, "val", 2, 0, progress=lambda done, count: reported.append((done, count)))
    assert reported == [(1, 3), (2, 3), (3, 3), (1, 2), (2, 2)]


def test_a_count_of_zero_writes_an_empty_dataset(tmp_path: Path) -> None:
    assert write_web_images(tmp_path, count=0, seed=0) == []
    write_scenes(tmp_path, "empty", count=0, seed=0)
    assert json.loads((tmp_path / "annotations/instances_empty.json").read_text())["images"] == []


def test_a_shard_size_of_more_than_four_digits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="10,000"):
        write_web_images(tmp_path, 1, 0, shard_size=10_001)


def test_the_boxes_file_is_the_ground_truth_with_score_one(tmp_path: Path) -> None:
    write_scenes(tmp_path, "val", count=2, seed=6)
    boxes = json.loads((tmp_path / "boxes_val.json").read_text())
    instances = json.loads((tmp_path / "annotations/instances_val.json").read_text())
    keys = ("image_id", "bbox")
    assert [[box[key] for key in keys] for box in boxes] == [
        [row[key] for key in keys] for row in instances["annotations"]
    ]
    assert {box["score"] for box in boxes} == {1.0}


def test_the_categories_file_lists_base_then_novel_names(tmp_path: Path) -> None:
    write_scenes(tmp_path, "val", count=0, seed=0)
    names = (tmp_path / "categories.txt").read_text().splitlines()
    assert names == [*BASE, *NOVEL]
    assert sorted(names) == sorted(category.name for category in CATEGORIES)


def test_sizes_are_passed_to_the_images(tmp_path: Path) -> None:
    (tar_path,) = write_web_images(tmp_path, 1, 0, size=40)
    write_scenes(tmp_path, "small", 1, 0, size=(120, 90))
    with tarfile.open(tar_path) as tar:
        record = json.loads(tar.extractfile("000000000.json").read())  # type: ignore[union-attr]
    assert (record["width"], record["original_height"]) == (40, 40)
    with Image.open(tmp_path / "images/small/000000.jpg") as image_file:
        assert image_file.size == (120, 90)


def test_members_of_a_tar_carry_no_time_and_no_owner(tmp_path: Path) -> None:
    (tar_path,) = write_web_images(tmp_path, 1, 0, size=32)
    with tarfile.open(tar_path) as tar:
        assert {(m.mtime, m.uid, m.gid, m.uname) for m in tar.getmembers()} == {(0, 0, 0, "")}


@pytest.mark.parametrize("shard_size", [0, -1])
def test_a_shard_must_hold_at_least_one_image(tmp_path: Path, shard_size: int) -> None:
    with pytest.raises(OptionError, match=f"shard_size is {shard_size}; a tar holds 1 to 10,000"):
        write_web_images(tmp_path, 1, 0, shard_size)
