"""Parts that another artifact of the store has already: they are linked, not computed again.

What decides the bytes of a part is hashed into its recipe: the stage with its options, the hashes
of the parts that it reads, the fingerprints of what it reads entirely, the digests of what lies
outside the store. Equal recipes, equal bytes. So growth costs the parts that are new, in every
later stage.

The number of a part belongs to its recipe, since names of files have it. Parts of a single task
have no recipe: they read everything.
"""

from __future__ import annotations

import hashlib
import json
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.store import catalog, parts
from pipeline.store.artifact import open_readable, with_readable_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.execution.task import Task
    from pipeline.store.artifact import Artifact
    from pipeline.store.part_records import PartRecord
    from pipeline.store.parts import Receipt
    from stages.base import Stage


class Recipes:
    """The recipes of the parts of one run."""

    def __init__(
        self, stage: Stage, inputs: Mapping[str, Artifact], sources: Mapping[str, str]
    ) -> None:
        self._stage, self._sources = stage, sources
        self._options = stage.recipe()
        self._whole: dict[str, str] = {}
        self._parts: dict[str, dict[int, list[str]]] = {}
        for role, reads in stage.requires().items():
            if role not in inputs:
                continue
            artifact = inputs[role]
            if reads.whole or reads.everywhere or reads.where:  # a condition sees ancestors too
                self._whole[role] = artifact.manifest.fingerprint
            if not reads.whole:
                records = artifact.drafts if reads.drafts else artifact.parts
                self._parts[role] = {record.number: _hashes(record) for record in records}

    def of(self, number: int, rows: int | None) -> str | None:
        """The recipe of a part; None if nothing but the whole artifact has one.

        Args:
            number: Of the part.
            rows: How many rows of the first input it reads; None for all.
        """
        stage = self._stage
        if stage.single_task:
            return None
        recipe = {
            "stage": stage.name,
            "version": stage.version,
            "table": stage.makes().version,
            "options": self._options,
            "number": number,
            "rows": rows,
            "whole": self._whole,
            "parts": {role: of[number] for role, of in self._parts.items()},
            "sources": dict(stage.part_digests(number, self._sources)),
        }
        return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def take_over(tasks: Sequence[Task], root: Path) -> Iterator[tuple[Receipt, Artifact]]:
    """Link the parts that finished artifacts have; the receipt of each, and where it came from.

    A part whose files are damaged is left to be computed, as is one that the stage does not
    recognise.

    Args:
        tasks: Of one run, which are still to be computed.
        root: The store.
    """
    known = recorded(tasks, root)
    for task in tasks:
        for artifact, record in known.get(task.recipe or "", ()):
            if receipt := _taken(task, artifact, record):
                yield receipt, artifact
                break


def _hashes(record: PartRecord) -> list[str]:
    return [record.sha256, *(f"{file.name} {file.sha256}" for file in record.files)]


def recorded(tasks: Sequence[Task], root: Path) -> dict[str, list[tuple[Artifact, PartRecord]]]:
    """Parts of finished artifacts by recipe, of those recipes that are wanted."""
    wanted = {task.recipe for task in tasks if task.recipe}
    known: dict[str, list[tuple[Artifact, PartRecord]]] = {}
    if not wanted:
        return known
    stage = tasks[0].stage
    finished = open_readable(catalog.committed(root, stage.makes().name))
    for artifact in with_readable_parts(finished):
        for record in artifact.drafts if stage.drafts else artifact.parts:
            if record.recipe in wanted:
                known.setdefault(record.recipe, []).append((artifact, record))
    return known


def _taken(task: Task, artifact: Artifact, record: PartRecord) -> Receipt | None:
    folder = artifact.path / "drafts" if task.stage.drafts else artifact.path
    rows = partial(parts.batches, folder / parts.part_name(task.number))
    notes: dict[str, Any] = {name: artifact.manifest.notes[name] for name in record.facts}
    try:
        if parts.damaged(folder, record) or not task.stage.recognises(task.number, rows):
            return None
        return parts.link(task.folder, folder, record, notes)
    except FileNotFoundError:  # somebody deletes the artifact at this moment
        return None
