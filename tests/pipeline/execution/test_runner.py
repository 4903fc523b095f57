"""The promise of the runner: the same recipe is the same artifact, whatever happened on the way."""

from __future__ import annotations

import json
import signal
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

import pytest

from pipeline.execution import planning, runner
from pipeline.execution.inputs import resolve
from pipeline.store import catalog, unfinished
from pipeline.store.manifest import NAME
from schemas.errors import ArtifactError, ArtifactNotFoundError, QueryError, StageError
from stages.outcome import Outcome, Result
from tests.pipeline.helpers import ROOT, Listener, command, contents, make, make_all, rows_of
from tests.pipeline.toys import (
    ExtractConcepts,
    Featurize,
    Ingest,
    Label,
    Pretrain,
    Propose,
    Train,
)
from tests.waiting import HANG_S, until

if TYPE_CHECKING:
    from pathlib import Path


def computed(log: Path) -> list[tuple[str, int]]:
    """Verb and part of everything that was computed, in order of part."""
    lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
    return sorted((verb, int(number)) for verb, number, _ in lines)


def test_a_failed_part_leaves_no_artifact_but_keeps_the_others(root: Path) -> None:
    said = r"1 of 4 parts failed; part 2 said: ZeroDivisionError: a part was told to fail\. The"
    with pytest.raises(StageError, match=said):
        make(Ingest(break_part=2), root)
    with pytest.raises(ArtifactNotFoundError):
        catalog.find(root, "images")
    parts = sorted(path.name for path in root.glob("images/v*/part-*.parquet"))
    assert parts == ["part-00000.parquet", "part-00001.parquet", "part-00003.parquet"]


class Hopeless(Ingest):
    """Fails in every part, for one reason."""

    def run(self, part):  # type: ignore[no-untyped-def]
        raise ValueError("the file is of another format")


def test_what_every_part_says_is_said_once_and_asks_for_no_retry(root: Path) -> None:
    said = r"^rc ingest: ValueError: the file is of another format\.$"
    with pytest.raises(StageError, match=said):
        make(Hopeless(), root)


def test_a_rerun_computes_only_the_missing_part(root: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError):
        make(Ingest(break_part=2), root)
    make(Ingest(mark=str(tmp_path / "log")), root)
    assert computed(tmp_path / "log") == [("ingest", 2)]


@pytest.mark.slow
@pytest.mark.parametrize("harm", ["truncate", "flip", "delete", "receipt", "bad receipt"])
def test_a_damaged_part_of_an_unfinished_run_is_computed_again(
    root: Path, tmp_path: Path, harm: str
) -> None:
    peace = make(Ingest(), tmp_path / "peace")
    with pytest.raises(StageError):
        make(Ingest(break_part=3), root)
    (part,) = root.glob("images/v*/part-00001.parquet")
    receipt = part.parent / ".receipts" / "part-00001.json"
    content = part.read_bytes()
    match harm:
        case "truncate":
            part.write_bytes(content[:-10])
        case "flip":
            part.write_bytes(content[:40] + bytes([content[40] ^ 1]) + content[41:])
        case "delete":
            part.unlink()
        case "receipt":
            receipt.unlink()
        case _:
            receipt.write_text(receipt.read_text()[:-9])
    made = make(Ingest(mark=str(tmp_path / "log")), root)
    assert computed(tmp_path / "log") == [("ingest", 1), ("ingest", 3)]
    assert contents(made.path) == contents(peace.path)


@pytest.mark.slow
def test_a_finished_artifact_whose_list_of_parts_is_damaged_is_not_taken_for_whole(
    root: Path,
) -> None:
    path = make(Ingest(), root).path
    (path / "parts.jsonl").write_bytes(b"")
    (path / NAME).touch()  # forget what was read
    with pytest.raises(ArtifactError, match=r"parts.jsonl cannot be read: .* and --force"):
        make(Ingest(), root)
    assert make(Ingest(), root, force=True).numbers == [0, 1, 2, 3]


def test_a_damaged_attachment_makes_its_part_be_computed_again(root: Path, tmp_path: Path) -> None:
    make(Ingest(), root)
    with pytest.raises(StageError):
        make(Propose(break_part=0), root)
    (dump,) = root.glob("proposals/v*/part-00002.dump.txt")
    dump.write_text("something else")
    made = make(Propose(mark=str(tmp_path / "log")), root)
    assert computed(tmp_path / "log") == [("propose", 0), ("propose", 2)]
    assert dump.read_text().startswith("toy/000010\n")
    assert [file.name for file in made.parts[2].files] == ["part-00002.dump.txt"]


