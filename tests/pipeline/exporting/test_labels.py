"""Export of pseudo-labels in every format: which labels are written, and where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from pipeline.exporting.labelled_images import ExportRequest
from pipeline.exporting.labels import FORMATS, export_labels
from pipeline.store import catalog
from schemas.errors import OptionError, QueryError
from stages.reviewing.exported_labels import FILE_NAME, read_exported_labels
from tests.pipeline.exporting.labelled_store import labels

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_every_label_is_written_once_and_no_file_outside_the_folder(
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


@pytest.mark.slow
def test_image_ids_do_not_depend_on_what_is_left_out(root: Path, tmp_path: Path) -> None:
    ids = []
    for name, where in (("all", "true"), ("few", "image_id LIKE '%2'")):
        export_labels(root, tmp_path / name, "parquet", ExportRequest(where=where), "none")
        rows = pq.read_table(tmp_path / name / "labels.parquet").to_pylist()
        ids.append({row["image_id"]: row["image"] for row in rows})
    assert len(ids[1]) < len(ids[0])
    assert all(ids[0][image] == number for image, number in ids[1].items())


@pytest.mark.slow
def test_a_list_of_categories_sets_their_order_and_leaves_others_out(
    root: Path, tmp_path: Path
) -> None:
    wanted = ExportRequest(where="true", names=("tree", "dog", "nothing of ours"))
    made = export_labels(root, tmp_path / "out", "coco", wanted, "none")
    assert made.unknown_categories == ["nothing of ours"]
    assert made.labels == len([r for r in labels(root, "true") if r["concept"] in ("tree", "dog")])
    path = next((tmp_path / "out" / "annotations").glob("instances_*"))
    names = [c["name"] for c in json.loads(path.read_text())["categories"]]
    assert names == ["tree", "dog", "nothing of ours"]


@pytest.mark.slow
def test_a_refused_export_leaves_no_files(root: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(OptionError, match="exists"):
        export_labels(root, tmp_path / "there", "coco", ExportRequest())
    with pytest.raises(QueryError):
        export_labels(root, tmp_path / "out", "coco", ExportRequest(where="random() > 0.5"))
    with pytest.raises(OptionError, match=r"no label of .* is left to export"):
        export_labels(root, tmp_path / "out", "coco", ExportRequest(where="false"))
    with pytest.raises(OptionError, match="twice"):
        export_labels(root, tmp_path / "out", "coco", ExportRequest(names=("a", "a")))
    assert {path.name for path in tmp_path.iterdir()} == {"there"}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMATS)
def test_what_people_mend_has_every_label_beside_it_and_nothing_else_does(
    root: Path, tmp_path: Path, form: str
) -> None:
    export_labels(root, tmp_path / "out", form, ExportRequest(), "none")
    assert (tmp_path / "out" / FILE_NAME).exists() == (form in ("label-studio", "cvat", "coco"))
    assert FORMATS[form].comes_back == (tmp_path / "out" / FILE_NAME).exists()
    if not FORMATS[form].comes_back:
        return
    rows = pq.read_table(tmp_path / "out" / FILE_NAME).to_pylist()
    names = ("image_id", "region", "concept_id", "concept", "x0", "y0", "x1", "y1")
    assert [[row[name] for name in names] for row in rows] == [
        [row[name] for name in names] for row in labels(root)
    ]
    exported = read_exported_labels(tmp_path / "out")
    assert exported.address == catalog.find(root, "pseudo_labels").address
    text = "".join(path.read_text() for path in (tmp_path / "out").rglob("*.[jx]*"))
    assert all(row["file"] in text for row in rows)
