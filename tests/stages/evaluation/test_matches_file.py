from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq

from stages.evaluation.matches_file import read_matches, write_matches
from stages.evaluation.matching import THRESHOLDS, match
from tests.stages.evaluation.records import detect, random_records, single_image, stored

if TYPE_CHECKING:
    from pathlib import Path


def test_matches_are_read_as_they_were_written(tmp_path: Path) -> None:
    records = random_records(np.random.default_rng(8))
    records.add_image(10, 10, "zz/bare")  # neither objects nor detections
    matches = match(records.arrays(), 4, 100)
    read = stored(records, tmp_path)
    order, _ = matches.ranked()
    counted = matches.counted[0]
    assert read.images == tuple(image["name"] for image in records.images)
    np.testing.assert_array_equal(read.image, matches.image[order])
    np.testing.assert_array_equal(read.category, matches.category[order])
    np.testing.assert_array_equal(read.hit, matches.hit[:, 0, order])
    np.testing.assert_array_equal(read.ignored, matches.ignored[:, 0, order])
    np.testing.assert_array_equal(read.object_image, matches.object_image[counted])
    np.testing.assert_array_equal(read.object_category, matches.object_category[counted])


def test_images_are_numbered_in_the_order_of_their_ids(tmp_path: Path) -> None:
    records = single_image([[0, 0, 50, 50]], [1])
    detect(records, [[0, 0, 50, 50]], [1], [0.9])
    records.images[0]["name"] = "b"
    records.add_image(10, 10, "a")
    read = stored(records, tmp_path)
    assert read.images == ("a", "b")
    assert (read.image.tolist(), read.object_image.tolist()) == ([1], [1])


def test_bits_say_at_which_thresholds_a_detection_hits_or_is_ignored(tmp_path: Path) -> None:
    records = single_image([[0, 0, 100, 10]], [0])
    detect(records, [[0, 0, 72, 10]], [0], [0.9])  # IoU 0.72
    stored(records, tmp_path)
    (row,) = pq.read_table(tmp_path / "matches.parquet").to_pylist()
    num_hit = int((THRESHOLDS <= 0.72).sum())
    assert num_hit == 5
    assert (row["hit"], row["ignored"]) == (2**num_hit - 1, 0)
    assert (row["image_id"], row["category_id"]) == ("image", 0)


def test_crowds_are_not_stored_and_their_image_has_a_row_without_category(tmp_path: Path) -> None:
    records = single_image([[0, 0, 50, 50]], [2], [True])
    read = stored(records, tmp_path)
    rows = pq.read_table(tmp_path / "ground_truth.parquet").to_pylist()
    assert rows == [{"image_id": "image", "category_id": None}]
    assert (read.images, read.object_image.tolist()) == (("image",), [])


def test_records_without_objects_and_detections_are_written_and_read(tmp_path: Path) -> None:
    read = stored(single_image([], []), tmp_path)
    assert (read.images, read.image.tolist(), read.object_image.tolist()) == (("image",), [], [])
    assert read.hit.shape == read.ignored.shape == (len(THRESHOLDS), 0)


def test_equal_matches_give_equal_bytes(tmp_path: Path) -> None:
    matches = match(random_records(np.random.default_rng(2)).arrays(), 4, 100)
    names = [f"{n}" for n in range(12)]
    for run in ("first", "second"):
        write_matches(tmp_path / f"{run}-m", tmp_path / f"{run}-g", matches, names)
    for file in ("m", "g"):
        assert (tmp_path / f"first-{file}").read_bytes() == (
            tmp_path / f"second-{file}"
        ).read_bytes()
    read = read_matches(tmp_path / "first-m", tmp_path / "first-g")
    assert len(read.image) == len(matches.image)
