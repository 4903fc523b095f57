"""Export of detections: COCO JSON, and pictures of the first images with detections."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from pipeline.exporting.detections import export_coco
from schemas.errors import ArtifactError, OptionError
from tests.pipeline.exporting.toy_detector import ToyDetector
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def detections(tmp_path: Path) -> Path:
    """A store with nine images in two parts, and toy detections of them."""
    root = tmp_path / "store"
    make(Ingest(count=9), root)
    make(ToyDetector(), root)
    return root


def test_every_image_and_every_detection_is_in_the_json(detections: Path, tmp_path: Path) -> None:
    path, count = export_coco(detections, "detections", tmp_path / "out", 0.0, force=False)
    content = json.loads(path.read_text())
    assert (path, count) == (tmp_path / "out.json", 9)
    assert [image["id"] for image in content["images"]] == list(range(1, 10))
    assert content["images"][4] == {
        "id": 5,
        "file_name": "4.jpg",
        "image_id": "toy/000004",
        "width": 64,
        "height": 48,
    }
    assert content["categories"] == [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    expected = [(n + 1, k + 1) for n in range(9) for k in range(n % 3)]
    actual = [(a["image_id"], a["category_id"]) for a in content["annotations"]]
    assert actual == expected
    assert [a["id"] for a in content["annotations"]] == list(range(1, 10))
    second = content["annotations"][2]
    assert (second["bbox"], second["area"], second["iscrowd"]) == ([1, 1, 10, 20], 200, 0)
    assert second["score"] == pytest.approx(0.4)


def test_detections_below_the_smallest_score_are_left_out(detections: Path, tmp_path: Path) -> None:
    path, count = export_coco(detections, "detections", tmp_path / "out", 0.5, force=False)
    content = json.loads(path.read_text())
    assert count == len(content["annotations"]) == 6
    assert {a["category_id"] for a in content["annotations"]} == {1}
    assert len(content["images"]) == 9


def test_other_artifacts_and_deleted_images_are_refused(detections: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no detections; give detections@"):
        export_coco(detections, "images", tmp_path / "out", 0.0, force=False)
    shutil.rmtree(detections / "images")
    with pytest.raises(ArtifactError, match=r"the images that detections/.* were deleted"):
        export_coco(detections, "detections", tmp_path / "out", 0.0, force=False)
    assert {path.name for path in tmp_path.iterdir()} == {"store"}


def test_pictures_show_the_first_images_with_detections(
    detections: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def white(row: dict[str, Any]) -> np.ndarray:
        return np.full((row["height"], row["width"], 3), 255, np.uint8)

    monkeypatch.setattr("stages.pixels.load_image", white)
    folder = tmp_path / "out"
    export_coco(detections, "detections", folder, 0.5, 3, force=False)
    names = ["0000_toy_000001.png", "0001_toy_000002.png", "0002_toy_000004.png"]
    assert names == sorted(p.name for p in folder.iterdir())
    with Image.open(folder / names[0]) as picture:
        colours = picture.convert("RGB").getcolors(100_000)
        assert (0x21, 0x66, 0xAC) in [
            colour for _, colour in colours or []
        ]  # of the first category
    (tmp_path / "out.json").unlink()  # as if it had been killed between the two
    export_coco(detections, "detections", folder, 0.5, 2, force=False)
    assert names[:2] == sorted(p.name for p in folder.iterdir())
    (folder / "mine").touch()
    with pytest.raises(OptionError, match=r"out is kept, since 'mine' in it is not of"):
        export_coco(detections, "detections", folder, 0.5, 2, force=True)
    assert (folder / "mine").exists()
