"""What annotation programs give back, compared with what was exported: rows of reviews."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from schemas.errors import ArtifactError, OptionError, SourceError
from stages.import_reviews import ImportReviews
from tests.stages.reviewing import returned
from tests.stages.reviewing.importing import LABEL_ROWS, imported
from tests.stages.reviewing.small_export import regions_of_annotations, write_export

if TYPE_CHECKING:
    from collections.abc import Callable

EDITS: Any = {(3, 0): "cat", (3, 1): None, (7, 0): (2.0, 2.0, 25.0, 31.0), (7, 2): "wolf"}
NEW = {7: (5.0, 5.0, 12.0, 12.0)}
SIDES = ("x0", "y0", "x1", "y1")


def coco(folder: Path, edits: Any, new: Any = None) -> Path:
    return returned.coco(folder, edits, new, regions_of_annotations())


RETURNED: dict[str, Callable[..., Path]] = {
    "label-studio": returned.label_studio,
    "cvat": returned.cvat,
    "coco": coco,
}
FORM = pytest.mark.parametrize("form", RETURNED)


def verdicts(rows: list[dict[str, Any]]) -> dict[tuple[str, int], Any]:
    """Verdict, name and box of each label, without what is null at the end."""
    found = {}
    for row in rows:
        sides = [row[side] for side in SIDES if row[side] is not None]
        found[row["image_id"], row["region"]] = (row["verdict"], row["concept"], *sides)
    return found


@FORM
def test_what_nobody_touched_is_right(tmp_path: Path, form: str) -> None:
    folder = write_export(tmp_path / "out", form)
    rows, said, part = imported(RETURNED[form](folder, {}), folder)
    about = [{name: row[name] for name in ("image_id", "region", "concept_id")} for row in rows]
    assert about == LABEL_ROWS
    assert {row["verdict"] for row in rows} == {"right"}
    assert {row[name] for row in rows for name in ("concept", *SIDES)} == {None}
    assert said == ["5 labels of 2 images reviewed: 5 right", ""]
    assert part.refused == []


@FORM
def test_every_edit_comes_back(tmp_path: Path, form: str) -> None:
    folder = write_export(tmp_path / "out", form)
    rows, said, part = imported(RETURNED[form](folder, EDITS, NEW), folder)
    assert verdicts(rows) == {
        ("image/3", 0): ("wrong", "cat"),
        ("image/3", 1): ("wrong", None),
        ("image/7", 0): ("wrong-box", None, 2.0, 2.0, 25.0, 31.0),
        ("image/7", 1): ("right", None),
        ("image/7", 2): ("wrong", "wolf"),
    }
    assert said[0] == (
        "5 labels of 2 images reviewed: 1 right, 2 renamed, 1 moved, 1 deleted; 1 new box left out"
    )
    assert said[1] == "1 other name than the export offered: 'wolf'"
    assert part.refused == []


def test_label_studio_and_cvat_say_what_became_of_a_label_that_was_moved_far(
    tmp_path: Path,
) -> None:
    for form in ("label-studio", "cvat"):
        folder = write_export(tmp_path / form, form)
        far = {(3, 0): (1.0, 40.0, 9.0, 50.0)}
        rows, _, _ = imported(RETURNED[form](folder, far), folder)
        assert verdicts(rows)["image/3", 0] == ("wrong-box", None, 1.0, 40.0, 9.0, 50.0)


def test_images_without_annotation_or_outside_the_export_are_counted(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "out", "label-studio")
    file = returned.label_studio(folder, {})
    tasks = json.loads(file.read_text())
    tasks[0]["annotations"] = []
    tasks.append({"data": {"image": "x.jpg", "image_id": "else/1"}, "annotations": [{}]})
    file.write_text(json.dumps(tasks))
    rows, said, _ = imported(file, folder)
    assert {row["image_id"] for row in rows} == {"image/7"}
    assert said == [
        "3 labels of 1 image reviewed: 3 right; 1 image without annotation left out",
        "not of the export, left out: 1 image of the file ('else/1')",
        "",
    ]
    file.write_text(json.dumps(tasks[1:2]))
    assert "not in the file: 1 image of the export" in imported(file, folder)[1]


def test_nothing_judged_is_one_sentence(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "out", "label-studio")
    rows, said, _ = imported(folder / "tasks.json", folder)
    assert rows == []
    assert said[-1].endswith("no image was judged: of 2 images in the file, 0 were not exported "
                             "and 2 have no finished annotation")  # fmt: skip
    other = tmp_path / "other.json"
    other.write_text('[{"data": {"image_id": "a"}, "annotations": [{"result": []}]}]')
    _, said, _ = imported(other, folder)
    assert "none of 1 image of the file was exported to that folder ('a')" in said[-2]
    assert said[-1] == "1 of 1 images of the file were not exported to that folder"


def test_each_person_has_an_opinion_and_the_latest_counts(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "out", "label-studio")
    file = returned.label_studio(folder, {}, completed_by={"id": 1, "email": "ann@example.org"})
    tasks = json.loads(file.read_text())
    (first,) = tasks[0]["annotations"]
    late = {**first, "result": [], "updated_at": "2026-03-10T00:00:00Z"}
    other = {**first, "completed_by": 12, "result": first["result"][:1]}
    cancelled = {**first, "completed_by": 13, "was_cancelled": True}
    tasks[0]["annotations"] = [late, first, other, cancelled]
    file.write_text(json.dumps(tasks[:1]))
    rows, said, _ = imported(file, folder)
    assert [(r["reviewer"], r["region"], r["verdict"]) for r in rows] == [
        ("12", 0, "right"),
        ("12", 1, "wrong"),
        ("ann@example.org", 0, "wrong"),
        ("ann@example.org", 1, "wrong"),
    ]
    assert rows[-1]["time"].isoformat() == "2026-03-10T00:00:00+00:00"
    assert said[0].startswith(
        "2 labels of 1 image reviewed by 2 people, 4 opinions: 1 right, 3 deleted"
    )
    assert "1 annotation deleted every label of the image" in said
    assert "left out: 1 earlier annotation of the same people about the same images" in said
    assert "not read: 1 cancelled annotation" in said
    rows, _, _ = imported(file, folder, reviewer="all of us")
    assert [(r["reviewer"], r["verdict"]) for r in rows] == [("all of us", "wrong")] * 2


def test_labels_of_other_pseudo_labels_are_refused(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "out", "cvat")
    file = returned.cvat(folder, {})
    changed = [{**LABEL_ROWS[0], "concept_id": 2}, *LABEL_ROWS[1:]]
    with pytest.raises(ArtifactError, match=r"no region 0 of 'image/3' with that concept"):
        imported(file, folder, changed)


def test_labels_in_any_order_and_others_among_them_are_those_that_were_exported(
    tmp_path: Path,
) -> None:
    folder = write_export(tmp_path / "out", "cvat")
    other = {"image_id": "image/1", "region": 0, "concept_id": 1}
    more = [{**LABEL_ROWS[0], "region": 9}, *reversed(LABEL_ROWS), other]
    rows, _, _ = imported(returned.cvat(folder, {}), folder, more)
    assert len(rows) == len(LABEL_ROWS)
    with pytest.raises(ArtifactError, match="no region 2 of 'image/7'"):
        imported(returned.cvat(folder, {}), folder, LABEL_ROWS[:-1])


def test_the_file_and_the_labels_decide_the_fingerprint(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "out", "cvat")
    stage = ImportReviews(called="first", file=returned.cvat(folder, {}), exported=folder)
    before = stage.digests()
    returned.cvat(folder, EDITS)
    assert stage.digests()["file"] != before["file"]
    assert stage.digests()["exported"] == before["exported"]
    assert stage.recipe() == {"called": "first", "reviewer": None, "limit": None}


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="'First' is no name for reviews"):
        ImportReviews(called="First")
    for reviewer in ("a\nb", "\udcff", "x" * 201):
        with pytest.raises(OptionError, match="--reviewer must be a printable text of at most 200"):
            ImportReviews(called="first", reviewer=reviewer)
    with pytest.raises(OptionError, match="needs --exported FOLDER"):
        ImportReviews(called="first").digests()
    stage = ImportReviews(called="first", file=tmp_path / "none.json", exported=tmp_path)
    with pytest.raises(SourceError, match=r"none.json cannot be read \(No such file"):
        stage.digests()
