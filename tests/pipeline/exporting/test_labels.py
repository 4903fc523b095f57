"""Pseudo-labels handed on: read again by the other programs' own loaders, and by ours."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from PIL import Image

from pipeline import api
from pipeline.exporting.labelled import Wanted
from pipeline.exporting.labels import FORMATS, export_labels
from schemas.errors import OptionError, QueryError
from stages.drawn.write import write_scenes
from tests.pipeline.helpers import ROOT

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = '../../"evil": {name}\\ #1'


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of drawn scenes in two splits, labelled among three names, one of them hostile."""
    folder = tmp_path_factory.mktemp("export")
    for split, seed in (("train", 1), ("val 2", 2)):
        write_scenes(folder / "scenes", split, 4, seed)
    names = folder / "names.txt"
    names.write_text(f"dog\n{HOSTILE}\ntree\n")
    data = ROOT / "data" / "demo"
    store = api.Store(folder / "store")
    store.run("ingest", sources=[str(folder / "scenes")])
    store.run("extract-concepts", from_file=names)
    model, weights = data / "teacher_model.json", data / "teacher.safetensors"
    store.run("pretrain", model=str(model), pretrained=str(weights), steps=0)
    store.run("embed-concepts", templates="plain")
    store.run("propose", random=True, regions=6)
    store.run("featurize", resize="192x400", whole_image=False)
    store.run("label", temperature=0.05)
    return folder / "store"


def labels(root: Path, where: str = "kept") -> list[dict[str, Any]]:
    rows = api.Store(root).sql(f"FROM pseudo_labels WHERE {where} ORDER BY image_id, region")
    found: list[dict[str, Any]] = rows.to_arrow().to_pylist()
    return found


def key(row: dict[str, Any]) -> tuple[Any, ...]:
    return (row["concept"], *(round(row[side], 3) for side in ("x0", "y0", "x1", "y1")))


@pytest.mark.parametrize("form", FORMATS)
def test_every_label_is_there_once_and_no_name_leaves_the_folder(
    root: Path, tmp_path: Path, form: str
) -> None:
    before = set(tmp_path.iterdir())
    images, count = export_labels(root, tmp_path / "out", form, Wanted(where="kept"), "copy")
    expected = labels(root)
    assert count == len(expected) > 0
    assert images == len({row["image_id"] for row in expected})
    assert set(tmp_path.iterdir()) - before == {tmp_path / "out"}
    for path in (tmp_path / "out").rglob("*"):
        assert "evil" not in path.name
        assert path.resolve().is_relative_to(tmp_path.resolve())


def test_coco_is_read_by_pycocotools_and_by_ingest(root: Path, tmp_path: Path) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    export_labels(root, tmp_path / "out", "coco", Wanted(where="kept"), "copy")
    found = []
    for path in sorted((tmp_path / "out" / "annotations").iterdir()):
        index = coco.COCO(str(path))
        names = {k: c["name"] for k, c in index.cats.items()}
        for one in index.anns.values():
            x, y, w, h = one["bbox"]
            image = index.imgs[one["image_id"]]
            assert (tmp_path / "out" / "images").glob(f"*/{image['file_name']}")
            row = {"concept": names[one["category_id"]], "x0": x, "y0": y, "x1": x + w, "y1": y + h}
            found.append((image["original_id"], *key(row)))
    assert sorted(found) == sorted((row["image_id"], *key(row)) for row in labels(root))
    again = api.Store(tmp_path / "again")
    again.run("ingest", sources=[str(tmp_path / "out")])
    objects = again.table("objects").to_arrow().to_pylist()
    assert sorted(key({**o, "concept": o["category"]}) for o in objects) == sorted(
        key(row) for row in labels(root)
    )


def test_lvis_is_read_by_its_own_package(root: Path, tmp_path: Path) -> None:
    lvis = pytest.importorskip("lvis")
    export_labels(root, tmp_path / "out", "lvis", Wanted(where="kept"), "none")
    count = 0
    for path in (tmp_path / "out").glob("lvis_*.json"):
        index = lvis.LVIS(str(path))
        count += len(index.get_ann_ids())
        assert {c["frequency"] for c in index.dataset["categories"]} <= {"r", "c", "f"}
    assert count == len(labels(root))


