"""Names in Chinese go from captions through every stage to tables, pages and exports unchanged."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import yaml

from pipeline import api
from pipeline.cli import main
from pipeline.demo import weights_folder
from pipeline.gallery import page_queries
from pipeline.gallery.connection_pool import ConnectionPool
from stages.synthetic.dataset_writers import write_scenes

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

NAMES = ["狗", "公共汽车", "玻璃杯"]
CAPTION = "街上有一辆红色的公共汽车、一只狗和玻璃杯。"
SMALL: dict[str, Any] = {"resize": "192x400"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> api.Store:
    """Labels of three scenes that have a caption in Chinese, from a list of names."""
    folder = tmp_path_factory.mktemp("chinese")
    write_scenes(folder / "scenes", "scenes", 3, 3)
    captions = folder / "scenes" / "annotations" / "captions_scenes.json"
    content = json.loads(captions.read_text())
    for annotation in content["annotations"]:
        annotation["caption"] = CAPTION
    captions.write_text(json.dumps(content))
    (folder / "names.txt").write_text("\n".join(NAMES), encoding="utf-8")
    (folder / "templates.txt").write_text("一张{}的照片。\n", encoding="utf-8")
    store, data = api.Store(folder / "store"), weights_folder()
    store.run("ingest", sources=[str(folder / "scenes")])
    store.run("extract-concepts", from_file=folder / "names.txt", parser="lexicon")
    files = {"model": "teacher_model.json", "pretrained": "teacher.safetensors"}
    teacher = store.run("pretrain", steps=0, **{k: str(data / file) for k, file in files.items()})
    store.run("embed-concepts", templates=str(folder / "templates.txt"))
    store.run("propose", random=True, regions=6)
    features = store.run("featurize", {"teacher": teacher}, whole_image=False, **SMALL)
    store.run("label", {"features": features}, temperature=0.02, among="captions")
    return store


def test_concepts_mentions_and_labels_have_the_names(store: api.Store) -> None:
    concepts = store.sql("SELECT concept, examples FROM concepts ORDER BY concept_id").to_arrow()
    assert concepts.column("concept").to_pylist() == NAMES
    assert concepts.column("examples").to_pylist()[0][0] == CAPTION
    assert set(store.sql("SELECT concept FROM mentions").to_arrow()["concept"].to_pylist()) == set(
        NAMES
    )
    labels = store.sql("SELECT concept FROM pseudo_labels").to_arrow()["concept"].to_pylist()
    assert labels
    assert set(labels) <= set(NAMES)
    one = labels[0]
    count = store.sql(f"SELECT count(*) AS n FROM pseudo_labels WHERE concept = '{one}'").to_arrow()
    assert count["n"].to_pylist() == [labels.count(one)]


def test_the_names_fill_templates_and_the_run_says_how_they_are_read(store: api.Store) -> None:
    notes = store.artifact("concept_embeddings").manifest.notes
    assert notes["templates"] == ["一张{}的照片。"]
    assert notes["in_bytes"] == [3, "狗"]
    (_, said) = notes["summary"]
    assert said.startswith("3 concepts in other letters than Latin, such as '狗'")
    rows = store.sql("SELECT embedding FROM concept_embeddings").to_arrow()["embedding"].to_pylist()
    assert len({tuple(row) for row in rows}) == 3


def test_pages_of_the_gallery_find_the_names(store: api.Store) -> None:
    one = store.sql("SELECT concept FROM pseudo_labels WHERE kept").to_arrow()["concept"][0].as_py()
    page = page_queries.images(ConnectionPool(store.root), {"concept": one})
    assert page["images"]


@pytest.mark.parametrize("form", ["coco", "yolo", "parquet", "label-studio", "cvat"])
def test_exports_have_the_names(store: api.Store, tmp_path: Path, form: str) -> None:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    words = ["export", form, tmp_path / "out", "--store", store.root, "--images", "none"]
    try:
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert not left.value.code
    assert all(name in exported(tmp_path / "out", form) for name in NAMES)


def exported(folder: Path, form: str) -> str:
    """The texts of the files that say what categories are called, without escapes."""
    if form == "parquet":
        return str(pq.read_table(folder / "categories.parquet").to_pylist())
    if form == "yolo":
        return str(yaml.safe_load((folder / "data.yaml").read_text("utf-8")))
    files = [*folder.rglob("*.json"), *folder.rglob("*.xml")]
    return "".join(path.read_text("utf-8") for path in files)
