from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stages.sources.folder_files import FolderFiles, list_files
from tests.stages.sources.samples import write_images

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def write(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def images(files: FolderFiles) -> list[str]:
    return [image.name for image in files.images]


def test_images_and_other_files_are_listed_by_name(tmp_path: Path) -> None:
    write(tmp_path, "b.JPG", "a/c.avif", "a.gif", "t.csv", "a/noext", "a/d.heic", ".DS_Store")
    files = list_files(str(tmp_path))
    assert images(files) == ["a.gif", "a/c.avif", "b.JPG"]
    assert files.others == ["a/d.heic", "a/noext", "t.csv"]
    assert [image.size for image in files.images] == [1, 1, 1]


def test_texts_with_the_name_of_an_image_are_its_texts(tmp_path: Path) -> None:
    write(tmp_path, "0/1.jpg", "0/1.json", "0/1.TXT", "0/2.png", "0/2.csv", "0/3.txt", "1.txt")
    files = list_files(str(tmp_path))
    assert [image.texts for image in files.images] == [(".TXT", ".json"), ()]
    assert files.others == ["0/2.csv", "0/3.txt", "1.txt"]


def test_hidden_folders_and_those_of_thumbnails_are_counted(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", ".b.jpg", "._a.jpg", "__MACOSX/._a.jpg", ".cache/x/c.jpg")
    write(tmp_path, "@eaDir/a.jpg", "@eaDir/a.txt", ".thumbnails/b.png", "#recycle/d.jpg")
    files = list_files(str(tmp_path))
    assert images(files) == [".b.jpg", "a.jpg"]
    assert files.skipped == {
        "._ file of macOS": 2,
        "image of hidden folders": 2,
        "image of thumbnail folders": 2,
    }


def test_the_artifacts_of_a_store_are_no_files_of_the_folder(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "store/metrics/v1-0123456789ab/curve.png", "store/images/.v1.lock")
    files = list_files(str(tmp_path))
    assert (images(files), files.others) == (["a.jpg"], [])


def test_a_linked_folder_is_read_where_its_link_stands(tmp_path: Path) -> None:
    write(tmp_path, "elsewhere/b.jpg", "src/a/a.jpg")
    (tmp_path / "src/b").symlink_to("../elsewhere")
    assert images(list_files(str(tmp_path / "src"))) == ["a/a.jpg", "b/b.jpg"]


def test_no_folder_is_read_twice_and_loops_end(tmp_path: Path) -> None:
    write(tmp_path, "other.jpg", "elsewhere/b.jpg", "src/z/a.jpg")
    (tmp_path / "src/a").symlink_to("z")  # is read as z, though a comes first
    (tmp_path / "src/loop").symlink_to(".")
    (tmp_path / "src/up").symlink_to("..")  # must not read other.jpg
    (tmp_path / "src/one").symlink_to("../elsewhere")
    (tmp_path / "src/two").symlink_to("../elsewhere")
    (tmp_path / "elsewhere/back").symlink_to("../src")
    (tmp_path / "src/itself").symlink_to("itself")
    files = list_files(str(tmp_path / "src"))
    assert images(files) == ["one/b.jpg", "z/a.jpg"]
    assert files.linked_again == ["a", "loop", "one/back", "two", "up"]


def test_a_link_to_an_image_is_an_image_and_a_broken_one_has_no_size(tmp_path: Path) -> None:
    write_images(tmp_path, ["real.jpg"])
    (tmp_path / "linked.jpg").symlink_to("real.jpg")
    (tmp_path / "broken.jpg").symlink_to("gone.jpg")
    (tmp_path / "broken.csv").symlink_to("gone.csv")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    files = list_files(str(tmp_path))
    size = (tmp_path / "real.jpg").stat().st_size
    assert {image.name: image.size for image in files.images} == {
        "broken.jpg": -1,
        "linked.jpg": size,
        "pipe.jpg": -1,
        "real.jpg": size,
    }
    assert files.others == []


def test_a_folder_that_may_not_be_opened_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "a.jpg", "secret/b.jpg")
    scandir = os.scandir

    def refusing(path: Path) -> object:
        if path.name == "secret":
            raise PermissionError
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    files = list_files(str(tmp_path))
    assert (images(files), files.closed) == (["a.jpg"], ["secret"])
