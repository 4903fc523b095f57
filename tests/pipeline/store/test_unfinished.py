"""Unfinished runs: what they read is kept, and why they failed is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.store import catalog, own_hash, unfinished
from pipeline.store.manifest import NAME
from schemas.errors import StageError
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest, Propose
from tests.small_disk import small_disk

if TYPE_CHECKING:
    from pathlib import Path


def test_what_an_interrupted_run_reads_is_not_swept(root: Path) -> None:
    older = make(Ingest(), root)
    with pytest.raises(StageError):
        make(Propose(break_part=1), root)
    make(Ingest(count=3), root)  # now the newest
    (folder,) = unfinished.folders(root)
    assert unfinished.inputs(folder) == [older]
    assert set(catalog.sweepable(root)) == {folder}
    catalog.sweep(root, [folder])
    assert set(catalog.sweepable(root)) == {older.path}


def test_a_finished_run_keeps_no_list_of_its_inputs(root: Path) -> None:
    make(Ingest(), root)
    proposals = make(Propose(), root)
    assert unfinished.folders(root) == []
    assert list(proposals.path.glob(".*")) == []


def test_inputs_that_are_gone_are_none(root: Path) -> None:
    folder = root / "proposals" / "v1-0123456789ab"
    folder.mkdir(parents=True)
    assert unfinished.inputs(folder) == []
    own_hash.write(folder / unfinished.INPUTS, {"inputs": ["images/v2-000000000000"]})
    assert unfinished.inputs(folder) == []


@pytest.mark.parametrize("harm", ["of the inputs", "of a manifest"])
def test_while_a_record_of_inputs_is_damaged_no_artifact_is_superseded(
    root: Path, harm: str
) -> None:
    older = make(Ingest(), root)
    with pytest.raises(StageError):
        make(Propose(break_part=1), root)
    newest = make(Ingest(count=3), root)
    (folder,) = unfinished.folders(root)
    file = folder / unfinished.INPUTS if harm == "of the inputs" else newest.path / NAME
    file.write_text(file.read_text().replace("images", "imagos"))
    assert (unfinished.inputs(folder) is None) == (harm == "of the inputs")
    assert catalog.sweepable(root) == {folder: "unfinished"}
    catalog.sweep(root, [folder])
    assert set(catalog.sweepable(root)) == ({older.path} if harm == "of the inputs" else set())


def test_the_reason_of_a_failure_is_one_line(tmp_path: Path) -> None:
    assert unfinished.failure(tmp_path) == ""
    with pytest.raises(StageError), unfinished.failures_recorded(tmp_path):
        raise StageError("the loss became nan\nat step 3")
    assert unfinished.failure(tmp_path) == "the loss became nan at step 3"
    file = tmp_path / unfinished.FAILED
    file.write_text(file.read_text().replace("step 3", "step 2"))
    assert unfinished.failure(tmp_path) == "why is not known any more, .failed is damaged"


def test_the_error_that_ended_a_run_is_kept(tmp_path: Path) -> None:
    with pytest.raises(StageError), unfinished.failures_recorded(tmp_path):
        raise StageError("part 3 said no")
    assert unfinished.failure(tmp_path) == "part 3 said no"


def test_a_run_that_starts_again_forgets_it(tmp_path: Path) -> None:
    (tmp_path / ".failed").write_text("long ago")
    with unfinished.failures_recorded(tmp_path):
        assert unfinished.failure(tmp_path) == ""
    assert unfinished.failure(tmp_path) == ""


def test_a_run_that_was_killed_has_not_failed(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), unfinished.failures_recorded(tmp_path):
        raise KeyboardInterrupt
    assert unfinished.failure(tmp_path) == ""


def test_a_run_that_left_no_folder_leaves_no_reason(tmp_path: Path) -> None:
    with pytest.raises(StageError), unfinished.failures_recorded(tmp_path / "none"):
        raise StageError("no")
    assert not (tmp_path / "none").exists()


def test_an_error_that_cannot_be_written_down_is_raised_all_the_same(tmp_path: Path) -> None:
    def run() -> None:
        with unfinished.failures_recorded(tmp_path):
            raise StageError("no room")

    with small_disk(0), pytest.raises(StageError, match="no room"):
        run()
    assert unfinished.failure(tmp_path) == ""


def test_the_ranks_of_all_runs_are_kept_in_order_and_one_alone_is_not_noted(tmp_path: Path) -> None:
    assert unfinished.record_ranks(tmp_path, 1) == []
    assert list(tmp_path.iterdir()) == []
    assert unfinished.record_ranks(tmp_path, 4) == [4]
    assert unfinished.record_ranks(tmp_path, 1) == [4, 1]
    (tmp_path / unfinished.RANKS).write_text("damaged")
    assert unfinished.record_ranks(tmp_path, 2) == [2]
