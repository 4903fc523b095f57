from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stages.sources.other_files import unread_below
from stages.sources.record import LeftOut, SourceOptions
from stages.sources.source_kind import open_source
from tests.stages.sources.samples import encoded, write_images, write_json, write_tar

if TYPE_CHECKING:
    from pathlib import Path


def test_files_that_are_not_read_are_counted_by_kind(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg", "deep/b.jpg", ".hidden/c.jpg"])
    for name in ("a.txt", "notes.md", "read.tar", ".secret"):
        (tmp_path / name).write_text("x")
    assert unread_below([str(tmp_path)], [str(tmp_path / "read.tar")]) == [
        LeftOut(".jpg file", 2),
        LeftOut(".md file"),
        LeftOut(".txt file"),
        LeftOut("image of hidden folders"),
    ]


def test_a_file_below_two_folders_counts_once(tmp_path: Path) -> None:
    write_images(tmp_path, ["deep/a.jpg"])
    assert unread_below([str(tmp_path), str(tmp_path / "deep")], []) == [LeftOut(".jpg file")]


def test_what_lies_beside_tars_is_counted(tmp_path: Path) -> None:
    write_tar(tmp_path / "0.tar", {"x.jpg": encoded()})
    write_json(tmp_path / "0_stats.json", {"count": 1})
    left_out = open_source([str(tmp_path)], SourceOptions()).inventory().left_out
    assert left_out == (LeftOut(".json file"),)
    assert open_source([str(tmp_path / "0.tar")], SourceOptions()).inventory().left_out == ()


@pytest.mark.parametrize("layout", ["val", "images/val"])
def test_what_lies_beside_the_splits_of_coco_is_counted(tmp_path: Path, layout: str) -> None:
    listed = {"id": 1, "file_name": "a.jpg"}
    split = {"images": [listed], "annotations": [], "categories": []}
    write_json(tmp_path / "annotations/instances_val.json", split)
    write_images(tmp_path, [f"{layout}/a.jpg", f"{layout}/unlisted.jpg", "elsewhere/b.png"])
    (tmp_path / "captions.csv").write_text("image,caption\na.jpg,a dog\n")
    left_out = open_source([str(tmp_path)], SourceOptions()).inventory().left_out
    assert set(left_out) == {
        LeftOut(".csv file"),
        LeftOut(".png file"),
        LeftOut("image that no JSON lists"),
    }
