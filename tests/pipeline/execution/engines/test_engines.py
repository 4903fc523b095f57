"""The promise of the engines: whoever runs the tasks, the artifact is the same."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.execution import engines
from pipeline.execution.engines import RayCluster, describe
from pipeline.store import catalog
from schemas.errors import ArtifactError, OptionError, StageError
from tests.pipeline.helpers import Listener, contents, make
from tests.pipeline.toys import ExtractConcepts, Ingest, Pretrain, Propose
from tests.waiting import until


def test_one_worker_is_this_process_and_more_are_a_pool() -> None:
    assert [engines.make(n).name for n in (1, 2, 5)] == ["in-process", "pool", "pool"]


@pytest.mark.parametrize(
    ("cores", "workers", "threads"), [(2, 1, 2), (16, 1, 8), (16, 4, 4), (2, 3, 1), (None, 1, 1)]
)
def test_a_worker_has_its_share_of_the_cores_but_not_too_many(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, workers: int, threads: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert engines.threads_of_worker(workers) == threads


def test_a_worker_of_a_cluster_has_the_cores_that_it_asks_for_but_not_too_many() -> None:
    cores = {n: engines.threads_of_worker(50, RayCluster(cpus_per_worker=n)) for n in (1, 3, 16)}
    assert cores == {1: 1, 3: 3, 16: 8}


def test_a_cluster_without_ray_is_a_sentence_that_names_the_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "pipeline.execution.engines.ray_actors", raising=False)
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    with pytest.raises(OptionError) as raised:
        engines.make(2, RayCluster())
    assert str(raised.value) == (
        "--engine ray needs Ray, which is not installed: pip install 'regionclip-toolkit[ray]'"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address": "head"}, "--ray-address must be auto or HOST:PORT, got 'head'"),
        ({"address": "ray://head:10001"}, "--ray-address must be auto or HOST:PORT"),
        ({"cpus_per_worker": 0}, "--cpus-per-worker must be at least 1, got 0"),
        (
            {"gpus_per_worker": 1.5},
            "--gpus-per-worker must be a fraction of one device, or a whole",
        ),
        ({"gpus_per_worker": -1}, "--gpus-per-worker must be"),
        ({"gpus_per_worker": float("nan")}, "--gpus-per-worker must be"),
    ],
)
def test_a_cluster_that_cannot_be_is_a_sentence(options: Any, said: str) -> None:
    with pytest.raises(OptionError) as raised:
        RayCluster(**options)
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize("address", ["", "auto", "head:6379", "10.0.0.7:6379"])
@pytest.mark.parametrize("gpus", [0, 0.25, 1, 4])
def test_a_cluster_that_can_be_is_taken(address: str, gpus: float) -> None:
    assert RayCluster(address=address, gpus_per_worker=gpus).gpus_per_worker == gpus


@pytest.mark.slow
def test_every_engine_makes_the_same_artifacts(root: Path, tmp_path: Path) -> None:
    for stage in (Ingest(refuse_every=7), ExtractConcepts(), Propose()):
        alone = make(stage, root)
        together = make(stage, tmp_path / "pool", workers=2)
        assert contents(alone.path) == contents(together.path)
        assert together.manifest.run["engine"] == "pool"


@pytest.mark.slow
def test_a_single_task_runs_in_this_process(root: Path) -> None:
    make(Ingest(), root)
    assert make(Pretrain(), root, workers=2).manifest.run["engine"] == "in-process"


@pytest.mark.slow
def test_a_pool_reports_every_image(root: Path) -> None:
    listener = Listener()
    make(Ingest(count=12), root, workers=2, reporter=listener)
    assert listener.count == 12


@pytest.mark.slow
def test_a_pool_works_in_other_processes_and_more_than_one(root: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    make(Sociable(mark=str(log)), root, workers=2)
    assert len(processes(log)) == 2
    assert str(os.getpid()) not in processes(log)


class Sociable(Ingest):
    """Each part waits until two processes are at work."""

    def rest(self) -> None:
        until(lambda: len(processes(Path(self.mark))) == 2, "a second process never came")


def processes(log: Path) -> set[str]:
    """Those that computed parts."""
    return {line.split()[2] for line in log.read_text().splitlines()}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_part_leaves_the_others_whoever_runs_them(root: Path, workers: int) -> None:
    with pytest.raises(StageError, match="1 of 4 parts failed; part 1 said: ZeroDivisionError"):
        make(Ingest(break_part=1), root, workers=workers)
    assert len(list(root.glob("images/v*/part-*.parquet"))) == 3


@pytest.mark.slow
def test_a_killed_worker_is_a_sentence_and_the_next_run_goes_on(root: Path, tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"parts failed; .* a worker process was killed, perhaps"):
        make(Ingest(count=40, kill_part=7, sleep=0.05), root, workers=2)
    kept = len(list(root.glob("images/v*/.receipts/part-*.json")))
    assert 0 < kept < 8
    made = make(Ingest(count=40, mark=str(tmp_path / "log")), root)
    assert len((tmp_path / "log").read_text().splitlines()) == 8 - kept
    assert contents(made.path) == contents(make(Ingest(count=40), tmp_path / "peace").path)


class StubbornError(Exception):
    """Cannot be unpickled, as many an error of a library."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class Stubborn(Ingest):
    def run(self, part):  # type: ignore[no-untyped-def]
        if part.number == 0:
            raise StubbornError("this", "that")
        return super().run(part)


@pytest.mark.slow
def test_an_error_that_cannot_travel_does_not_bring_the_pool_down(root: Path) -> None:
    with pytest.raises(StageError, match="1 of 4 parts failed; part 0 said: StubbornError: this"):
        make(Stubborn(), root, workers=2)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_is_a_sentence(root: Path, workers: int) -> None:
    make(Ingest(), root)
    with pytest.raises(StageError, match=r"said: the disk or the quota is full: .*/proposals/v"):
        make(Propose(full_part=1), root, workers=workers)
    assert not list(root.glob("proposals/v*/part-00001*"))
    assert [path.name for path in catalog.committed(root, "proposals")] == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("bad\n  value"), "ValueError: bad value."),
        (ArtifactError("it is gone."), "it is gone."),
        (ArtifactError("it is gone"), "it is gone."),
        (KeyError(), "KeyError: no message."),
        (OSError(errno.EACCES, "Denied"), "PermissionError: [Errno 13] Denied."),
    ],
)
def test_what_a_part_said_is_one_line_with_a_full_stop(error: Exception, said: str) -> None:
    assert describe(error).startswith(said)
    assert describe(error).endswith(".")
    assert "\n" not in describe(error)
