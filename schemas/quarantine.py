"""Quarantine: what a stage refused, where it was, and why."""

from __future__ import annotations

import pyarrow as pa

from schemas.table import Column, Table

QUARANTINE = Table(
    name="quarantine",
    version=1,
    doc="Quarantine: what a stage refused, where it was, and why.",
    key=("record",),
    columns=(
        Column("record", pa.string(), "image_id, or file and member, of what was refused"),
        Column("reason", pa.string(), "reason code, such as truncated or too-many-pixels"),
        Column("detail", pa.string(), "one sentence"),
    ),
)
