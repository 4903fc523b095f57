"""The end of a run: what its stage says goes into the notes, and an empty result is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import StageError
from stages.memory import remark
from stages.outcome import Result

if TYPE_CHECKING:
    from pipeline.store.artifact import Artifact
    from pipeline.store.manifest import Manifest
    from stages.base import Stage


def concluded(stage: Stage, manifest: Manifest, *, allow_empty: bool) -> Manifest:
    """The manifest with what the stage says of the result: `summary`, `empty`, `losses`.

    Raises:
        StageError: If the result is empty and may not be.
    """
    outcome = stage.outcome(Result(manifest.rows, manifest.dropped, manifest.notes))
    if outcome.empty and not allow_empty:
        raise StageError(_sentence(stage.name, outcome.empty))
    notes = {**manifest.notes, "summary": [*outcome.summary, *remark(manifest.notes)]}
    if outcome.empty:
        notes["empty"] = outcome.empty
    if outcome.losses:
        notes["losses"] = list(outcome.losses)
    return manifest.model_copy(update={"notes": notes})


def refuse_empty(artifact: Artifact, *, allow_empty: bool) -> Artifact:
    """A finished artifact, unless it is empty and may not be.

    Raises:
        StageError: If an earlier run was allowed to be empty and this one is not.
    """
    why = artifact.manifest.notes.get("empty")
    if why and not allow_empty:
        raise StageError(_sentence(artifact.manifest.stage.name, why))
    return artifact


def _sentence(verb: str, why: str) -> str:
    return f"rc {verb}: {why.rstrip('.')}. Nothing was made; --allow-empty makes it all the same."
