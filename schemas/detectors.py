"""Detectors: transfer to detection, as a training curve; weights lie beside it.

Attachments of part 0: model.json (as of a teacher, and the head) and weights.safetensors
(`clip.` before open_clip's names, `head.` before those of the head).
"""

from __future__ import annotations

from schemas.table import Column, Table

DETECTORS = Table(
    name="detectors",
    version=1,
    doc="Detectors: transfer to detection, as a training curve; weights lie beside it.",
    is_model=True,
    has_language=True,
    key=("step",),
    columns=(
        Column("step", "int32", "optimiser steps done"),
        Column("images", "int64", "images seen"),
        Column("learning_rate", "float32", "of the last step"),
        Column("loss", "float32", "sum of both losses, mean since the row before"),
        Column("classification", "float32", "of all sampled regions, nats, scaled and weighted"),
        Column(
            "regression",
            "float32",
            "L1 of box deltas over all sampled regions; null without regression",
            nullable=True,
        ),
        Column("regions", "float32", "mean regions a step"),
        Column("foreground", "float32", "share of these that are objects"),
        Column(
            "accuracy",
            "float32",
            "share of the objects that are called what they are; null where there were none",
            nullable=True,
        ),
    ),
)
