"""`rc import-reviews`: labels are exported, come back, and are reviews of what was exported."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cli.app import make_app
from pipeline.cli.reference import commands_page
from pipeline.store import catalog
from pipeline.verbs import VERBS, Verb
from tests.pipeline.helpers import make_all, rows_of
from tests.stages.reviewing import returned

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

VERB = Verb("import-reviews", "Import what people mended in an exported folder.", own_command=True)


@pytest.fixture(autouse=True)
def real_verb(toy_verbs: None) -> None:
    """Toys for all but this verb; the fixture restores them."""
    VERBS[VERB.name] = VERB


@pytest.fixture
def exported(rc: Any, root: Path, tmp_path: Path) -> Path:
    """A folder for CVAT."""
    make_all(root, count=8)
    words = ("--images", "none", "--where", "true", "--quiet")
    assert rc("export", "cvat", tmp_path / "out", *words).code == 0
    return tmp_path / "out"


def test_what_comes_back_is_of_the_labels_that_were_exported(
    rc: Any, root: Path, exported: Path
) -> None:
    of = catalog.find(root, "pseudo_labels")
    make_all(root, count=5)  # newer
    assert catalog.find(root, "pseudo_labels").address != of.address
    rows = rows_of(of).to_pylist()
    file = returned.cvat(exported, {})
    answer = rc("import-reviews", "mended", file, "--exported", exported, "--reviewer", "ann")
    assert answer.code == 0, answer.err
    made = catalog.find(root, "reviews@mended")
    images = len({row["image_id"] for row in rows})
    line = f"{len(rows)} labels of {images} images reviewed: {len(rows)} right"
    assert answer.out == f"{made.address}  {line}\n"
    assert dict(made.manifest.inputs) == {"pseudo_labels": of.address}
    keys = [(row["image_id"], row["region"], row["concept_id"]) for row in rows]
    reviews = rows_of(made).to_pylist()
    assert sorted((r["image_id"], r["region"], r["concept_id"]) for r in reviews) == sorted(keys)
    assert {row["reviewer"] for row in reviews} == {"ann"}


def test_it_is_made_once_and_says_which_files_it_read(rc: Any, root: Path, exported: Path) -> None:
    words = ("import-reviews", "mended", exported / "annotations.xml", "--exported", exported)
    first = rc(*words)
    assert rc(*words).out == first.out
    lines = rc("lineage", "reviews@mended").out.splitlines()
    assert "rc import-reviews mended" in [line.strip() for line in lines]
    assert f"exported: {exported}" in [line.strip() for line in lines]
    answer = rc("import-reviews", "again", *words[2:], "--json", "--dry-run")
    assert answer.code == 0
    found = rc(*words, "--json", "--force")
    assert json.loads(found.out)["notes"]["reviews"]["deleted"] == 0


def test_what_cannot_be_done_is_one_sentence(rc: Any, exported: Path, tmp_path: Path) -> None:
    file = exported / "annotations.xml"
    (tmp_path / "empty").mkdir()
    (tmp_path / "none.json").write_text('[{"data": {"image": "a.jpg"}}]')
    for words, sentence in (
        (("Mended", file, "--exported", exported), "'Mended' is no name for reviews"),
        (("mended", file), "needs --exported FOLDER"),
        (("mended", tmp_path / "x", "--exported", exported), "x cannot be read (No such file"),
        (("mended", "--exported", exported), "cannot be read (Is a directory)"),
        (("mended", file, "--exported", tmp_path / "empty"), "name the folder that rc export"),
        (("mended", tmp_path / "none.json", "--exported", exported), "none of 1 image of the fi"),
    ):
        answer = rc("import-reviews", *words)
        assert (answer.code, answer.out) == (1, "")
        assert sentence in answer.err
        assert answer.err.startswith("error: ")
        assert len(answer.err.splitlines()) == 1


def test_labels_that_the_store_no_longer_has_are_named(
    rc: Any, root: Path, exported: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    words = ("mended", exported / "annotations.xml", "--exported", exported)
    answer = rc("import-reviews", *words, "--store", tmp_path / "other")
    assert answer.code == 1
    assert catalog.find(root, "pseudo_labels").address in answer.err


def test_the_help_and_the_page_of_commands_have_its_own_options() -> None:
    page = commands_page(make_app([], load_all=True))
    section = page.split("\n## rc import-reviews\n")[1].split("\n## ")[0]
    assert "| `--exported` |  | folder that rc export" in section
    assert "--pseudo-labels" not in section
    assert "--limit" not in section