def test_yolo_boxes_are_shares_of_their_image(root: Path, tmp_path: Path) -> None:
    export_labels(root, tmp_path / "out", "yolo", Wanted(where="kept"), "link")
    text = (tmp_path / "out" / "data.yaml").read_text()
    names = [json.loads(line.split(": ", 1)[1]) for line in text.splitlines() if line[:2] == "  "]
    assert names == ["dog", HOSTILE, "tree"]
    found = []
    for path in (tmp_path / "out" / "labels").rglob("*.txt"):
        picture = tmp_path / "out" / "images" / path.parent.name / f"{path.stem}.jpg"
        assert picture.is_symlink()
        wide, high = Image.open(picture).size
        for line in path.read_text().splitlines():
            k, x, y, w, _h = (float(word) for word in line.split())
            assert 0 <= x - w / 2 <= x + w / 2 <= 1 + 1e-6
            found.append((names[int(k)], round(x * wide), round(y * high), round(w * wide)))
    expected = [
        (r["concept"], round((r["x0"] + r["x1"]) / 2), round((r["y0"] + r["y1"]) / 2),
         round(r["x1"] - r["x0"]))
        for r in labels(root)
    ]  # fmt: skip
    assert len(found) == len(expected)
    for mine, theirs in zip(sorted(found), sorted(expected), strict=True):
        assert mine[0] == theirs[0]
        assert mine[1:] == pytest.approx(theirs[1:], abs=1)


def test_webdataset_tars_are_ingested_again(root: Path, tmp_path: Path) -> None:
    images, _ = export_labels(root, tmp_path / "out", "webdataset", Wanted(where="kept"), "copy")
    (tar,) = (tmp_path / "out").iterdir()
    with tarfile.open(tar) as members:
        assert len(members.getnames()) == 3 * images
    again = api.Store(tmp_path / "again")
    again.run("ingest", sources=[str(tar)])
    assert len(again.table("images")) == images
    assert len(again.table("captions")) == images


def test_parquet_keeps_ids_scores_and_boxes(root: Path, tmp_path: Path) -> None:
    export_labels(root, tmp_path / "out", "parquet", Wanted(where="kept"), "none")
    rows = pq.read_table(tmp_path / "out" / "labels.parquet").to_pylist()
    expected = labels(root)
    assert [(r["image_id"], r["region"], r["category"], r["score"]) for r in rows] == [
        (r["image_id"], r["region"], r["concept"], r["probability"]) for r in expected
    ]


def test_ids_do_not_depend_on_what_is_left_out(root: Path, tmp_path: Path) -> None:
    ids = []
    for name, where in (("all", "true"), ("few", "image_id LIKE '%2'")):
        export_labels(root, tmp_path / name, "parquet", Wanted(where=where), "none")
        rows = pq.read_table(tmp_path / name / "labels.parquet").to_pylist()
        ids.append({row["image_id"]: row["image"] for row in rows})
    assert len(ids[1]) < len(ids[0])
    assert all(ids[0][image] == number for image, number in ids[1].items())


def test_a_list_of_names_sets_their_order_and_leaves_others_out(root: Path, tmp_path: Path) -> None:
    wanted = Wanted(where="true", names=("tree", "dog", "nothing of ours"))
    _, count = export_labels(root, tmp_path / "out", "coco", wanted, "none")
    assert count == len([r for r in labels(root, "true") if r["concept"] in ("tree", "dog")])
    path = next((tmp_path / "out" / "annotations").iterdir())
    names = [c["name"] for c in json.loads(path.read_text())["categories"]]
    assert names == ["tree", "dog", "nothing of ours"]


def test_what_cannot_be_exported_leaves_nothing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(OptionError, match="exists"):
        export_labels(root, tmp_path / "there", "coco", Wanted())
    with pytest.raises(QueryError):
        export_labels(root, tmp_path / "out", "coco", Wanted(where="random() > 0.5"))
    with pytest.raises(OptionError, match="twice"):
        export_labels(root, tmp_path / "out", "coco", Wanted(names=("a", "a")))
    assert {path.name for path in tmp_path.iterdir()} == {"there"}
