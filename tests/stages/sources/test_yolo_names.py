from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stages.sources.yolo_names import (
    has_labels,
    in_any_case,
    is_label_name,
    label_names,
    without_images,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_the_usual_place_of_labels_comes_first_and_that_beside_the_image_next() -> None:
    names = list(label_names("Images/train/a.jpg"))
    assert names[:2] == ["labels/train/a.txt", "Images/train/a.txt"]
    assert next(label_names("a.jpg")) == "a.txt"


def test_the_folder_of_images_is_no_part_of_a_key() -> None:
    assert without_images("Images/train/a.jpg") == "train/a.jpg"
    assert without_images("train/images") == "train/images"


def test_folders_and_suffixes_are_in_any_case_but_names_are_not() -> None:
    assert in_any_case("Labels/A.TXT") == in_any_case("labels/A.txt")
    assert in_any_case("labels/a.txt") != in_any_case("labels/A.txt")


def test_a_list_of_classes_is_no_label() -> None:
    names = ("Labels/a.txt", "labels/classes.txt", "a.txt", "labels/a.json")
    assert [is_label_name(name) for name in names] == [True, False, False, False]


@pytest.mark.parametrize(
    ("text", "expected"), [("0 .5 .5 .2 .2\n", True), ("a dog\n", False), ("", False)]
)
def test_labels_are_known_by_what_they_hold(tmp_path: Path, text: str, expected: bool) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/a.txt").write_text(text)
    (tmp_path / "b.md").write_text("0 .5 .5 .2 .2\n")
    assert has_labels(str(tmp_path)) is expected
