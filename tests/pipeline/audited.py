"""An audit of the labels of toys, and what people say of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pipeline.analysis.audits import sample_of, write_down
from stages.audit_draw import AuditDraw
from stages.auditing.journal import Judgement
from tests.pipeline.helpers import make, make_all

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from pipeline.store.artifact import Artifact


def draw(root: Path, size: int = 24, **options: object) -> Artifact:
    """The audit `first` of a new store of toys."""
    labels = make_all(root, count=20)["pseudo_labels"].address
    stage = AuditDraw(called="first", size=size, strata=3, **options)  # type: ignore[arg-type]
    return make(stage, root, {"pseudo_labels": labels})


def told(sample: pa.Table, place: int, verdict: str, **more: object) -> Judgement:
    """What somebody says of the label at a place."""
    label = {name: sample[name][place].as_py() for name in ("image_id", "region", "concept_id")}
    content = {"id": os.urandom(8).hex(), **label, "verdict": verdict, **more}
    return Judgement(**content)  # type: ignore[arg-type]


def judge(artifact: Artifact, verdicts: dict[int, str], **more: object) -> None:
    """Write down verdicts by place."""
    sample = sample_of(artifact)
    for place, verdict in verdicts.items():
        write_down(artifact.root, "first", told(sample, place, verdict, **more))