@pytest.mark.slow
def test_every_artifact_is_byte_identical_after_an_interruption(root: Path, tmp_path: Path) -> None:
    peace = make_all(tmp_path / "peace")
    for table, stage in (
        ("images", Ingest(count=20, refuse_every=7)),
        ("concepts", ExtractConcepts()),
        ("proposals", Propose()),
        ("teachers", Pretrain()),
        ("features", Featurize()),
    ):
        with pytest.raises(StageError):
            make(replace(stage, break_part=0), root)
        assert contents(make(stage, root).path) == contents(peace[table].path)


@pytest.mark.slow
def test_nothing_hidden_is_left_in_a_finished_artifact(root: Path) -> None:
    for artifact in make_all(root).values():
        assert list(artifact.path.rglob(".*")) == []


@pytest.mark.slow
def test_what_a_run_killed_after_its_commit_left_is_swept_by_the_next(root: Path) -> None:
    artifact = make(ExtractConcepts(), root, {"images": make(Ingest(), root).address})
    for name in (".work", ".receipts", "drafts/.receipts", "drafts/.scratch"):
        (artifact.path / name).mkdir()
    (artifact.path / f".0123.{NAME}").write_text("half a manif")
    make(ExtractConcepts(), root)
    assert list(artifact.path.rglob(".*")) == []


def test_the_work_of_a_killed_run_is_not_mistaken_for_a_part(root: Path) -> None:
    with pytest.raises(StageError):
        make(Ingest(break_part=0), root)
    (folder,) = root.glob("images/v*")
    stale = folder / ".work" / "part-00000.0123"
    stale.mkdir(parents=True)
    (stale / "part-00000.parquet").write_text("half a part")
    assert make(Ingest(), root).manifest.rows == 20
    assert not stale.exists()


def test_a_finished_artifact_is_found_not_made_and_becomes_the_newest(
    root: Path, tmp_path: Path
) -> None:
    first = make(Ingest(), root)
    second = make(Ingest(count=10), root)
    assert catalog.find(root, "images").path == second.path
    listener = Listener()
    again = make(Ingest(mark=str(tmp_path / "log")), root, reporter=listener)
    assert again.path == first.path
    assert again.manifest == first.manifest
    assert listener.sentences == ["finished already, by an earlier run; --force runs it again"]
    assert computed(tmp_path / "log") == []
    assert catalog.find(root, "images").path == first.path


def test_force_computes_everything_again(root: Path, tmp_path: Path) -> None:
    first = make(Ingest(), root)
    before = contents(first.path)
    (first.path / "part-00001.parquet").write_text("damaged")
    again = make(Ingest(mark=str(tmp_path / "log")), root, force=True)
    assert computed(tmp_path / "log") == [("ingest", number) for number in range(4)]
    assert contents(again.path) == before


def test_the_fingerprint_is_the_same_for_equal_recipes_and_other_for_other_ones(root: Path) -> None:
    def of(stage: Ingest) -> str:
        return planning.fingerprint(stage, {}, stage.digests())

    assert of(Ingest()) == of(Ingest(device="cpu", threads=3, batch=1, sleep=0.1, mark="x"))
    others = [
        Ingest(count=21),
        Ingest(seed=1),
        Ingest(limit=5),
        Ingest(tint=2.0),
        Ingest(sources=("a",)),
        Ingest(sources=("b",)),
    ]
    assert len({of(stage) for stage in [Ingest(), *others]}) == 7


def test_the_fingerprint_changes_with_the_version_and_with_any_input(root: Path) -> None:
    class Newer(Propose):
        version: ClassVar[int] = 2

    images, others = make(Ingest(), root), make(Ingest(count=10), root)
    before = planning.fingerprint(Propose(), {"images": images}, {})
    assert planning.fingerprint(Newer(), {"images": images}, {}) != before
    assert planning.fingerprint(Propose(), {"images": others}, {}) != before


def test_the_folder_is_named_by_version_and_fingerprint(root: Path) -> None:
    artifact = make(Ingest(), root)
    assert artifact.address == f"images/v2-{artifact.manifest.fingerprint[:12]}"
    assert len(artifact.manifest.fingerprint) == 64


@pytest.mark.slow
def test_the_manifest_keeps_the_recipe_apart_from_the_circumstances(root: Path) -> None:
    make(Ingest(sources=("here",), device="cpu"), root)
    manifest = make(Propose(), root, workers=1).manifest
    assert manifest.stage.options == {"limit": None, "regions": 3, "dump": True}
    assert set(manifest.run) >= {"created", "code", "libraries", "engine", "seconds", "workers"}
    assert "run" not in manifest.recipe()
    assert catalog.find(root, "images").manifest.sources.keys() == {"here"}


class Talkative(Ingest):
    def outcome(self, result: Result) -> Outcome:
        return Outcome(["4 things", "two of them blue"], None, ["3 of 4 captions were lost"])


