"""Whether tables that are compared row by row are about the same regions and concepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.store import catalog
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.store.artifact import Artifact
    from stages.base import Stage

_DECIDE: Final = ("proposals", "concepts")  # what numbers of regions and of concepts mean


def check_same_regions(stage: Stage, inputs: Mapping[str, Artifact]) -> None:
    """Pass if inputs that are compared row by row have rows of the same meaning.

    Raises:
        ArtifactError: If one that stands apart has other regions or concepts than the first input,
            or one whose columns a condition may use is of other rows than that it is beside.
    """
    for role, reads in stage.requires().items():
        if role in inputs and reads.apart:
            _check_apart(stage, role, inputs)
        if role in inputs and reads.beside and reads.beside in inputs:
            _check_beside(stage, inputs[role], reads.beside, inputs[reads.beside])


def _check_apart(stage: Stage, role: str, inputs: Mapping[str, Artifact]) -> None:
    first = inputs[stage.first()]
    for table in _DECIDE:
        own, other = (catalog.ancestor(a, (table,)) for a in (first, inputs[role]))
        if own is None or other is None or own.path == other.path:
            continue
        raise ArtifactError(
            f"rc {stage.name}: --{role} ({inputs[role].address}) and {first.address} were made of "
            f"different {table} ({other.address}, {own.address}), so equal numbers mean other "
            f"things; name labels that were made of the same {table}"
        )


def _check_beside(stage: Stage, rows: Artifact, role: str, beside: Artifact) -> None:
    table = rows.manifest.artifact
    source = catalog.ancestor(beside, (table,))
    if source is None or catalog.unselected(source).path != catalog.unselected(rows).path:
        made = source.address if source else f"{table} that are not in the store any more"
        raise ArtifactError(
            f"rc {stage.name}: --{role} ({beside.address}) were made of {made}, not of "
            f"{rows.address}; name those of these labels, or make them with "
            f"'rc {beside.manifest.stage.name}'"
        )
