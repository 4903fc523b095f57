"""Labelled images: safe names, and pixels that are linked, copied or rotated."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from PIL import Image

from pipeline import api
from pipeline.exporting.labelled_images import ExportRequest, LabelledImage, LabelledImageReader
from schemas.errors import ArtifactError, SourceError
from tests.pipeline.exporting.labelled_store import image_with_labels, labels

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.mark.slow
@pytest.mark.parametrize("pack", [False, True])
def test_rotated_images_are_written_upright_and_packed_ones_are_copied(
    tmp_path: Path, *, pack: bool
) -> None:
    (tmp_path / "photos").mkdir()
    picture = Image.new("RGB", (40, 24), "red")
    picture.save(tmp_path / "photos" / "plain.jpg")
    exif = picture.getexif()
    exif[0x0112] = 6  # to be shown turned by a quarter
    picture.save(tmp_path / "photos" / "turned.jpg", exif=exif)
    store = api.Store(tmp_path / "store")
    store.run("ingest", sources=[str(tmp_path / "photos")], pack=pack)
    for at, row in enumerate(store.sql("FROM images ORDER BY image_id").to_arrow().to_pylist()):
        one = LabelledImage(at, row)
        path = tmp_path / one.file_name
        one.write(path, "link")
        turned = row["orientation"] != 1
        assert path.is_symlink() == (not turned and not pack)
        with Image.open(path) as written:
            assert written.size == ((24, 40) if turned else (40, 24))
            assert written.getexif().get(0x0112, 1) == 1
        if not turned:
            assert path.read_bytes() == (tmp_path / "photos" / "plain.jpg").read_bytes()


def test_the_names_of_folders_and_files_are_safe() -> None:
    row = {"orientation": 1, "format": "PNG"}
    assert LabelledImage(7, {**row, "split": "../up"}).split == "___up"
    assert LabelledImage(7, {**row, "split": None}).split == "all"
    assert LabelledImage(7, {**row, "split": "val2017"}).file_name == "000000000007.png"


def test_a_link_needs_its_source_file(tmp_path: Path) -> None:
    image = image_with_labels(1, [], uri=str(tmp_path / "gone.png"))
    image.write(tmp_path / "out.png", "none")
    assert not (tmp_path / "out.png").exists()
    with pytest.raises(SourceError, match=r"gone\.png does not exist any more; use --images none"):
        image.write(tmp_path / "out.png", "link")


def test_labels_of_an_image_that_the_store_lacks_are_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LabelledImageReader, "_labels_by_image", lambda *_: {"nowhere": [{}]})
    with pytest.raises(ArtifactError, match="has labels of 1 images, such as 'nowhere'"):
        list(LabelledImageReader(root, ExportRequest()))


@pytest.mark.slow
def test_images_come_in_the_order_of_the_store_with_the_index_of_their_category(
    root: Path,
) -> None:
    labelled = LabelledImageReader(root, ExportRequest(where="true", names=("tree", "dog")))
    images = list(labelled)
    assert [image.number for image in images] == sorted(image.number for image in images)
    rows = [row for row in labels(root, "true") if row["concept"] in ("tree", "dog")]
    exported = [
        (image.row["image_id"], label["region"], labelled.names[label["category"]])
        for image in images
        for label in image.labels
    ]
    assert sorted(exported) == sorted((r["image_id"], r["region"], r["concept"]) for r in rows)
