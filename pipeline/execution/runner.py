"""The heart: plan a stage over its inputs, compute what is missing, commit the artifact."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pipeline.execution import engines, provenance
from pipeline.execution.conclusion import Made, commit, refuse_empty
from pipeline.execution.notes import Notes
from pipeline.execution.planning import Plan, plan
from pipeline.execution.reuse import take_over
from pipeline.progress import Silent
from pipeline.store import catalog, parts, recency, row_groups, unfinished
from pipeline.store import manifest as manifests
from pipeline.store.artifact import Artifact, open_artifact, stream
from pipeline.store.atomic import exclusively, make_folder, remove_folder
from pipeline.store.disk_full import room_for
from schemas.errors import RCError, StageError
from schemas.table import VectorType
from stages.outcome import counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.execution.engines import RayCluster
    from pipeline.execution.task import Task
    from pipeline.progress import Reporter
    from pipeline.store.parts import Receipt
    from stages.base import Stage

_FOUND: Final = "finished already, by an earlier run; --force runs it again"


def materialize(  # noqa: PLR0913 - all but three are keywords that say how, not what
    stage: Stage,
    inputs: Mapping[str, Artifact],
    root: Path,
    *,
    workers: int = 1,
    cluster: RayCluster | None = None,
    force: bool = False,
    allow_empty: bool = False,
    reporter: Reporter | None = None,
) -> Artifact:
    """Return the artifact of `stage` over `inputs`, computing only what is missing.

    `workers` parts are computed at once, in processes of this machine or by Ray in a `cluster`.

    Raises:
        ArtifactError: If an input lacks parts that others have, or has no rows; or if the artifact
            is there and damaged.
        StageError: If any part failed, or the result is empty and may not be; the finished parts
            stay for the next run.
    """
    reporter = reporter or Silent()
    if stage.threads is None:
        alone = (1, None) if stage.single_task else (workers, cluster)
        stage = replace(stage, threads=engines.threads_of_worker(*alone))
    work = plan(stage, inputs, root, allow_empty=allow_empty)
    if work.finished and not force and not _may_write(work.folder):
        reporter.say(_FOUND)
        return refuse_empty(_whole(work.folder), allow_empty=allow_empty)
    waiting = f"another run is making {work.address}; waiting for it to finish"
    with exclusively(catalog.lock(work.folder), lambda: reporter.say(waiting)):
        if work.finished and not force:
            reporter.say(_FOUND)
            return refuse_empty(_found(work.folder), allow_empty=allow_empty)
        if force and work.folder.exists():
            remove_folder(work.folder, first=manifests.NAME)
        with unfinished.failures_recorded(work.folder), room_for(work.folder):
            how = {"reuse": not force, "allow_empty": allow_empty}
            return _compute(work, workers, cluster, reporter, **how)


def _may_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _found(folder: Path) -> Artifact:
    """A finished artifact: asked for last, it is now the newest of its table."""
    artifact = _whole(folder)
    recency.record(folder)
    unfinished.tidy(folder)  # the run that finished it may have been killed before it could
    return artifact


def _whole(folder: Path) -> Artifact:
    """A finished artifact, as far as its manifest and its lists of parts tell.

    Raises:
        ArtifactError: If one of them is damaged.
    """
    artifact = open_artifact(folder)
    artifact.records()
    return artifact


def _compute(
    work: Plan,
    workers: int,
    cluster: RayCluster | None,
    reporter: Reporter,
    *,
    reuse: bool,
    allow_empty: bool,
) -> Artifact:
    started = time.monotonic()
    for folder in {work.folder, *(task.folder for task in work.tasks)}:
        shutil.rmtree(folder / ".work", ignore_errors=True)  # half parts of a killed run
        make_folder(folder)
    unfinished.record_inputs(work.folder, work.inputs.values())
    ranks = unfinished.record_ranks(work.folder, work.stage.num_processes())
    survey = Notes()
    work.stage.survey(survey)  # first, since a source may turn out to be none
    done = work.receipts()
    missing = work.with_recipes(_without(work.tasks, done))
    taken = _taken_over(missing, work, reporter) if reuse else []
    missing = [replace(task, surveyed=survey.facts) for task in _without(missing, taken)]
    engine = engines.make_for(work.stage, workers, cluster)
    reporter.start(work.stage.name, work.total_of(missing), work.stage.counts())
    try:
        receipts, failures = engine.map(missing, reporter.advance)
    finally:
        reporter.stop()
    if failures:
        raise StageError(_report(work, failures))
    receipts = sorted(done + taken + receipts, key=lambda receipt: receipt.part.number)
    merged = _merge(work, receipts)
    circumstances = {
        **provenance.circumstances(),
        "origins": provenance.origins(work.stage),
        "engine": engine.name,
        "workers": workers,
        **({"ranks": ranks} if ranks else {}),
        "seconds": round(time.monotonic() - started, 3),
        "resumed_parts": len(done),
        "reused_parts": len(taken),
    }
    commit(work, Made(receipts, merged, survey, circumstances), allow_empty=allow_empty)
    unfinished.tidy(work.folder)
    artifact = open_artifact(work.folder)
    if any(isinstance(column.type, VectorType) for column in work.stage.makes().columns):
        _index(artifact, reporter)
    return artifact


def _without(tasks: Sequence[Task], receipts: Sequence[Receipt]) -> list[Task]:
    """The tasks whose parts have no receipt yet."""
    numbers = {receipt.part.number for receipt in receipts}
    return [task for task in tasks if task.number not in numbers]


def _taken_over(tasks: Sequence[Task], work: Plan, reporter: Reporter) -> list[Receipt]:
    """Receipts of the parts that other artifacts of the store had; says how many and whose."""
    receipts, origins = [], Counter[str]()
    for receipt, artifact in take_over(tasks, work.folder.parent.parent, work.retry):
        receipts.append(receipt)
        origins[artifact.address] += 1
    for address, number in origins.items():
        reporter.say(f"{number:,} of {counted(len(work.tasks), 'part')} are those of {address}")
    return receipts


def _index(artifact: Artifact, reporter: Reporter) -> None:
    """Make the vectors searchable; a cache, so whatever goes wrong the artifact stands."""
    from pipeline.store import index

    try:
        index.build(artifact)
    except (RCError, OSError, RuntimeError, ImportError) as error:
        why = engines.describe(error)
        reporter.say(f"{artifact.address} has no search index yet: {why} It is made when needed.")


def _merge(work: Plan, receipts: list[Receipt]) -> list[Receipt]:
    """Receipts of the final rows: those of the parts, or that of the folded drafts."""
    if work.stage.drafts is None:
        return receipts
    files = [task.folder / parts.part_name(task.number) for task in work.tasks]
    prepared = parts.work_folder(work.folder, 0)
    folded = Notes()
    rows = work.stage.merge(stream(files), folded.note)
    count = row_groups.write_rows(prepared / parts.part_name(0), work.stage.makes(), rows)
    receipt = parts.prepare(prepared, 0, count, parts.Report(notes=folded.facts))
    return [parts.publish(work.folder, prepared, receipt)]


def _report(work: Plan, failures: Mapping[int, str]) -> str:
    number = min(failures)
    if len(failures) == len(work.tasks) and len(set(failures.values())) == 1:
        return f"rc {work.stage.name}: {failures[number]}"
    return (
        f"rc {work.stage.name}: {len(failures)} of {len(work.tasks)} parts failed; part {number} "
        f"said: {failures[number]} The other parts are kept: run the same command again to retry."
    )
