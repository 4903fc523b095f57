"""Parts that another artifact of the store has already: they are linked, not computed again.

Equal recipes, equal bytes (`pipeline.execution.part_recipes`). So growth costs the parts that are
new, in every later stage.

What was refused may depend on more, such as a decoder or a server: of equal parts, the one with the
fewest refusals is linked, and `pipeline.execution.retry` has those with any computed again.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from pipeline.store import catalog, parts
from pipeline.store.artifact import open_readable, with_readable_parts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.execution.retry import Retry
    from pipeline.execution.task import Task
    from pipeline.store.artifact import Artifact
    from pipeline.store.part_records import PartRecord
    from pipeline.store.parts import Receipt


def take_over(
    tasks: Sequence[Task], root: Path, retry: Retry | None = None
) -> Iterator[tuple[Receipt, Artifact]]:
    """Link the parts that finished artifacts have; the receipt of each, and where it came from.

    A part whose files are damaged is left to be computed, as is one that the stage does not
    recognise.

    Args:
        tasks: Of one run, which are still to be computed.
        root: The store.
        retry: Whose refused records are tried again, if any are.
    """
    known = recorded(tasks, root, retry)
    for task in tasks:
        for artifact, record in known.get(task.number, ()):
            if receipt := _taken(task, artifact, record):
                yield receipt, artifact
                break


def recorded(
    tasks: Sequence[Task], root: Path, retry: Retry | None = None
) -> dict[int, list[tuple[Artifact, PartRecord]]]:
    """Parts of finished artifacts that are those of some tasks, by number, fewest refusals first.

    Arguments are those of `take_over`.
    """
    recipes = ((retry.recipe(task) if retry else task.recipe, task.number) for task in tasks)
    wanted = {recipe: number for recipe, number in recipes if recipe}
    known: dict[int, list[tuple[Artifact, PartRecord]]] = {}
    if not wanted:
        return known
    stage = tasks[0].stage
    finished = open_readable(catalog.committed(root, stage.makes().name))
    for artifact in with_readable_parts(finished):
        for record in artifact.drafts if stage.drafts else artifact.parts:
            if record.recipe in wanted and not (retry and record.dropped):
                known.setdefault(wanted[record.recipe], []).append((artifact, record))
    for same in known.values():
        same.sort(key=lambda pair: sum(pair[1].dropped.values()))
    return known


def _taken(task: Task, artifact: Artifact, record: PartRecord) -> Receipt | None:
    folder = artifact.path / "drafts" if task.stage.drafts else artifact.path
    rows = partial(parts.batches, folder / parts.part_name(task.number))
    known = artifact.manifest.notes
    if not known.keys() >= set(record.facts):  # a list that was made up
        return None
    notes: dict[str, Any] = {name: known[name] for name in record.facts}
    try:
        if parts.damaged(folder, record) or not task.stage.recognises(task.number, rows):
            return None
        ours = replace(record, recipe=task.recipe)
        return parts.link(task.folder, folder, ours, notes)
    except FileNotFoundError:  # somebody deletes the artifact at this moment
        return None
