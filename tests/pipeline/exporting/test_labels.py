"""Pseudo-labels handed on: read again by the other programs' own loaders, and by ours."""

from __future__ import annotations

import json
import tarfile
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from pipeline import api
from pipeline.exporting import yolo_format
from pipeline.exporting.labelled_images import ExportRequest, LabelledImage
from pipeline.exporting.labels import FORMATS, export_labels
from schemas.errors import OptionError, QueryError
from stages.synthetic.write import write_scenes
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
    made = export_labels(root, tmp_path / "out", form, ExportRequest(where="kept"), "copy")
    images, count = made.images, made.labels
    expected = labels(root)
    assert count == len(expected) > 0
    assert images == len({row["image_id"] for row in expected})
    assert set(tmp_path.iterdir()) - before == {tmp_path / "out"}
    for path in (tmp_path / "out").rglob("*"):
        assert "evil" not in path.name
        assert path.resolve().is_relative_to(tmp_path.resolve())


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
            found.append((image["original_id"], *key(row)))
    assert sorted(found) == sorted((row["image_id"], *key(row)) for row in labels(root))
    again = api.Store(tmp_path / "again")
    again.run("ingest", sources=[str(tmp_path / "out")])
    objects = again.table("objects").to_arrow().to_pylist()
    assert sorted(key({**o, "concept": o["category"]}) for o in objects) == sorted(
        key(row) for row in labels(root)
    )
    said = "SELECT captions FROM images WHERE image_id IN (SELECT image_id FROM {}) ORDER BY ALL"
    before = api.Store(root).sql(said.format("pseudo_labels WHERE kept"))
    assert again.sql(said.format("images")).to_arrow() == before.to_arrow()


@pytest.mark.parametrize(
    ("form", "json_file", "pictures"),
    [("lvis", "lvis_train.json", "images/train"), ("fiftyone", "labels.json", "data")],
)
def test_one_file_and_its_folder_are_ingested_again(
    root: Path, tmp_path: Path, form: str, json_file: str, pictures: str
) -> None:
    where = "image_id LIKE 'train/%'"
    count = export_labels(root, tmp_path / "out", form, ExportRequest(where=where), "link").labels
    again = api.Store(tmp_path / "again")
    out = tmp_path / "out"
    again.run("ingest", sources=[str(out / json_file), str(out / pictures)])
    objects = again.table("objects").to_arrow().to_pylist()
    assert count > 0
    assert sorted(key({**o, "concept": o["category"]}) for o in objects) == sorted(
        key(row) for row in labels(root, where)
    )


def test_lvis_is_read_by_its_own_package(root: Path, tmp_path: Path) -> None:
    lvis = pytest.importorskip("lvis")
    export_labels(root, tmp_path / "out", "lvis", ExportRequest(where="kept"), "none")
    count = 0
    for path in (tmp_path / "out").glob("lvis_*.json"):
        index = lvis.LVIS(str(path))
        count += len(index.get_ann_ids())
        assert {c["frequency"] for c in index.dataset["categories"]} <= {"r", "c", "f"}
    assert count == len(labels(root))


def test_yolo_boxes_are_shares_of_their_image(root: Path, tmp_path: Path) -> None:
    export_labels(root, tmp_path / "out", "yolo", ExportRequest(where="kept"), "link")
    told = yaml.safe_load((tmp_path / "out" / "data.yaml").read_text("ascii"))
    names = [told["names"][place] for place in range(len(told["names"]))]
    assert names == ["dog", HOSTILE, "tree"]
    assert "path" not in told  # or trainers would look from where they were started
    for split in ("train", "val"):
        assert (tmp_path / "out" / told[split]).is_dir()
    found, scores = [], []
    for path in (tmp_path / "out" / "labels").rglob("*.txt"):
        scored = tmp_path / "out" / "scores" / path.parent.name / path.name
        scores += [float(line) for line in scored.read_text().splitlines()]
        picture = tmp_path / "out" / "images" / path.parent.name / f"{path.stem}.jpg"
        assert picture.is_symlink()
        with Image.open(picture) as opened:
            wide, high = opened.size
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
    wanted = sorted(row["probability"] for row in labels(root))
    assert sorted(scores) == pytest.approx(wanted, abs=1e-6)
    for mine, theirs in zip(sorted(found), sorted(expected), strict=True):
        assert mine[0] == theirs[0]
        assert mine[1:] == pytest.approx(theirs[1:], abs=1)


