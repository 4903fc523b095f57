"""A task: one part of one stage, all that travels to a worker; satisfies `stages.base.Part`."""

from __future__ import annotations

from collections import Counter
from copy import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.execution.notes import Notes, check_surveyed
from pipeline.store import parts, row_groups
from pipeline.store.artifact import Artifact, open_artifact, stream
from pipeline.store.disk_full import room_for
from schemas.quarantine import QUARANTINE
from stages import memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from schemas.quarantine import Reason
    from stages.base import Count, Reads, Stage


@dataclass(frozen=True)
class Task:
    """One part to compute. Calling it computes, writes and reports the part.

    Attributes:
        stage: The verb with its options.
        inputs: Folder of the artifact in each role.
        number: Which part.
        folder: Where the part goes.
        rows: How many rows of the first input belong to each of its parts under `--limit`;
            empty if there is no limit.
        recipe: Hash of all that decides the part, see `pipeline.execution.part_recipes`.
        surveyed: Facts noted for all parts together, which a part must not contradict.
    """

    stage: Stage
    inputs: Mapping[str, Path]
    number: int
    folder: Path
    rows: Mapping[int, int] = field(default_factory=dict)
    recipe: str | None = None
    surveyed: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, advance: Callable[[int], None]) -> parts.Receipt:
        """Compute, write and name the part; its receipt. Runs in a worker process."""
        return self.publish(self.prepare(advance))

    def prepare(self, advance: Callable[[int], None]) -> PreparedPart:
        """Compute and write the part, under a name that no other attempt at it has."""
        with room_for(self.folder):
            return self._written(advance)

    def publish(self, prepared: PreparedPart) -> parts.Receipt:
        """Give the files of an attempt their names; its receipt.

        Where an attempt may outlive the belief in it, as on another machine, one process alone
        does this, for one attempt: so a late one changes nothing.
        """
        with room_for(self.folder):
            work = parts.attempt_folder(self.folder, prepared.attempt)
            return parts.publish(self.folder, work, prepared.receipt)

    def follow(self) -> None:
        """Compute the part beside the process that writes it, to its last step; write nothing."""
        part = FollowingPart(self)
        try:
            with memory.watched(self.stage, part):
                for _ in self.stage.run(part):
                    pass
        except _EndOfWorkError:
            return

    def _written(self, advance: Callable[[int], None]) -> PreparedPart:
        work = parts.work_folder(self.folder, self.number)
        part = StorePart(self, work, advance)
        table = self.stage.drafts or self.stage.makes()
        with memory.watched(self.stage, part):
            count = row_groups.write_rows(
                work / parts.part_name(self.number), table, self.stage.run(part)
            )
        part.write_quarantine()
        report = parts.Report(self.recipe, part.dropped, part.notes.counts, part.notes.facts)
        return PreparedPart(work.name, parts.prepare(work, self.number, count, report))


@dataclass(frozen=True, slots=True)
class PreparedPart:
    """A part that is computed and flushed, but not there yet; small enough to travel.

    Attributes:
        attempt: Which attempt at the part; the name of its work folder.
        receipt: What its files are.
    """

    attempt: str
    receipt: parts.Receipt


