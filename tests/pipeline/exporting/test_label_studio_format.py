"""Export to Label Studio: every label, its box and its region can be read back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from pipeline.exporting.label_studio_format import LabelStudioFormat
from pipeline.exporting.labelled_images import ExportRequest
from pipeline.exporting.labels import export_labels
from tests.pipeline.exporting.labelled_store import image_with_labels, label_key, labels

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

NAMES = ["dog", 'a <"&> \x00\n b']
IMAGE = image_with_labels(
    7, [(0, 0.75, (16, 15, 48, 30)), (1, 0.25, (0, 0, 64, 60))], split="val 2", captions=["ü 空"]
)


def test_label_studio_has_every_label_with_its_picture(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_labels(root, out, "label-studio", ExportRequest(), "copy")
    found = []
    for task in json.loads((out / "tasks.json").read_text()):
        picture = unquote(task["data"]["image"].removeprefix("/data/local-files/?d="))
        assert (out / picture).is_file()
        (prediction,) = task["predictions"]
        assert prediction["score"] == min(box["score"] for box in prediction["result"])
        for box in prediction["result"]:
            width, height, value = box["original_width"], box["original_height"], box["value"]
            x, y = value["x"] * width / 100, value["y"] * height / 100
            x1, y1 = x + value["width"] * width / 100, y + value["height"] * height / 100
            row = {"concept": value["rectanglelabels"][0], "x0": x, "y0": y, "x1": x1, "y1": y1}
            region = int(box["id"].split("-")[1])
            found.append((task["data"]["image_id"], region, *label_key(row)))
    assert sorted(found) == sorted(
        (r["image_id"], r["region"], *label_key(r)) for r in labels(root)
    )


def write(folder: Path) -> Path:
    folder.mkdir()
    writer = LabelStudioFormat(folder, NAMES, "none")
    writer.add(IMAGE)
    writer.close()
    return folder


def test_label_studio_takes_any_name_and_per_cent_of_the_sides(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    (task,) = json.loads((folder / "tasks.json").read_text())
    assert task["data"] == {
        "image": "/data/local-files/?d=images/val_2/000000000007.png",
        "image_id": "image/7",
        "captions": ["ü 空"],
    }
    first, second = task["predictions"][0]["result"]
    assert (first["id"], first["score"]) == ("7-0", 0.75)
    assert first["value"] == {
        "x": 25.0,
        "y": 25.0,
        "width": 50.0,
        "height": 25.0,
        "rotation": 0,
        "rectanglelabels": ["dog"],
    }
    config = ElementTree.parse(folder / "config.xml").getroot()
    known = [label.attrib["value"] for label in config.iter("Label")]
    assert known == ["dog", 'a <"&> \ufffd\n b']
    names = {tag.tag: tag.attrib["name"] for tag in config}
    assert names == {"Image": first["to_name"], "RectangleLabels": first["from_name"]}
    assert second["value"]["rectanglelabels"] == [known[1]]


def test_an_export_without_images_is_an_empty_list(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    LabelStudioFormat(tmp_path / "out", NAMES, "none").close()
    assert json.loads((tmp_path / "out" / "tasks.json").read_text()) == []