@pytest.mark.parametrize(
    "name", ["\U0001d56f\U0001f436", 'a "b" \\ c', "no", "a: b # c", "\x85\u2028\x7f\t", "é", "- x"]
)
def test_any_name_is_itself_in_yaml(name: str) -> None:
    assert yaml.safe_load(f"0: {yolo_format._yaml_string(name)}") == {0: name}


def test_a_split_takes_no_word_that_means_something_else_in_yaml() -> None:
    assert [yolo_format._split_key(name) for name in ("train", "names", "nc")] == [
        "train",
        "names_",
        "nc_",
    ]


def test_webdataset_tars_are_ingested_again(root: Path, tmp_path: Path) -> None:
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


def test_a_shard_holds_so_many_images_and_no_more(
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


def test_parquet_keeps_ids_scores_and_boxes(root: Path, tmp_path: Path) -> None:
    export_labels(root, tmp_path / "out", "parquet", ExportRequest(where="kept"), "none")
    rows = pq.read_table(tmp_path / "out" / "labels.parquet").to_pylist()
    expected = labels(root)
    assert [(r["image_id"], r["region"], r["category"], r["score"]) for r in rows] == [
        (r["image_id"], r["region"], r["concept"], r["probability"]) for r in expected
    ]


def test_ids_do_not_depend_on_what_is_left_out(root: Path, tmp_path: Path) -> None:
    ids = []
    for name, where in (("all", "true"), ("few", "image_id LIKE '%2'")):
        export_labels(root, tmp_path / name, "parquet", ExportRequest(where=where), "none")
        rows = pq.read_table(tmp_path / name / "labels.parquet").to_pylist()
        ids.append({row["image_id"]: row["image"] for row in rows})
    assert len(ids[1]) < len(ids[0])
    assert all(ids[0][image] == number for image, number in ids[1].items())


def test_a_list_of_names_sets_their_order_and_leaves_others_out(root: Path, tmp_path: Path) -> None:
    wanted = ExportRequest(where="true", names=("tree", "dog", "nothing of ours"))
    made = export_labels(root, tmp_path / "out", "coco", wanted, "none")
    assert made.unknown_categories == ["nothing of ours"]
    assert made.labels == len([r for r in labels(root, "true") if r["concept"] in ("tree", "dog")])
    path = next((tmp_path / "out" / "annotations").glob("instances_*"))
    names = [c["name"] for c in json.loads(path.read_text())["categories"]]
    assert names == ["tree", "dog", "nothing of ours"]


def test_what_cannot_be_exported_leaves_nothing(root: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(OptionError, match="exists"):
        export_labels(root, tmp_path / "there", "coco", ExportRequest())
    with pytest.raises(QueryError):
        export_labels(root, tmp_path / "out", "coco", ExportRequest(where="random() > 0.5"))
    with pytest.raises(OptionError, match="no label is left to export"):
        export_labels(root, tmp_path / "out", "coco", ExportRequest(where="false"))
    with pytest.raises(OptionError, match="twice"):
        export_labels(root, tmp_path / "out", "coco", ExportRequest(names=("a", "a")))
    assert {path.name for path in tmp_path.iterdir()} == {"there"}


@pytest.mark.parametrize("pack", [False, True])
def test_turned_images_are_written_upright_and_packed_ones_are_copied(
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


def test_no_split_leaves_the_folder() -> None:
    row = {"orientation": 1, "format": "PNG"}
    assert LabelledImage(7, {**row, "split": "../up"}).split == "___up"
    assert LabelledImage(7, {**row, "split": None}).split == "all"
    assert LabelledImage(7, {**row, "split": "val2017"}).file_name == "000000000007.png"
