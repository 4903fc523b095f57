"""Confusions: what was called what, counted over an evaluation; drafts of metrics.

With ground-truth boxes every object is called its most probable category. With proposals a
detection belongs to the object it overlaps most, if their IoU is 0.5 or more, and an object is
called what the surest detection of it says; one that overlaps no object belongs to the background.
"""

from __future__ import annotations

from schemas.table import Column, Table

CONFUSIONS = Table(
    name="confusions",
    version=1,
    doc="Confusions: what was called what, counted over an evaluation; drafts of metrics.",
    key=("truth", "called"),
    columns=(
        Column(
            "truth", "string", "category of the objects; null for the background", nullable=True
        ),
        Column("called", "string", "what they were called; null for missed", nullable=True),
        Column("count", "int64", "how many objects; for the background, detections"),
        Column("mean_score", "float32", "of the predictions; null for missed", nullable=True),
    ),
)
