"""Trying refused records again: parts that refused nothing are linked, the others are computed.

`rc ingest SOURCE... --retry quarantine@…` makes the artifact that a plain run would make today. A
part is the unit: to try one record again costs reading all of its part.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from pipeline.execution import provenance
from pipeline.execution.part_recipes import Recipes
from pipeline.store import parts
from schemas.errors import OptionError
from schemas.quarantine import QUARANTINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipeline.execution.task import Task
    from pipeline.store.artifact import Artifact
    from pipeline.store.parts import Receipt
    from stages.base import Stage

_FILE = "quarantine.parquet"


@dataclass(frozen=True)
class Retry:
    """An earlier artifact of a stage, whose refused records are tried again.

    Attributes:
        artifact: The earlier one.
        numbers: Its parts that refused something.
        former: The recipes that its other parts have, if they are right today.
    """

    artifact: Artifact
    numbers: frozenset[int]
    former: Recipes

    @classmethod
    def of(
        cls, stage: Stage, inputs: Mapping[str, Artifact], sources: Mapping[str, str]
    ) -> Retry | None:
        """What a stage is to try again; None if that is nothing.

        Raises:
            OptionError: If it is of other sources or options, or refused nothing.
        """
        roles = [role for role, reads in stage.requires().items() if reads.retried]
        artifact = next((inputs[role] for role in roles if role in inputs), None)
        if artifact is None:
            return None
        numbers = frozenset(part.number for part in artifact.manifest.parts if part.dropped)
        if not numbers:
            raise OptionError(
                f"rc {stage.name}: {artifact.address} refused no record, so there is nothing to "
                "retry"
            )
        before = artifact.manifest.run.get("origins", {}).values()
        now = provenance.origins(stage).values()
        if not set(chain(*before)) & set(chain(*now)):
            raise OptionError(
                f"rc {stage.name}: the refused records of {artifact.address} are of "
                f"{_listed(chain(*before))}, not of {_listed(chain(*now))}; name the sources that "
                "they are of"
            )
        former = stage.as_before(artifact.manifest.stage.options)
        return cls(artifact, numbers, Recipes(former, {}, sources))

    def check(self, verb: str, tasks: Sequence[Task]) -> None:
        """Pass if something is left to try.

        Raises:
            OptionError: If all parts that refused records are gone from the sources.
        """
        if not self.numbers & {task.number for task in tasks}:
            raise OptionError(
                f"rc {verb}: nothing is left to retry: the sources are smaller now, and what "
                f"{self.artifact.address} refused was in parts that are gone; leave out --retry"
            )

    def recipe(self, task: Task) -> str | None:
        """What a part is recognised by; None if it refused records, so that it is computed."""
        if task.number in self.numbers:
            return None
        return self.former.of(task.number, task.rows.get(task.number))

    def counts(self, folder: Path, receipts: Sequence[Receipt], key: str) -> dict[str, int]:
        """How many records were tried, how many of them are rows now, and how many refused again.

        Args:
            folder: Of the new parts.
            receipts: Of all of them.
            key: The column of their rows that names a record.
        """
        records = [receipt.part for receipt in receipts]
        refused = (folder / f.name for part in records for f in part.files if _FILE in f.name)
        before = _records(self.artifact.attachments(_FILE), QUARANTINE.key[0])
        again = before & _records(refused, QUARANTINE.key[0])
        left = before - again
        rows = _names((folder / parts.part_name(part.number) for part in records), key)
        kept = left.keys() & rows if left else set()
        return {
            "records": before.total(),
            "parts": len(self.numbers),
            "images": sum(left[name] for name in kept),
            "again": again.total(),
        }


def _records(files: Iterable[Path], column: str) -> Counter[str]:
    return Counter(_names(files, column))


def _names(files: Iterable[Path], column: str) -> Iterator[str]:
    for file in files:
        for batch in parts.batches(file, [column]):
            yield from batch.column(column).to_pylist()


def _listed(paths: Iterable[str]) -> str:
    return ", ".join(paths) or "unknown files"