def test_counts_of_all_parts_add_up(root: Path) -> None:
    notes = make(Ingest(count=17), root).manifest.notes
    assert notes == {"images": 17, "summary": ["17 rows"]}


def test_notes_are_the_same_whether_a_part_was_computed_now_or_earlier(
    root: Path, tmp_path: Path
) -> None:
    class Noting(Ingest):
        def run(self, part):  # type: ignore[no-untyped-def]
            part.count("pair", (part.number, 1))
            part.count("by_part", {part.number: 0.5})
            part.note("sizes", (1, 2))
            yield from super().run(part)

    with pytest.raises(StageError):
        make(Noting(break_part=3), root)
    resumed = make(Noting(), root).manifest
    assert resumed.notes["pair"] == [6, 4]
    assert resumed.notes["sizes"] == [1, 2]
    assert resumed.recipe() == make(Noting(), tmp_path / "peace").manifest.recipe()


def test_what_was_refused_is_counted_by_reason_and_kept_beside_the_rows(root: Path) -> None:
    artifact = make(Ingest(count=20, refuse_every=6), root)
    assert artifact.manifest.dropped == {"told-to": 4}
    assert artifact.manifest.rows == 16
    names = [path.name for path in artifact.attachments("quarantine.parquet")]
    assert names == [f"part-0000{number}.quarantine.parquet" for number in range(4)]


@pytest.mark.slow
def test_a_single_task_counts_what_its_slices_refuse(root: Path) -> None:
    make_all(root)
    manifest = make(Train(where="kept AND image_id = 'toy/000017'"), root).manifest
    assert manifest.dropped == {"no-regions": 3}
    assert manifest.notes["regions_by_part"] == {"0": 0, "1": 0, "2": 0, "3": 2}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("region = 77", "holds for no row of"),
        ("bogus > 0.9", "The columns for --where are image_id, region"),
        ("kept; DROP TABLE x", "one SQL predicate"),
    ],
)
def test_a_condition_that_leaves_nothing_is_refused_before_anything_is_made(
    root: Path, where: str, said: str
) -> None:
    make_all(root)
    before = sorted(root.rglob("*"))
    with pytest.raises(QueryError, match=said):
        planning.plan(Train(where=where), resolve(Train(where=where), {}, root), root)
    assert sorted(root.rglob("*")) == before


def test_a_single_task_goes_on_from_its_checkpoint(root: Path, tmp_path: Path) -> None:
    images = {"images": make(Ingest(), root)}
    peace = runner.materialize(Pretrain(steps=9), images, root)
    begun = planning.plan(Pretrain(steps=9), images, tmp_path)
    scratch = begun.folder / ".scratch" / "part-00000"
    scratch.mkdir(parents=True)
    (scratch / "checkpoint.json").write_text(json.dumps([8, 140, 40 / 7, 0.0]))
    resumed = runner.materialize(Pretrain(steps=9), images, tmp_path)
    assert rows_of(peace).column("images").to_pylist() == [45]
    assert rows_of(resumed).column("images").to_pylist() == [145]


def test_a_folding_stage_keeps_its_drafts_and_lists_them(root: Path) -> None:
    make(Ingest(), root)
    artifact = make(ExtractConcepts(), root)
    assert len(artifact.drafts) == 4
    assert len(artifact.parts) == 1
    said = rows_of(artifact, drafts=True).to_pylist()
    assert artifact.manifest.rows == len({row["concept"] for row in said})
    assert sum(rows_of(artifact).column("mentions").to_pylist()) == sum(r["mentions"] for r in said)


@pytest.mark.slow
@pytest.mark.parametrize("limit", [1, 4, 5, 6, 12, 20, 99])
def test_a_limit_takes_the_first_rows_of_the_first_input(root: Path, limit: int) -> None:
    make(Ingest(), root)
    ids = rows_of(make(Propose(limit=limit, regions=1), root)).column("image_id").to_pylist()
    assert ids == [f"toy/{number:06d}" for number in range(min(limit, 20))]


@pytest.mark.slow
def test_a_limit_holds_for_an_input_read_whole_and_for_a_single_task(root: Path) -> None:
    make_all(root)
    said = make(Pretrain(limit=6, steps=2), root)
    assert rows_of(said).column("images").to_pylist() == [6]
    trained = make(Train(limit=4), root, {"pseudo_labels": make(Label(limit=4), root).address})
    assert trained.manifest.notes["regions_by_part"] == {"0": 4}


def test_an_input_made_with_a_smaller_limit_is_refused_before_any_work(root: Path) -> None:
    make(Ingest(), root)
    make(Pretrain(), root)
    make(Propose(limit=7), root)
    with pytest.raises(ArtifactError, match=r"proposals .* lacks part 2, as if made with a small"):
        make(Featurize(), root)
    assert not list(root.glob("features/v*"))
    assert make(Featurize(limit=7), root).manifest.rows == 21


