"""Export to WebDataset tars."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from pipeline import api
from pipeline.exporting.labelled_images import ExportRequest
from pipeline.exporting.labels import export_labels
from pipeline.exporting.webdataset_format import WebDatasetFormat
from tests.pipeline.exporting.labelled_store import image_with_labels, labels

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.slow


def test_tars_are_ingested_again(root: Path, tmp_path: Path) -> None:
    made = export_labels(root, tmp_path / "out", "webdataset", ExportRequest(where="kept"), "copy")
    images = made.images
    tars = sorted((tmp_path / "out").iterdir())
    assert [tar.name for tar in tars] == ["train-000000.tar", "val_2-000000.tar"]
    names: list[str] = []
    found = []
    for path in tars:
        with tarfile.open(path) as tar:
            names += tar.getnames()
            for member in tar.getmembers():
                if member.name.endswith(".json"):
                    content = tar.extractfile(member)
                    assert content
                    told = json.load(content)
                    found += [(told["image_id"], one["score"]) for one in told["labels"]]
    assert len(names) == 3 * images
    assert found == [(row["image_id"], row["probability"]) for row in labels(root)]
    again = api.Store(tmp_path / "again")
    again.run("ingest", sources=[str(tar) for tar in tars])
    assert len(again.table("images")) == images
    captions = {
        row["image_id"]: row["captions"]
        for row in api.Store(root).table("images").to_arrow().to_pylist()
    }
    assert len(again.table("captions")) == sum(len(captions[key]) for key in {f[0] for f in found})


def test_a_tar_holds_a_limited_number_of_images(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.exporting.webdataset_format._IMAGES_PER_TAR", 3)
    export_labels(root, tmp_path / "out", "webdataset", ExportRequest(where="true"))
    counts = {}
    for path in sorted((tmp_path / "out").iterdir()):
        with tarfile.open(path) as tar:
            counts[path.name] = len(tar.getnames()) // 3
    assert counts == {
        "train-000000.tar": 3, "train-000001.tar": 1, "val_2-000000.tar": 3, "val_2-000001.tar": 1,
    }  # fmt: skip


def test_a_sample_has_labels_with_names_and_boxes_as_corner_and_size(tmp_path: Path) -> None:
    source = tmp_path / "source.png"
    Image.new("RGB", (64, 60), "red").save(source)
    labels_of_image = [(1, 0.5, (10, 20, 40, 60))]
    image = image_with_labels(3, labels_of_image, captions=["a dog", "a cat"], uri=str(source))
    writer = WebDatasetFormat(tmp_path, ["dog", "cat"], "none")
    writer.add(image)
    writer.close()
    with tarfile.open(tmp_path / "train-000000.tar") as tar:
        names = tar.getnames()
        contents = {name: tar.extractfile(name).read() for name in names}  # type: ignore[union-attr]
    assert names == [f"000000000003.{suffix}" for suffix in ("png", "txt", "json")]
    assert contents[names[0]] == source.read_bytes()
    assert contents[names[1]] == b"a dog"
    sample = json.loads(contents[names[2]])
    assert sample["labels"] == [{"category": "cat", "score": 0.5, "bbox": [10, 20, 30, 40]}]
    assert sample["captions"] == ["a dog", "a cat"]
