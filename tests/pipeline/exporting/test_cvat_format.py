"""Export to CVAT: every label, its box and its region can be read back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from pipeline.exporting.cvat_format import CvatFormat
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


def test_cvat_has_every_label_with_its_picture(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_labels(root, out, "cvat", ExportRequest(), "copy")
    found = []
    for image in ElementTree.parse(out / "annotations.xml").getroot().iter("image"):
        assert (out / "images" / image.attrib["name"]).is_file()
        for box in image.iter("box"):
            sides = [float(box.attrib[side]) for side in ("xtl", "ytl", "xbr", "ybr")]
            more = {one.attrib["name"]: one.text for one in box.iter("attribute")}
            found.append((int(more["region"] or ""), box.attrib["label"], *sides))
    assert sorted(found) == sorted((row["region"], *label_key(row)) for row in labels(root))


def write(folder: Path) -> Path:
    folder.mkdir()
    writer = CvatFormat(folder, NAMES, "none")
    writer.add(IMAGE)
    writer.close()
    return folder


def test_cvat_takes_any_name_and_says_it_in_both_files_alike(tmp_path: Path) -> None:
    folder = write(tmp_path / "out")
    (image,) = ElementTree.parse(folder / "annotations.xml").getroot().iter("image")
    assert image.attrib == {
        "id": "6",
        "name": "val_2/000000000007.png",
        "width": "64",
        "height": "60",
    }
    known = [label["name"] for label in json.loads((folder / "labels.json").read_text())]
    assert [box.attrib["label"] for box in image.iter("box")] == known
    assert known == ["dog", 'a <"&> \ufffd\n b']
    box = next(image.iter("box"))
    assert [box.attrib[side] for side in ("xtl", "ytl", "xbr", "ybr")] == ["16", "15", "48", "30"]
    assert [one.text for one in box.iter("attribute")] == ["0", "0.750000"]
