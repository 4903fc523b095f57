"""Export to COCO, LVIS and FiftyOne: other loaders and our own ingest read the files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline import api
from pipeline.exporting.coco_formats import CocoFormat, FiftyOneFormat, LvisFormat
from pipeline.exporting.labelled_images import ExportRequest, LabelledImage
from pipeline.exporting.labels import export_labels
from tests.pipeline.exporting.labelled_store import image_with_labels, label_key, labels

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_coco_is_read_by_pycocotools_and_by_ingest(root: Path, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    export_labels(root, tmp_path / "out", "coco", ExportRequest(where="kept"), "copy")
    found = []
    for path in sorted((tmp_path / "out" / "annotations").glob("instances_*")):
        index = coco.COCO(str(path))
        names = {k: c["name"] for k, c in index.cats.items()}
        for one in index.anns.values():
            x, y, w, h = one["bbox"]
            image = index.imgs[one["image_id"]]
            assert list((tmp_path / "out" / "images").glob(f"*/{image['file_name']}"))
            row = {"concept": names[one["category_id"]], "x0": x, "y0": y, "x1": x + w, "y1": y + h}
            found.append((image["original_id"], *label_key(row)))
    assert sorted(found) == sorted((row["image_id"], *label_key(row)) for row in labels(root))
    again = api.Store(tmp_path / "again")
    again.run("ingest", sources=[str(tmp_path / "out")])
    objects = again.table("objects").to_arrow().to_pylist()
    assert sorted(label_key({**o, "concept": o["category"]}) for o in objects) == sorted(
        label_key(row) for row in labels(root)
    )
    said = "SELECT captions FROM images WHERE image_id IN (SELECT image_id FROM {}) ORDER BY ALL"
    before = api.Store(root).sql(said.format("pseudo_labels WHERE kept"))
    assert again.sql(said.format("images")).to_arrow() == before.to_arrow()


@pytest.mark.parametrize(
    ("form", "json_file", "pictures"),
    [("lvis", "lvis_train.json", "images/train"), ("fiftyone", "labels.json", "data")],
)
def test_a_json_file_and_its_image_folder_are_ingested_again(
    root: Path, tmp_path: Path, form: str, json_file: str, pictures: str
) -> None:
    where = "image_id LIKE 'train/%'"
    count = export_labels(root, tmp_path / "out", form, ExportRequest(where=where), "link").labels
    again = api.Store(tmp_path / "again")
    out = tmp_path / "out"
    again.run("ingest", sources=[str(out / json_file), str(out / pictures)])
    objects = again.table("objects").to_arrow().to_pylist()
    assert count > 0
    assert sorted(label_key({**o, "concept": o["category"]}) for o in objects) == sorted(
        label_key(row) for row in labels(root, where)
    )


def test_lvis_is_read_by_the_lvis_package(root: Path, tmp_path: Path) -> None:
    lvis = pytest.importorskip("lvis")
    export_labels(root, tmp_path / "out", "lvis", ExportRequest(where="kept"), "none")
    count = 0
    for path in (tmp_path / "out").glob("lvis_*.json"):
        index = lvis.LVIS(str(path))
        count += len(index.get_ann_ids())
        assert {c["frequency"] for c in index.dataset["categories"]} <= {"r", "c", "f"}
    assert count == len(labels(root))


def write(form: type[CocoFormat], folder: Path, images: list[LabelledImage]) -> Path:
    folder.mkdir()
    writer = form(folder, ["dog", "cat"], "none")
    for image in images:
        writer.add(image)
    writer.close()
    return folder


def test_annotations_have_ids_boxes_areas_and_scores(tmp_path: Path) -> None:
    images = [
        image_with_labels(3, [(1, 0.5, (10, 20, 40, 60))], captions=["a", "b"]),
        image_with_labels(8, [(0, 0.25, (0, 0, 8, 4)), (1, 0.75, (1, 2, 3, 4))], captions=["c"]),
    ]
    folder = write(CocoFormat, tmp_path / "out", images) / "annotations"
    content = json.loads((folder / "instances_train.json").read_text())
    assert [i["id"] for i in content["images"]] == [3, 8]
    assert [i["original_id"] for i in content["images"]] == ["image/3", "image/8"]
    assert content["categories"] == [{"id": 1, "name": "dog"}, {"id": 2, "name": "cat"}]
    assert [(a["id"], a["image_id"], a["category_id"]) for a in content["annotations"]] == [
        (1, 3, 2),
        (2, 8, 1),
        (3, 8, 2),
    ]
    assert content["annotations"][0]["bbox"] == [10, 20, 30, 40]
    assert content["annotations"][0]["area"] == 1200
    assert [a["score"] for a in content["annotations"]] == [0.5, 0.25, 0.75]
    captions = json.loads((folder / "captions_train.json").read_text())["annotations"]
    assert [(c["id"], c["image_id"], c["caption"]) for c in captions] == [
        (1, 3, "a"),
        (2, 3, "b"),
        (3, 8, "c"),
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["annotations"]


def test_each_split_has_its_own_file_in_coco_and_one_file_in_fiftyone(tmp_path: Path) -> None:
    box = [(0, 0.5, (0, 0, 1, 1))]
    images = [image_with_labels(1, box), image_with_labels(2, box, split="val")]
    coco = write(CocoFormat, tmp_path / "coco", images)
    assert sorted(path.name for path in coco.glob("annotations/instances_*")) == [
        "instances_train.json",
        "instances_val.json",
    ]
    fiftyone = write(FiftyOneFormat, tmp_path / "fiftyone", images)
    content = json.loads((fiftyone / "labels.json").read_text())
    assert [image["id"] for image in content["images"]] == [1, 2]


@pytest.mark.parametrize(("count", "frequency"), [(10, "r"), (11, "c"), (100, "c"), (101, "f")])
def test_lvis_counts_images_and_instances_of_a_category(
    tmp_path: Path, count: int, frequency: str
) -> None:
    two_dogs = [(0, 0.5, (0, 0, 1, 1)), (0, 0.5, (1, 1, 2, 2))]
    images = [image_with_labels(number, two_dogs) for number in range(1, count + 1)]
    folder = write(LvisFormat, tmp_path / "out", images)
    content = json.loads((folder / "lvis_train.json").read_text())
    dog, cat = content["categories"]
    assert (dog["frequency"], dog["image_count"], dog["instance_count"]) == (
        frequency,
        count,
        2 * count,
    )
    assert (cat["frequency"], cat["image_count"]) == ("r", 0)
    assert content["images"][0]["not_exhaustive_category_ids"] == [1]
    assert content["images"][0]["neg_category_ids"] == []
