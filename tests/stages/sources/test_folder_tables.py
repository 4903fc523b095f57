from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from stages.sources.folder_tables import (
    FolderImage,
    TableJoin,
    join_table,
    shown,
    split_of_folder,
)
from stages.sources.record import SourceOptions
from stages.sources.table_files import FolderTable
from tests.stages.sources.samples import ingest, write_images

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = SourceOptions()


def joined(
    root: Path, names: list[str], rows: list[tuple[str, str]], table: str = "t.csv", scope: str = ""
) -> tuple[dict[str, FolderImage], TableJoin]:
    (root / table).parent.mkdir(parents=True, exist_ok=True)
    lines = ["image\tcaption", *("\t".join(row) for row in rows)]
    (root / table).write_text("\n".join(lines), encoding="utf-8")
    images = {name: FolderImage(name, 1) for name in names}
    return images, join_table(images, str(root), FolderTable(table), scope, OPTIONS)


@pytest.mark.parametrize(
    ("written", "name", "way"),
    [
        ("a b.jpg", "a b.jpg", "exact"),
        ("a%20b.jpg", "a b.jpg", "spelling"),
        ("./w\\x.jpg", "w/x.jpg", "spelling"),
        ("cafe\u0301.jpg", "caf\u00e9.jpg", "spelling"),
        ("C:\\me\\w\\x.jpg", "w/x.jpg", "path"),
        ("elsewhere/x.jpg", "w/x.jpg", "base name"),
        ("X", "w/x.jpg", "stem"),
        ("a b.jpg#0", "a b.jpg", "exact"),
    ],
)
def test_a_name_finds_its_image(tmp_path: Path, written: str, name: str, way: str) -> None:
    names = ["a b.jpg", "caf\u00e9.jpg", "w/x.jpg"]
    images, join = joined(tmp_path, names, [(written, "a dog")])
    assert {image.name: image.captions for image in images.values() if image.captions} == {
        name: ["a dog"]
    }
    assert join.names == {way: 1}


def test_an_absolute_path_below_the_folder_is_that_image(tmp_path: Path) -> None:
    images, _ = joined(tmp_path, ["f/1.jpg", "g/1.jpg"], [(f"{tmp_path}/g/1.jpg", "x")])
    assert images["g/1.jpg"].captions == ["x"]


def test_names_that_mean_no_image_or_several_are_kept_with_their_reason(tmp_path: Path) -> None:
    rows = [("1.jpg", "x"), ("gone.jpg", "y"), ("f/1.jpg", "z"), ("gone.jpg", "w")]
    images, join = joined(tmp_path, ["f/1.jpg", "g/1.jpg"], rows)
    refusal = images["1.jpg"].refusal
    assert refusal is not None
    assert refusal.reason == "ambiguous-name"
    assert images["gone.jpg"] == FolderImage("gone.jpg", -1, captions=["y", "w"])
    assert images["f/1.jpg"].captions == ["z"]
    assert join.names == {"ambiguous": 1, "missing": 1, "exact": 1}
    assert join.captions == {True: 1, False: 3}
    assert join.remark() == "t.csv: 1 of 3 names found; 1 missing, 1 ambiguous"


def test_the_folder_of_the_table_comes_before_the_root(tmp_path: Path) -> None:
    rows = [("a.jpg", "x"), ("./b.jpg", "y")]
    images, _ = joined(tmp_path, ["a.jpg", "b.jpg", "d/a.jpg", "d/b.jpg"], rows, "d/t.csv")
    assert {name: image.captions for name, image in images.items()} == {
        "a.jpg": None,
        "b.jpg": None,
        "d/a.jpg": ["x"],
        "d/b.jpg": ["y"],
    }


def test_a_table_of_one_subfolder_means_no_image_of_another(tmp_path: Path) -> None:
    rows = [("a.jpg", "x"), ("b.jpg", "y")]
    images, join = joined(tmp_path, ["d/a.jpg", "e/b.jpg"], rows, "d/t.csv", scope="d")
    assert images["d/a.jpg"].captions == ["x"]
    assert images["e/b.jpg"].captions is None
    assert images["d/b.jpg"].size == -1
    assert join.names == {"exact": 1, "missing": 1}


def test_rows_without_a_name_and_broken_rows_are_told_by_line(tmp_path: Path) -> None:
    _, join = joined(tmp_path, ["a.jpg"], [("", "x"), ("a.jpg", "y\tz"), ("a.jpg", "w")])
    told = [(problem.record, problem.reason, problem.detail) for problem in join.bad_rows]
    assert told[0] == ("t.csv:2", "bad-row", "the row names no image")
    assert told[1][:2] == ("t.csv:3", "bad-row")
    assert len(told) == 2


def test_a_number_or_a_struct_can_name_an_image(tmp_path: Path) -> None:
    images = {name: FolderImage(name, 1) for name in ("42.jpg", "a.jpg")}
    for cells in ([42], [{"path": "a.jpg", "bytes": None}], [42.0], [True, None]):
        table = pa.table({"image": cells, "caption": ["x"] * len(cells)})
        pq.write_table(table, tmp_path / "t.parquet")
        join = join_table(images, str(tmp_path), FolderTable("t.parquet"), "", OPTIONS)
    assert {name: image.captions for name, image in images.items()} == {
        "42.jpg": ["x", "x"],
        "a.jpg": ["x"],
    }
    assert len(join.bad_rows) == 2


def test_most_captions_without_an_image_are_a_loss(tmp_path: Path) -> None:
    rows = [("a.jpg", "x"), ("b.jpg", "y"), ("c.jpg", "z")]
    _, join = joined(tmp_path, ["a.jpg"], rows)
    assert join.loss() == "2 of 3 captions of t.csv have no image (such as 'b.jpg')"
    assert join.why_empty("photos", "a.jpg") is None
    _, join = joined(tmp_path, ["a.jpg", "b.jpg", "c.jpg"], rows)
    assert join.loss() is None


def test_no_caption_with_an_image_is_said_with_an_example_of_each_side(tmp_path: Path) -> None:
    _, join = joined(tmp_path, ["1.png"], [("b.jpg", "y")])
    assert join.why_empty("photos", "1.png") == (
        "no caption of t.csv belongs to an image of photos: the table says 'b.jpg', "
        "the folder has '1.png'"
    )


def test_splits_are_told_by_the_names_of_folders() -> None:
    folders = ["train", "data/val2017", "Test", "cats", "", "training_set"]
    assert [split_of_folder(f) for f in folders] == ["train", "val2017", "Test", None, None, None]


def test_control_characters_are_not_shown() -> None:
    assert (shown("a b"), shown("a\x1b")) == ("a b", r"'a\x1b'")


def test_a_cell_too_long_for_a_name_is_a_bad_row_without_its_content(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg"])
    cells = "image,caption\na.jpg,a dog\n" + "x" * 5000 + ",a cat\n"
    (tmp_path / "t.csv").write_text(cells)
    _, refused = ingest(tmp_path / "s", tmp_path)
    assert refused == [
        ("t.csv:3", "bad-row", "its name of an image has 5,000 characters: no name of a file")
    ]


def test_a_message_holds_only_the_begin_of_a_long_name(tmp_path: Path) -> None:
    _, join = joined(tmp_path, ["a.jpg"], [("y" * 3000, "a cat")])
    assert join.unfound == "y" * 100