def test_an_empty_result_is_an_error_unless_it_is_allowed(root: Path) -> None:
    with pytest.raises(
        StageError, match=r"rc ingest: the result has no rows\. Nothing was made; --"
    ):
        make(Ingest(count=0), root)
    assert catalog.everything(root) == []
    empty = make(Ingest(count=0), root, allow_empty=True)
    assert (empty.manifest.rows, len(empty.parts)) == (0, 0)
    assert empty.manifest.notes["empty"] == "the result has no rows"
    with pytest.raises(StageError, match="the result has no rows"):
        make(Ingest(count=0), root)  # there is one now, but this run does not allow it
    assert make(Ingest(count=0), root, allow_empty=True).address == empty.address


def test_a_stage_does_not_run_on_an_input_without_rows(root: Path) -> None:
    empty = make(Ingest(count=0), root, allow_empty=True)
    with pytest.raises(ArtifactNotFoundError, match=rf"have no rows; .* name it: {empty.address}"):
        make(Propose(), root)
    with pytest.raises(ArtifactError, match=r"rc propose: images \(.*\) has no rows"):
        make(Propose(), root, {"images": empty.address})
    made = make(Propose(), root, {"images": empty.address}, allow_empty=True)
    assert made.manifest.rows == 0


def test_an_artifact_without_rows_is_never_the_newest(root: Path) -> None:
    full = make(Ingest(count=3), root)
    make(Ingest(count=0), root, allow_empty=True)
    assert catalog.find(root, "images").address == full.address


def test_what_a_stage_says_of_its_result_is_kept_in_the_notes(root: Path) -> None:
    notes = make(Talkative(), root).manifest.notes
    assert notes["summary"] == ["4 things", "two of them blue"]
    assert notes["losses"] == ["3 of 4 captions were lost"]
    assert "empty" not in notes


def test_a_run_that_failed_says_why_until_it_is_started_again(root: Path) -> None:
    with pytest.raises(StageError):
        make(Ingest(count=0), root)
    [folder] = root.glob("images/v*")
    assert "the result has no rows" in unfinished.failure(folder)
    make(Ingest(count=0), root, allow_empty=True)
    assert unfinished.failure(folder) == ""


def test_an_empty_part_among_others_changes_nothing(root: Path) -> None:
    make(Ingest(count=3, per_part=1, refuse_every=2), root)
    assert [p.rows for p in catalog.find(root, "images").parts] == [0, 1, 0]
    assert make(Propose(), root).manifest.rows == 3


def test_the_reporter_hears_of_the_start_every_image_and_the_end(root: Path) -> None:
    listener = Listener()
    make(Ingest(count=20), root, reporter=listener)
    assert listener.started == [("ingest", 20, "images")]
    assert (listener.count, listener.stopped) == (20, 1)


def test_the_reporter_hears_of_the_end_even_if_a_part_failed(root: Path) -> None:
    listener = Listener()
    with pytest.raises(StageError):
        make(Ingest(break_part=0), root, reporter=listener)
    assert listener.stopped == 1


def start(root: Path, *words: str) -> subprocess.Popen[str]:
    """A run in its own process, once it is at work."""
    run = subprocess.Popen(
        command("ingest", "--store", root, *words),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def at_work() -> bool:
        assert run.poll() is None, run.communicate()[1]
        return bool(catalog.under_way(root))

    until(at_work, "the run never began")
    return run


@pytest.mark.slow
def test_of_two_runs_at_once_one_waits_and_both_end_with_the_same_artifact(
    root: Path, tmp_path: Path
) -> None:
    log, gate = tmp_path / "log", tmp_path / "gate"

    class Opener(Listener):
        """Lets the other run go on once it is waited for."""

        def say(self, sentence: str) -> None:
            super().say(sentence)
            gate.touch()

    listener = Opener()
    other = start(root, "--gate", str(gate), "--mark", str(log))
    mine = make(Ingest(mark=str(log)), root, reporter=listener)
    assert listener.sentences == [
        f"another run is making {mine.address}; waiting for it to finish",
        "finished already, by an earlier run; --force runs it again",
    ]
    assert other.communicate(timeout=HANG_S)[0] == f"{mine.address}  20 rows\n"
    assert computed(log) == [("ingest", number) for number in range(4)]


@pytest.mark.slow
def test_a_run_that_died_holding_the_lock_does_not_block_the_next(
    root: Path, tmp_path: Path
) -> None:
    run = start(root, "--gate", str(tmp_path / "never"))
    run.kill()
    run.communicate()
    assert run.returncode == -signal.SIGKILL
    assert make(Ingest(), root).manifest.rows == 20
