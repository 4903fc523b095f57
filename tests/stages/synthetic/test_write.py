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
from stages.synthetic.world import scene, web_picture
from stages.synthetic.write import write_scenes, write_web

if TYPE_CHECKING:
    from pathlib import Path


def test_a_tar_holds_picture_caption_and_record_of_each_key(tmp_path: Path) -> None:
    paths = write_web(tmp_path, count=5, seed=2, shard_size=3)
    assert [path.name for path in paths] == ["00000.tar", "00001.tar"]
    with tarfile.open(paths[1]) as tar:
        assert tar.getnames() == [
            f"00001000{place}.{suffix}" for place in (0, 1) for suffix in ("jpg", "json", "txt")
        ]
        content = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    expected = web_picture(2, 3)
    record = json.loads(content["000010000.json"])
    assert content["000010000.txt"].decode() == record["caption"] == expected.captions[0]
    assert (record["key"], record["status"]) == ("000010000", "success")
    assert (record["width"], record["height"]) == (96, 96)
    decoded = np.asarray(Image.open(io.BytesIO(content["000010000.jpg"])), dtype=float)
    assert np.abs(decoded - expected.image).mean() < 6


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        write_web(tmp_path / folder, count=3, seed=1)
        write_scenes(tmp_path / folder, "val", count=2, seed=1)
    first = sorted(path for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(first) == 1 + 2 + 5
    for path in first:
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        assert path.read_bytes() == other.read_bytes()


def test_no_unfinished_file_is_left(tmp_path: Path) -> None:
    write_web(tmp_path, count=2, seed=1)
    write_scenes(tmp_path, "val", count=1, seed=1)
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_coco_folder_says_what_the_scenes_hold(tmp_path: Path) -> None:
    write_scenes(tmp_path, "train", count=3, seed=4)
    instances = json.loads((tmp_path / "annotations/instances_train.json").read_text())
    captions = json.loads((tmp_path / "annotations/captions_train.json").read_text())
    names = {row["id"]: row["name"] for row in instances["categories"]}
    assert list(names.values()) == [c.name for c in CATEGORIES]
    for image in instances["images"]:
        expected = scene(4, image["id"])
        rows = [row for row in instances["annotations"] if row["image_id"] == image["id"]]
        assert tuple(names[row["category_id"]] for row in rows) == expected.categories
        corners = [[x, y, x + w, y + h] for x, y, w, h in (row["bbox"] for row in rows)]
        np.testing.assert_allclose(corners, expected.boxes)
        assert all(row["area"] == row["bbox"][2] * row["bbox"][3] for row in rows)
        said = [row["caption"] for row in captions["annotations"] if row["image_id"] == image["id"]]
        assert tuple(said) == expected.captions
        with Image.open(tmp_path / "images/train" / image["file_name"]) as picture:
            assert picture.size == (image["width"], image["height"]) == (320, 256)


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


def test_progress_is_told_after_every_picture(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write_web(tmp_path, 3, 0, progress=lambda done, count: told.append((done, count)))
    write_scenes(tmp_path, "val", 2, 0, progress=lambda done, count: told.append((done, count)))
    assert told == [(1, 3), (2, 3), (3, 3), (1, 2), (2, 2)]


def test_none_of_nothing_is_written(tmp_path: Path) -> None:
    assert write_web(tmp_path, count=0, seed=0) == []
    write_scenes(tmp_path, "empty", count=0, seed=0)
    assert json.loads((tmp_path / "annotations/instances_empty.json").read_text())["images"] == []


def test_a_shard_size_that_keys_cannot_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="10,000"):
        write_web(tmp_path, 1, 0, shard_size=10_001)
