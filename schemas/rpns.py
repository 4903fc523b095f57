"""Region proposal networks: class-agnostic training on boxes, as a training curve.

Attachments of part 0: model.json (backbone, neck, anchors, preprocessing) and weights.safetensors.
"""

from __future__ import annotations

from schemas.table import Column, Table

RPNS = Table(
    name="rpns",
    version=1,
    doc="Region proposal networks: class-agnostic training on boxes, as a training curve.",
    is_model=True,
    key=("step",),
    columns=(
        Column("step", "int32", "optimiser steps done"),
        Column("images", "int64", "images seen"),
        Column("learning_rate", "float32", "of the last step"),
        Column(
            "loss",
            "float32",
            "objectness and box losses together, mean since the row before",
        ),
        Column("objectness_loss", "float32", "binary cross-entropy, nats"),
        Column("box_loss", "float32", "L1 on encoded boxes"),
    ),
)
