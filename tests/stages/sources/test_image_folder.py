from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from schemas.errors import SourceError
from stages.sources.image_folder import ImageFolder, has_images, names_below, upright_size
from stages.sources.record import Refusal
from tests.stages.sources.samples import encoded, write_images


def files(folder: Path, *names: str) -> ImageFolder:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return ImageFolder(str(folder))


def answer(folder: ImageFolder, *names: str) -> list[str]:
    """The file that each name means, or the reason why there is none."""
    matches = folder.find_all(names)
    return [
        match.reason if isinstance(match, Refusal) else match.name
        for match in (matches[name] for name in names)
    ]


def test_a_name_is_found_as_other_machines_write_it(tmp_path: Path) -> None:
    folder = files(tmp_path, "patch0/b.jpg", "sub/d.jpg", "caf\u00e9.jpg", "sp ace.jpg", "g/1.jpg")
    written = ("b.jpg", "sub\\d.jpg", "cafe\u0301.jpg", "sp%20ace.jpg", "g/1.jpg", "gone.jpg")
    assert answer(folder, *written) == [
        *("patch0/b.jpg", "sub/d.jpg", "caf\u00e9.jpg", "sp ace.jpg", "g/1.jpg", "missing-image"),
    ]


def test_the_path_decides_between_equal_base_names_and_nothing_else_does(tmp_path: Path) -> None:
    folder = files(tmp_path, "f/1.jpg", "g/1.jpg", "2.jpg")
    assert answer(folder, "data/f/1.jpg", "2.jpg") == ["f/1.jpg", "2.jpg"]
    assert answer(folder, "1.jpg", "2.jpg") == ["ambiguous-name", "2.jpg"]


def test_a_file_belongs_to_the_name_that_fits_it_best(tmp_path: Path) -> None:
    folder = files(tmp_path, "c.jpg")
    assert answer(folder, "./c.jpg", "images/c.jpg") == ["c.jpg", "missing-image"]
    assert answer(folder, "a/c.jpg", "b/c.jpg") == ["ambiguous-name", "ambiguous-name"]


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/secret.jpg", "x/../../secret.jpg"])
def test_a_name_never_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    files(tmp_path, "secret.jpg")
    assert answer(files(tmp_path / "inner", "a.jpg"), name) == ["unsafe-name"]


def test_files_of_other_splits_are_found_only_by_their_path(tmp_path: Path) -> None:
    files(tmp_path, "val/1.jpg", "2.jpg")
    folder = ImageFolder(str(tmp_path), [str(tmp_path / "val")])
    assert answer(folder, "1.jpg", "./2.jpg") == ["missing-image", "2.jpg"]
    assert answer(folder, "data/val/1.jpg", "./2.jpg") == ["val/1.jpg", "2.jpg"]


def test_a_name_without_a_suffix_is_an_image_and_not_the_text_beside_it(tmp_path: Path) -> None:
    folder = files(tmp_path, "a.jpg", "a.txt", ".hidden.jpg", "odd.bin")
    assert answer(folder, "a", "odd.bin") == ["a.jpg", "odd.bin"]
    assert list(folder.images()) == ["a.jpg"]


def test_links_are_followed_and_loops_end(tmp_path: Path) -> None:
    files(tmp_path / "elsewhere", "a.jpg")
    files(tmp_path / "top", ".hidden/b.jpg")
    (tmp_path / "top/link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "top", target_is_directory=True)
    assert list(names_below(str(tmp_path / "top"))) == ["link/a.jpg"]


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"cannot list .*gone"):
        list(names_below(str(tmp_path / "gone")))


def test_images_are_looked_for_outside_the_skipped_folders(tmp_path: Path) -> None:
    files(tmp_path, "val/1.jpg", "notes.txt")
    assert has_images(str(tmp_path))
    assert not has_images(str(tmp_path), [str(tmp_path / "val")])


def test_the_size_of_a_file_is_that_of_the_upright_image(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg"])
    assert upright_size(tmp_path / "a.jpg") == (12, 8)
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "b.jpg").write_bytes(encoded(size=(20, 10), exif=exif))
    assert upright_size(tmp_path / "b.jpg") == (10, 20)
    (tmp_path / "c.jpg").write_bytes(b"no image")
    assert upright_size(tmp_path / "c.jpg") is None
