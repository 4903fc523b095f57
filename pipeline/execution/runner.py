"""The heart: plan a stage over its inputs, compute what is missing, commit the artifact."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Final

from pipeline.execution import engines, provenance
from pipeline.execution.conclusion import concluded, refuse_empty
from pipeline.execution.conditions import check_condition
from pipeline.execution.inputs import check_cut, check_rows
from pipeline.execution.leakage import with_leakage
from pipeline.execution.notes import Notes, joined
from pipeline.execution.task import Task
from pipeline.progress import Silent
from pipeline.store import catalog, parts, recency, unfinished
from pipeline.store import manifest as manifests
from pipeline.store.artifact import Artifact, open_artifact, stream
from pipeline.store.atomic import exclusively, make_folder, remove_folder
from pipeline.store.disk_full import room_for
from pipeline.store.manifest import Manifest, StageRecord
from schemas.errors import RCError, StageError
from schemas.table import VectorType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.execution.engines import RayCluster
    from pipeline.progress import Reporter
    from pipeline.store.parts import Receipt
    from stages.base import Stage

_FOUND: Final = "finished already, by an earlier run; --force runs it again"


@dataclass(frozen=True)
class Plan:
    """What a run would do: where the artifact goes and which parts are still to be computed."""

    stage: Stage
    inputs: Mapping[str, Artifact]
    folder: Path
    fingerprint: str
    sources: Mapping[str, str]
    tasks: Sequence[Task]
    total: int | None

    @property
    def address(self) -> str:
        """Name of the artifact within the store."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def finished(self) -> bool:
        """Whether the artifact is already there."""
        return (self.folder / manifests.NAME).exists()

    def receipts(self) -> list[Receipt]:
        """Receipts of the parts that an earlier run finished and whose hashes hold."""
        receipts = (parts.receipt(task.folder, task.number) for task in self.tasks)
        return [receipt for receipt in receipts if receipt]


def plan(
    stage: Stage, inputs: Mapping[str, Artifact], root: Path, *, allow_empty: bool = False
) -> Plan:
    """Work out the fingerprint, the folder and the parts of `stage` over `inputs`.

    Raises:
        QueryError: If a condition on the rows of an input is none, or holds for no row.
        ArtifactError: If an input has no rows, unless they may be empty.
    """
    if not allow_empty:
        check_rows(stage, inputs)
    for role, reads in stage.requires().items():
        if role in inputs:
            check_condition(stage, reads, inputs[role])
    sources = dict(stage.digests())
    digest = fingerprint(stage, inputs, sources)
    table = stage.makes()
    folder = root.absolute() / table.name / f"v{table.version}-{digest[:12]}"
    rows = _limited(stage, inputs)
    numbers = stage.plan(
        {
            role: sorted(rows) if rows and role == stage.first() else inputs[role].numbers
            for role, reads in stage.requires().items()
            if role in inputs and not reads.whole
        }
    )
    check_cut(stage, inputs, _streamed(stage, inputs, rows) if stage.single_task else numbers)
    work = folder / "drafts" if stage.drafts else folder
    paths = {role: artifact.path for role, artifact in inputs.items()}
    tasks = [Task(stage, paths, number, work, rows) for number in numbers]
    total = stage.total() or (_total(stage, inputs, rows) if stage.counts_rows else None)
    return Plan(stage, inputs, folder, digest, sources, tasks, total)


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
        ArtifactError: If an input lacks parts that others have, or has no rows.
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
        return refuse_empty(open_artifact(work.folder), allow_empty=allow_empty)
    waiting = f"another run is making {work.address}; waiting for it to finish"
    with exclusively(catalog.lock(work.folder), lambda: reporter.say(waiting)):
        if work.finished and not force:
            reporter.say(_FOUND)
            return refuse_empty(_found(work.folder), allow_empty=allow_empty)
        if force and work.folder.exists():
            remove_folder(work.folder, first=manifests.NAME)
        with unfinished.failures_recorded(work.folder), room_for(work.folder):
            return _compute(work, workers, cluster, reporter, allow_empty=allow_empty)


def fingerprint(stage: Stage, inputs: Mapping[str, Artifact], sources: Mapping[str, str]) -> str:
    """Hash of the recipe: what was asked for; never when, where, or by which engine."""
    recipe = {
        "stage": stage.name,
        "version": stage.version,
        "options": stage.recipe(),
        "inputs": {role: artifact.manifest.fingerprint for role, artifact in inputs.items()},
        "sources": dict(sources),
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def _may_write(folder: Path) -> bool:
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _found(folder: Path) -> Artifact:
    """A finished artifact: asked for last, it is now the newest of its table."""
    recency.record(folder)
    _tidy(folder)  # the run that finished it may have been killed before it could
    return open_artifact(folder)


def _tidy(folder: Path) -> None:
    """Remove what only a running stage needs: drafts of files, receipts, scratch; all hidden."""
    for leftover in [*folder.glob(".*"), *folder.glob("drafts/.*")]:
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)


