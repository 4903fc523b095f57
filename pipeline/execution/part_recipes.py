"""The recipe of a part: the hash of what decides its bytes.

That is the stage with its options, the hashes of the parts that it reads, the fingerprints of what
it reads entirely, the digests of what lies outside the store, and which inputs are one artifact.
The number of a part belongs to its recipe, since names of files have it. Parts of a single task
have no recipe: they read everything.
"""

from __future__ import annotations

import hashlib
import json
from itertools import combinations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.store.artifact import Artifact
    from pipeline.store.part_records import PartRecord
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
        read = {role: inputs[role].path for role in stage.requires() if role in inputs}
        self._same = [[a, b] for a, b in combinations(read, 2) if read[a] == read[b]]
        for role, reads in stage.requires().items():
            if role not in inputs or reads.retried:
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
        if self._same:
            recipe["same"] = self._same
        return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()


def _hashes(record: PartRecord) -> list[str]:
    return [record.sha256, *(f"{file.name} {file.sha256}" for file in record.files)]
