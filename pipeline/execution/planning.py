"""What a run would do: the fingerprint, the folder, and a task for each part."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipeline.execution.conditions import check_condition
from pipeline.execution.inputs import check_cut, check_rows
from pipeline.execution.named_artifacts import check_judged
from pipeline.execution.part_recipes import Recipes
from pipeline.execution.retry import Retry
from pipeline.execution.reuse import recorded
from pipeline.execution.task import Task
from pipeline.store import manifest as manifests
from pipeline.store import parts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from pipeline.store.parts import Receipt
    from stages.base import Stage


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
    recipes: Recipes
    retry: Retry | None

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

    def reusable(self) -> int:
        """How many parts other artifacts of the store have, as far as their manifests tell."""
        tasks = self.with_recipes(self.tasks)
        return len(recorded(tasks, self.folder.parent.parent, self.retry))

    def forecast(self) -> str:
        """What a dry run prints: where, how much, and about how many bytes."""
        if self.finished:
            return f"{self.address}  finished already: nothing would run"
        done = min(len(self.receipts()) + self.reusable(), len(self.tasks))
        rows = f"{self.total or 'unknown'} {self.stage.counts()}"
        size = sum(artifact.manifest.bytes() for artifact in self.inputs.values())
        return (
            f"{self.address}  would compute {len(self.tasks) - done} of {len(self.tasks)} parts, "
            f"{rows}, reading about {size:,} bytes of artifacts"
        )

    def total_of(self, tasks: Sequence[Task]) -> int | None:
        """How many `unit`s some of the tasks have; of all of them, where no input tells."""
        role = self.stage.first()
        if self.total is None or role not in self.inputs or self.stage.total() is not None:
            return self.total
        rows = {part.number: part.rows for part in self.inputs[role].parts}
        numbers = {task.number for task in self.tasks} - {task.number for task in tasks}
        limits = self.tasks[0].rows if self.tasks else {}
        return self.total - sum(limits.get(number, rows.get(number, 0)) for number in numbers)

    def with_recipes(self, tasks: Sequence[Task]) -> list[Task]:
        """Tasks that know what decides their parts; not before a run, since sources take time."""
        return [
            replace(task, recipe=self.recipes.of(task.number, task.rows.get(task.number)))
            for task in tasks
        ]


def plan(
    stage: Stage, inputs: Mapping[str, Artifact], root: Path, *, allow_empty: bool = False
) -> Plan:
    """Work out the fingerprint, the folder and the parts of `stage` over `inputs`.

    Raises:
        QueryError: If a condition on the rows of an input is none, or holds for no row.
        OptionError: If refused records are to be tried again, and cannot be, or an audit that was
            judged is to be another one.
        ArtifactError: If an input has no rows, unless they may be empty.
    """
    if not allow_empty:
        check_rows(stage, inputs)
    for role, reads in stage.requires().items():
        if role in inputs:
            check_condition(stage, reads, inputs[role], inputs)
    check_judged(stage, inputs, root)
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
    recipes, retry = Recipes(stage, inputs, sources), Retry.of(stage, inputs, sources)
    if retry:
        retry.check(stage.name, tasks)
    return Plan(stage, inputs, folder, digest, sources, tasks, total, recipes, retry)


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


def _limited(stage: Stage, inputs: Mapping[str, Artifact]) -> dict[int, int]:
    """Rows of each part of the first input that `--limit` leaves; empty without a limit."""
    if stage.limit is None or stage.first() not in inputs:
        return {}
    left, rows = stage.limit, {}
    for record in inputs[stage.first()].parts:
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
