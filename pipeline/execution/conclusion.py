"""The end of a run: an empty result is refused, any other becomes an artifact."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.execution.leakage import with_leakage
from pipeline.execution.notes import joined
from pipeline.store import manifest as manifests
from pipeline.store import part_records, recency
from pipeline.store.manifest import Manifest, StageRecord
from schemas.errors import StageError
from stages.memory import remark
from stages.outcome import Result

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.execution.notes import Notes
    from pipeline.execution.planning import Plan
    from pipeline.store.artifact import Artifact
    from pipeline.store.parts import Receipt
    from stages.base import Stage


@dataclass(frozen=True)
class Made:
    """What a run made.

    Attributes:
        receipts: Of its parts, in order.
        merged: Of the final rows: the same, or that of the merged drafts.
        survey: What was noted for all parts together.
        run: The circumstances, see `pipeline.execution.provenance`.
    """

    receipts: Sequence[Receipt]
    merged: Sequence[Receipt]
    survey: Notes
    run: Mapping[str, Any]


def commit(work: Plan, made: Made, *, allow_empty: bool) -> None:
    """Write the lists of parts, then the manifest: from then on the artifact is there.

    Raises:
        StageError: If the result is empty and may not be, or parts disagree on a fact.
    """
    stage = work.stage
    if work.retry:
        tried = work.retry.counts(work.folder, made.merged, stage.makes().key[0])
        made.survey.note("retried", tried)
    notes = joined(stage, made.receipts, made.survey) | joined(stage, made.merged)
    notes = with_leakage(work.inputs, notes)
    refused = Counter[str]()
    for receipt in made.receipts:
        refused.update(receipt.part.dropped)
    dropped = dict(sorted(refused.items()))
    rows = sum(receipt.part.rows for receipt in made.merged)
    said = _said(stage, Result(rows, dropped, notes), allow_empty=allow_empty)
    recency.record(work.folder)
    parts = part_records.write(work.folder, [receipt.part for receipt in made.merged])
    drafts = None
    if stage.drafts:
        drafts = part_records.write(work.folder / "drafts", [one.part for one in made.receipts])
    options = json.loads(json.dumps(stage.recipe()))
    manifest = Manifest(
        schema_version=manifests.SCHEMA_VERSION,
        artifact=stage.makes().name,
        version=stage.makes().version,
        fingerprint=work.fingerprint,
        stage=StageRecord(name=stage.name, version=stage.version, options=options),
        inputs={role: artifact.address for role, artifact in work.inputs.items()},
        sources=dict(work.sources),
        parts=parts,
        drafts=drafts,
        dropped=dropped,
        notes={**notes, **said},
        run=dict(made.run),
    )
    manifests.write(work.folder, manifest)


def _said(stage: Stage, result: Result, *, allow_empty: bool) -> dict[str, Any]:
    """What the stage says of the result: `summary`, `empty`, `losses`.

    Raises:
        StageError: If the result is empty and may not be.
    """
    outcome = stage.outcome(result)
    if outcome.empty and not allow_empty:
        raise StageError(_sentence(stage.name, outcome.empty))
    said: dict[str, Any] = {"summary": [*outcome.summary, *remark(result.notes)]}
    if outcome.empty:
        said["empty"] = outcome.empty
    if outcome.losses:
        said["losses"] = list(outcome.losses)
    return said


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
