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
        ArtifactError: If one that stands apart, or reviews, has other regions or concepts than the
            first input; if one whose columns a condition may use is not of all rows that it is
            beside; or if one in which missing rows mean something was made of some rows only.
    """
    for role, reads in stage.requires().items():
        if role in inputs and reads.table.may_be_empty:
            _check_unlimited(stage, role, inputs[role])
        if role in inputs and reads.apart:
            _check_apart(stage, role, inputs)
        if role in inputs and reads.decided and reads.decided in inputs:
            _check_reviews(stage, reads.decided, inputs[role], inputs[reads.decided])
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


def _check_reviews(stage: Stage, role: str, labels: Artifact, reviews: Artifact) -> None:
    """Pass if reviews are about the regions and the concepts of labels, and this is known."""

    def same(table: str) -> bool:
        own, other = (catalog.ancestor(a, (table,)) for a in (labels, reviews))
        return own is not None and other is not None and own.path == other.path

    if same("proposals") and (same("concept_embeddings") or same("concepts")):
        return
    raise ArtifactError(
        f"rc {stage.name}: --{role} ({reviews.address}) were not made of the same proposals and "
        f"concepts as {labels.address}, or what one of them was made of is not in the store any "
        f"more, so equal numbers may mean other things; name labels that were made of the same"
    )


def _check_beside(stage: Stage, rows: Artifact, role: str, beside: Artifact) -> None:
    source = catalog.parents(beside).get(rows.manifest.artifact)
    if source is None or not _is_selected_from(rows, source):
        made = source.address if source else "labels that are not in the store any more"
        raise ArtifactError(
            f"rc {stage.name}: --{role} ({beside.address}) were made of {made}, not of "
            f"{rows.address}; name those of these labels, or make them with "
            f"'rc {beside.manifest.stage.name}'"
        )
    _check_unlimited(stage, role, beside)


def _is_selected_from(rows: Artifact, source: Artifact) -> bool:
    """Whether all rows are rows of a source: they are it, or a selection that changed none."""
    current: Artifact | None = rows
    while current is not None and current.path != source.path:
        notes = current.manifest.notes
        changed = "reviewed" in notes or notes.get("ruled", {}).get("renamed")
        parents = catalog.parents(current) if catalog.selected(current) and not changed else {}
        current = parents.get(source.manifest.artifact)
    return current is not None


def _check_unlimited(stage: Stage, role: str, artifact: Artifact) -> None:
    limit = artifact.manifest.stage.options.get("limit")
    if limit is not None:
        raise ArtifactError(
            f"rc {stage.name}: --{role} ({artifact.address}) was made with --limit {limit}, so "
            f"nothing is known of the rest; make it with 'rc {artifact.manifest.stage.name}' "
            "without a limit"
        )