def _compute(
    work: Plan, workers: int, cluster: RayCluster | None, reporter: Reporter, *, allow_empty: bool
) -> Artifact:
    started = time.monotonic()
    for folder in {work.folder, *(task.folder for task in work.tasks)}:
        shutil.rmtree(folder / ".work", ignore_errors=True)  # half parts of a killed run
        make_folder(folder)
    unfinished.record_inputs(work.folder, work.inputs.values())
    done = work.receipts()
    finished = {receipt.part.number for receipt in done}
    engine = engines.make(*((1, None) if work.stage.single_task else (workers, cluster)))
    missing = [task for task in work.tasks if task.number not in finished]
    reporter.start(work.stage.name, work.total, work.stage.unit)
    try:
        receipts, failures = engine.map(missing, reporter.advance)
    finally:
        reporter.stop()
    if failures:
        raise StageError(_report(work, failures))
    receipts = sorted(done + receipts, key=lambda receipt: receipt.part.number)
    manifest = concluded(
        work.stage, _manifest(work, receipts, _merge(work, receipts)), allow_empty=allow_empty
    )
    circumstances = {
        **provenance.circumstances(),
        "origins": provenance.origins(work.stage),
        "engine": engine.name,
        "workers": workers,
        "seconds": round(time.monotonic() - started, 3),
        "resumed_parts": len(done),
    }
    recency.record(work.folder)
    manifests.write(work.folder, manifest.model_copy(update={"run": circumstances}))
    _tidy(work.folder)
    artifact = open_artifact(work.folder)
    if any(isinstance(column.type, VectorType) for column in work.stage.makes().columns):
        _index(artifact, reporter)
    return artifact


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
    count = parts.write_rows(prepared / parts.part_name(0), work.stage.makes(), rows)
    notes = {"notes": folded.facts, "counts": {}}
    receipt = parts.prepare(prepared, 0, count, notes)
    return [parts.publish(work.folder, prepared, receipt)]


def _manifest(work: Plan, receipts: list[Receipt], merged: list[Receipt]) -> Manifest:
    stage = work.stage
    dropped: Counter[str] = reduce(
        lambda total, receipt: total + Counter(receipt.dropped), receipts, Counter()
    )
    options = json.loads(json.dumps(stage.recipe()))
    return Manifest(
        artifact=stage.makes().name,
        version=stage.makes().version,
        fingerprint=work.fingerprint,
        stage=StageRecord(name=stage.name, version=stage.version, options=options),
        inputs={role: artifact.address for role, artifact in work.inputs.items()},
        sources=dict(work.sources),
        parts=tuple(receipt.part for receipt in merged),
        drafts=tuple(receipt.part for receipt in receipts) if stage.drafts else (),
        rows=sum(receipt.part.rows for receipt in merged),
        dropped=dict(sorted(dropped.items())),
        notes=with_leakage(work.inputs, joined(stage.name, receipts) | joined(stage.name, merged)),
    )


def _limited(stage: Stage, inputs: Mapping[str, Artifact]) -> dict[int, int]:
    """Rows of each part of the first input that `--limit` leaves; empty without a limit."""
    if stage.limit is None or stage.first() not in inputs:
        return {}
    left, rows = stage.limit, {}
    for record in inputs[stage.first()].manifest.parts:
        rows[record.number] = min(left, record.rows)
        left -= rows[record.number]
        if left == 0:
            break
    return rows


def _streamed(
    stage: Stage, inputs: Mapping[str, Artifact], rows: Mapping[int, int]
) -> Sequence[int]:
    """Parts that a single task streams over."""
    if rows or stage.first() not in inputs:
        return sorted(rows)
    return inputs[stage.first()].numbers


def _total(stage: Stage, inputs: Mapping[str, Artifact], rows: Mapping[int, int]) -> int | None:
    if rows:
        return sum(rows.values())
    return inputs[stage.first()].manifest.rows if stage.first() in inputs else None


def _report(work: Plan, failures: Mapping[int, str]) -> str:
    number = min(failures)
    if len(failures) == len(work.tasks) and len(set(failures.values())) == 1:
        return f"rc {work.stage.name}: {failures[number]}"
    return (
        f"rc {work.stage.name}: {len(failures)} of {len(work.tasks)} parts failed; part {number} "
        f"said: {failures[number]} The other parts are kept: run the same command again to retry."
    )