class StorePart:
    """The part a running stage sees, backed by the store; see `stages.base.Part`."""

    def __init__(self, task: Task, work: Path, advance: Callable[[int], None]) -> None:
        self._task = task
        self._work = work
        self._slice: int | None = None  # set for one slice of a single task
        self.number = task.number
        self.advance_by = advance
        self.refused: list[tuple[str, str, str]] = []
        self.notes = Notes()

    @property
    def scratch(self) -> Path:
        """See `stages.base.Part.scratch`."""
        self.scratch_folder.mkdir(parents=True, exist_ok=True)
        return self.scratch_folder

    @property
    def scratch_folder(self) -> Path:
        """Where `scratch` is, whether it is there or not."""
        return self._task.folder / ".scratch" / f"part-{self._task.number:05d}"

    @property
    def dropped(self) -> Counter[str]:
        """How many records were refused, by reason."""
        return Counter(reason for _, reason, _ in self.refused)

    def has(self, role: str) -> bool:
        """See `stages.base.Part.has`."""
        return role in self._task.inputs

    def table(self, role: str) -> pa.Table:
        """See `stages.base.Part.table`."""
        batches = list(self.batches(role))
        if batches:
            return pa.Table.from_batches(batches)
        reads = self._task.stage.requires()[role]
        return pa.Table.from_batches([(reads.drafts or reads.table).empty()])

    def batches(self, role: str) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Part.batches`."""
        reads, artifact = self._task.stage.requires()[role], self._artifact(role)
        for number in self._numbers(role, artifact):
            rows = self._rows(reads, artifact, number)
            yield from self._within_limit(role, number, rows)

    def everywhere(self, role: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Part.everywhere`."""
        artifact, drafts = self._all_of(role), self._task.stage.requires()[role].drafts is not None
        for number in (artifact.drafts if drafts else artifact.parts).numbers:
            yield from parts.batches(artifact.part(number, drafts=drafts), list(columns))

    def fingerprint(self, role: str) -> str:
        """See `stages.base.Part.fingerprint`."""
        return self._all_of(role).manifest.fingerprint

    def is_same(self, role: str, other: str) -> bool:
        """See `stages.base.Part.is_same`."""
        return self._artifact(role).path == self._artifact(other).path

    def noted(self, role: str, key: str) -> Any:
        """See `stages.base.Part.noted`."""
        return self._all_of(role).manifest.notes.get(key)

    def attachment(self, role: str, name: str) -> Path:
        """See `stages.base.Part.attachment`."""
        artifact = self._artifact(role)
        return artifact.attachment(_attachment_name(name, self.number, own=self._is_each(role)))

    def attach(self, name: str) -> Path:
        """See `stages.base.Part.attach`."""
        return self._work / _attachment_name(
            name, self.number, own=not self._task.stage.single_task
        )

    def slices(self) -> Sequence[StorePart]:
        """See `stages.base.Part.slices`."""
        numbers = self._task.rows or self._artifact(self._first).numbers
        return [self._only(number) for number in sorted(numbers)]

    def refuse(self, record: str, reason: Reason, detail: str) -> None:
        """See `stages.base.Part.refuse`."""
        self.refused.append((record, str(reason), detail))

    def advance(self, count: int = 1) -> None:
        """See `stages.base.Part.advance`."""
        self.advance_by(count)

    def note(self, key: str, value: Any) -> None:
        """See `stages.base.Part.note`."""
        check_surveyed(self._task.stage, self._task.number, self._task.surveyed, key, value)
        self.notes.note(key, value)

    def count(self, key: str, number: Count) -> None:
        """See `stages.base.Part.count`."""
        self.notes.count(key, number)

    def write_quarantine(self) -> None:
        """Write what was refused beside the rows; nothing if all was well."""
        if self.refused:
            names = ("record", "reason", "detail")
            columns = {name: [row[i] for row in self.refused] for i, name in enumerate(names)}
            rows = QUARANTINE.batch(columns)
            row_groups.write_rows(self.attach("quarantine.parquet"), QUARANTINE, [rows])

    def _only(self, number: int) -> StorePart:
        """One part of a single task's inputs; what it refuses and notes counts for the whole."""
        part = copy(self)
        part._slice = part.number = number
        return part

    def _rows(self, reads: Reads, artifact: Artifact, number: int) -> Iterator[pa.RecordBatch]:
        if not reads.where:
            return stream([artifact.part(number, drafts=reads.drafts is not None)])
        from pipeline.execution.conditions import rows_taking_part  # brings DuckDB along

        asked = [role for role in (reads.beside, reads.decided) if role in self._task.inputs]
        others = {role: self._artifact(role) for role in asked if role}
        return rows_taking_part(self._task.stage, reads, artifact, number, others)

    def _artifact(self, role: str) -> Artifact:
        return open_artifact(self._task.inputs[role])

    def _all_of(self, role: str) -> Artifact:
        """An input that more of is read than one part; then all of it decides the rows."""
        reads, stage = self._task.stage.requires()[role], self._task.stage
        if not (stage.single_task or reads.whole or reads.everywhere or reads.where):
            raise TypeError(f"rc {stage.name} reads {role} part by part: say `everywhere`")
        return self._artifact(role)

    def _is_each(self, role: str) -> bool:
        return not self._task.stage.requires()[role].whole

    def _numbers(self, role: str, artifact: Artifact) -> list[int]:
        """Parts of an input that belong to this part."""
        whole = not self._is_each(role)
        if not whole and (self._slice is not None or not self._task.stage.single_task):
            return [self.number]
        drafts = self._task.stage.requires()[role].drafts is not None
        numbers = (artifact.drafts if drafts else artifact.parts).numbers
        rows = {} if whole and role != self._first else self._task.rows
        return [number for number in numbers if not rows or number in rows]

    def _within_limit(
        self, role: str, number: int, rows: Iterator[pa.RecordBatch]
    ) -> Iterator[pa.RecordBatch]:
        left = self._task.rows.get(number) if role == self._first else None
        if left is None:
            yield from rows
            return
        for batch in rows:
            if left <= 0:
                return
            yield batch.slice(0, left)
            left -= batch.num_rows

    @property
    def _first(self) -> str:
        """The role that `--limit` counts in."""
        return self._task.stage.first()


class FollowingPart(StorePart):
    """The part as another rank sees it than the one that writes: all there is to read."""

    def __init__(self, task: Task) -> None:
        super().__init__(task, task.folder, lambda count: None)

    @property
    def scratch(self) -> Path:
        """See `stages.base.Part.scratch`: that of the rank that writes, to read from."""
        return self.scratch_folder

    def attach(self, name: str) -> Path:
        """See `stages.base.Part.attach`: where files are written, there is no more to compute."""
        raise _EndOfWorkError


class _EndOfWorkError(Exception):
    """A part is computed, as far as another rank than the one that writes takes part in it."""


def _attachment_name(name: str, number: int, *, own: bool) -> str:
    """Name in the folder of the artifact; files of one part among many carry its number."""
    return f"part-{number:05d}.{name}" if own else name
