"""Calibration: how often a prediction with a score is right; beside metrics.

With ground-truth boxes the probability of the most probable category; with proposals the score of
every detection, right if it finds an object of its category at IoU 0.5.
"""

from __future__ import annotations

from schemas.table import Column, Table

CALIBRATION = Table(
    name="calibration",
    version=1,
    doc="Calibration: how often a prediction with a score is right; beside metrics.",
    key=("split", "bin"),
    columns=(
        Column("split", "string", "all, base, novel: of the object's or detection's category"),
        Column("bin", "int8", "from 0; 15 of equal width share [0, 1], those empty are absent"),
        Column("low", "float32", "the bin begins here, the end included"),
        Column("high", "float32", "and ends before here; the last includes 1 and what is above"),
        Column("count", "int64", "objects or detections with a score in the bin"),
        Column("mean_score", "float64", "of them"),
        Column("accuracy", "float64", "share of them that is right"),
    ),
)
