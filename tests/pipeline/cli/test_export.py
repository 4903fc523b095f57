"""The export verbs: what they print, and which options they refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.pipeline.exporting.toy_detector import ToyDetector
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_features_are_exported_and_counted(rc, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    features = make_all(root, count=4)["features"]
    answer = rc("export-features", "features", tmp_path / "out", "--format", "h5")
    expected = f"{tmp_path / 'out.h5'}  {features.manifest.rows} rows\n"
    assert (answer.code, answer.out) == (0, expected)


def test_labels_are_exported_and_missing_categories_are_named(  # type: ignore[no-untyped-def]
    rc, root: Path, tmp_path: Path
) -> None:
    make_all(root, count=8)
    (tmp_path / "names.txt").write_text("dog\nunicorn\n")
    words = ("--images", "none", "--where", "true", "--categories", tmp_path / "names.txt")
    answer = rc("export", "coco", tmp_path / "out", *words)
    assert answer.code == 0
    assert answer.err.startswith("warning: not in the concept pool, so without labels: ")
    assert "unicorn" in answer.err
    annotations = [
        annotation
        for path in (tmp_path / "out").rglob("instances_*.json")
        for annotation in json.loads(path.read_text())["annotations"]
    ]
    images = len({annotation["image_id"] for annotation in annotations})
    assert answer.out == f"{tmp_path / 'out'}  {images} images, {len(annotations)} labels\n"


def test_detections_are_exported_with_pictures(  # type: ignore[no-untyped-def]
    rc, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(Ingest(count=6), root)
    make(ToyDetector(), root)
    monkeypatch.setattr("stages.pixels.load_image", lambda _: np.zeros((48, 64, 3), np.uint8))
    words = ("--pictures", "2", "--min-score", "0.5")
    answer = rc("export-detections", "detections", tmp_path / "out", *words)
    assert answer.code == 0
    assert answer.out.splitlines() == [
        f"{tmp_path / 'out.json'}  4 detections",
        f"{tmp_path / 'out'}  2 pictures",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["export", "voc", "out"], "rc export: FORMAT must be one of coco, lvis, yolo"),
        (["export", "coco", "out", "--images", "move"], "--images must be one of link, copy, none"),
        (["export-features", "features", "out", "--format", "xls"], "must be one of npy, h5"),
        (["export-weights", "teachers", "out", "--format", "tf"], "must be one of open_clip"),
        (["export-weights", "teachers", "out", "--with-rpn", "rpns"], "need --format regionclip"),
        (["export-detections", "images", "out"], "no artifact matches 'images'"),
    ],
)
def test_a_wrong_export_is_one_sentence(rc, words: list[str], message: str) -> None:  # type: ignore[no-untyped-def]
    answer = rc(*words)
    assert (answer.code, answer.out) == (1, "")
    assert message in answer.err
    assert answer.err.count("\n") == 1
