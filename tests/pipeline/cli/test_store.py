"""`rc status`, `rc verify`, `rc gc`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from pipeline.store import catalog, unfinished
from pipeline.store.atomic import exclusively
from pipeline.store.manifest import NAME
from schemas.errors import OptionError, StageError
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.select import Select
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Ingest, Label, LabelFromImages, Propose, Train

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_status_lists_artifacts_and_unfinished_runs(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    images = make(Ingest(), root)
    rc("propose", "--break-part", 1)
    result = rc("status")
    assert result.code == 0
    line, *_ = result.out.splitlines()
    assert line.startswith(images.address)
    assert "20 rows" in line
    assert len(line) < 80
    assert result.err.startswith("proposals/v1-")
    assert "failed: rc propose: 1 of 4 parts failed; part 1 said: " in result.err
    (facts,) = map(json.loads, rc("status", "--json").out.splitlines())
    assert (facts["address"], facts["rows"], facts["stage"]) == (images.address, 20, "ingest")


def test_status_of_nothing_says_where_to_begin(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    result = rc("status")
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith(
        f"nothing is in {root} yet; begin with 'rc ingest', or name another"
    )
    root.rmdir()
    result = rc("status")
    assert (result.code, result.out) == (1, "")
    start = f"nothing is in {root} yet (there is no such folder); begin with 'rc ingest', "
    assert result.err == f"error: {start}or name another store with --store\n"


READING = (
    *("status", "lineage images", "verify", "verify images", "gc", "gc --yes", "show images"),
    *("sql FROM", "db x.duckdb", "queries", "what-if", "diff a b", "compare a b", "report labels"),
    *("search x", "duplicates", "view", "view --static x", "export coco x"),
    *("export-weights teachers x", "export-features features x", "export-detections detections x"),
    *("push x", "merge-concepts OUT"),
)


@pytest.mark.parametrize("words", READING)
def test_a_store_that_is_not_there_is_an_error_for_every_command_that_reads(  # type: ignore[no-untyped-def]
    rc, tmp_path: Path, words: str
) -> None:
    tmp_path.joinpath("file").write_text("")
    for store in (tmp_path / "nowhere", tmp_path / "file"):
        given = [word.replace("OUT", str(tmp_path / "out")) for word in words.split()]
        result = rc(*given, "--store", store)
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith(f"error: nothing is in {store} yet (there is no such folder)")


@pytest.mark.slow
def test_an_unreadable_manifest_is_named_and_left_out_and_the_rest_works(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root)
    unused = make(Ingest(count=4), root)
    make(Ingest(refuse_every=7), root)  # asked for last
    unused.path.joinpath(NAME).write_text("{")
    result = rc("status")
    assert (result.code, len(result.out.splitlines())) == (0, 9)
    assert result.out.splitlines()[0].split() == [unused.address, "damaged"]
    assert json.loads(rc("status", "--json").out.splitlines()[0])["address"] == unused.address
    assert rc("sql", "SELECT count(*) FROM images", "--format", "csv").out.split()[1] == "17"
    assert rc("gc").out == ""
    assert rc("propose", "--regions", 4).code == 0
    assert rc("show", "images").code == 0
    assert f"{unused.address}/{NAME}" in rc("verify").err
    result = rc("show", unused.address)
    assert (result.code, result.err.startswith(f"error: {unused.path / NAME} cannot be")) == (
        1,
        True,
    )


@pytest.mark.slow
def test_the_warning_names_the_artifact_once(  # type: ignore[no-untyped-def]
    root: Path, caplog
) -> None:
    path = make(Ingest(), root).path
    path.joinpath(NAME).write_text("[]")
    for _ in range(2):
        assert catalog.everything(root) == []
    (record,) = caplog.records
    assert record.message.startswith(
        f"warning: images/{path.name} is left out: {path / NAME} cannot"
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        *(
            "what-if",
            "report labels --out OUT",
            "export parquet OUT --images none",
            "duplicates --regions",
        ),
        *("export-features features OUT", "train"),
    ],
)
def test_an_empty_condition_is_refused_by_every_command_that_takes_one(  # type: ignore[no-untyped-def]
    rc, root: Path, tmp_path: Path, words: str
) -> None:
    make_all(root, 6)
    for condition in ("", " \n"):
        said = [word.replace("OUT", str(tmp_path / "out")) for word in words.split()]
        result = rc(*said, "--where", condition)
        assert (result.code, result.out) == (1, "")
        assert "--where is empty, as an unset shell variable makes it: write a" in result.err
        assert not list(tmp_path.glob("out*"))


def test_a_store_is_named_by_its_absolute_path(rc, monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    assert f"nothing is in {tmp_path / 'here'} yet" in rc("status", "--store", "here").err
    assert f"nothing is in {tmp_path / 'here'} yet" in rc("show", "images", "--store", "here").err


def test_a_run_that_failed_for_good_is_listed_with_its_reason(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    folder = root / "students" / "v1-0123456789ab"
    folder.mkdir(parents=True)
    with pytest.raises(StageError), unfinished.failures_recorded(folder):
        raise StageError("the loss became nan at step 3\x1b[2J")
    told = "failed: the loss became nan at step 3�[2J (rc gc removes it)"
    assert rc("status").err == f"students/v1-0123456789ab  {told}\n"


@pytest.mark.slow
def test_status_says_where_files_lay_and_what_a_selection_is_called(  # type: ignore[no-untyped-def]
    rc, root: Path, tmp_path: Path
) -> None:
    made = make_all(root)
    make(Ingest(sources=(str(tmp_path / "a.tar"), str(tmp_path / "b.tar"))), root)
    inputs = {"pseudo_labels": made["pseudo_labels"].address}
    address = make(Select(called="sure", where="region = 0"), root, inputs).address
    lines = rc("status").out.splitlines()
    (row,) = [n for n, line in enumerate(lines) if line.startswith(address)]
    assert lines[row + 1] == "    called sure"
    assert f"    from {tmp_path / 'a.tar'} and 1 more" in lines


@pytest.mark.slow
def test_status_says_what_tells_artifacts_of_one_table_apart(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root, count=2)
    assert "temperature" not in rc("status").out
    first = catalog.find(root, "students")
    second = make(Label(temperature=0.5), root)
    third = make(Train(where="probability > 0.2 AND 'a\nb' = 'a\nb'"), root)
    lines = rc("status").out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    below = {line.split()[0]: lines[n + 1].strip() for n, line in enumerate(lines[:-1])}
    assert below[second.address] == "temperature 0.5"
    assert below[first.address].startswith("where none, pseudo-labels pseudo_labels/v")
    said = lines[-1].strip()
    assert said.startswith("where probability > 0.2 AND 'a\ufffdb' = 'a\ufffdb', pseudo-labels pse")
    assert said.endswith("…")
    assert lines[-2].startswith(third.address)


@pytest.mark.slow
def test_status_and_lineage_say_what_labels_without_features_were_made_of(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    images = make_all(root, count=4)["images"].address
    labels = make(LabelFromImages(from_images=True), root)
    lines = rc("status").out.splitlines()
    line = f"    from {images}, by --from-images: no features are stored"
    assert lines.count(line) == 1
    assert lines[lines.index(line) - 1].startswith(labels.address)
    facts = [json.loads(row) for row in rc("status", "--json").out.splitlines()]
    assert facts[-1]["inputs"] == labels.manifest.inputs
    assert f"  images: {images}\n" in rc("lineage", labels.address).out


def test_a_selection_is_found_by_its_name_alone_and_never_swept(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    labels = make_all(root)["pseudo_labels"]
    inputs = {"pseudo_labels": labels.address}
    old = make(Select(called="sure", where="region = 0"), root, inputs)
    new = make(Select(called="sure", where="region = 1"), root, inputs)
    assert catalog.find(root, "pseudo_labels") == labels
    assert catalog.find(root, "pseudo_labels@sure") == new
    assert catalog.of_table(root, PSEUDO_LABELS, "sure") == new
    assert catalog.unselected(new) == labels
    swept = catalog.sweepable(root)
    assert old.path in swept
    assert new.path not in swept
    with pytest.raises(OptionError, match="'images@00' is no pseudo_labels"):
        catalog.of_table(root, PSEUDO_LABELS, "images@00")


@pytest.mark.slow
def test_verify_is_content_with_what_is_whole(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root)
    result = rc("verify")
    assert (result.code, result.out) == (0, "8 artifacts verified: every hash holds\n")


@pytest.mark.slow
def test_verify_names_every_file_that_differs_over_all_artifacts(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    made = make_all(root)
    made["images"].part(2).write_bytes(b"x")
    made["proposals"].path.joinpath("part-00001.dump.txt").unlink()
    made["features"].path.joinpath(NAME).write_text("{}")
    result = rc("verify")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("error: 3 files differ from their manifests or are missing: ")
    for place in (
        f"{made['images'].address}/part-00002.parquet",
        f"{made['proposals'].address}/part-00001.dump.txt",
        f"{made['features'].address}/{NAME}",
    ):
        assert place in result.err
    assert rc("verify", made["teachers"].address).code == 0
    assert rc("verify", "images").code == 1


@pytest.mark.slow
def test_gc_lists_first_and_deletes_when_told(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    older, newer = make(Ingest(), root), make(Ingest(count=3), root)
    rc("propose", "--break-part", 0)
    result = rc("gc")
    lines = result.out.splitlines()
    assert lines[0] == f"{older.address}  superseded, and nothing refers to it"
    assert lines[1].startswith("proposals/v1-")
    assert lines[1].endswith("  unfinished")
    assert result.err == "2 folders would be deleted; add --yes to do it\n"
    assert older.path.exists()
    told = rc("gc", "--yes")
    assert told.out == result.out
    assert told.err.startswith("deleted 2 folders, ")
    assert [a.path for a in catalog.everything(root)] == [newer.path]
    assert not list(root.glob("proposals/v*"))


@pytest.mark.slow
def test_gc_deletes_nothing_while_a_run_is_under_way(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    older = make(Ingest(), root)
    make(Ingest(count=3), root)
    with exclusively(catalog.lock(root / "proposals" / "v1-0123456789ab"), lambda: None):
        result = rc("gc", "--yes")
    assert result.code == 1
    assert "nothing was deleted: proposals/v1-0123456789ab is being made" in result.err
    assert older.path.exists()


@pytest.mark.slow
def test_what_gc_keeps_is_whole(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root)
    make(Propose(regions=1), root)
    make(Ingest(count=2), root)
    rc("gc", "--yes")
    assert rc("verify").code == 0
