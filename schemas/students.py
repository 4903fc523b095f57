"""Students: region-text pretraining, as a training curve; weights lie beside it.

Attachments of part 0 as of a teacher: model.json and weights.safetensors (open_clip names), and the
files of the tokenizer, if it is not CLIP's.
"""

from __future__ import annotations

import pyarrow as pa

from schemas.table import Column, Table

STUDENTS = Table(
    name="students",
    version=2,
    doc="Students: region-text pretraining, as a training curve; weights lie beside it.",
    is_model=True,
    has_language=True,
    key=("step",),
    columns=(
        Column("step", pa.int32(), "optimiser steps done"),
        Column("images", pa.int64(), "images seen"),
        Column("learning_rate", pa.float32(), "of the last step"),
        Column("loss", pa.float32(), "weighted sum of the losses, mean since the row before"),
        Column(
            "contrastive",
            pa.float32(),
            "region-text contrastive loss, nats; null if switched off",
            nullable=True,
        ),
        Column(
            "distillation",
            pa.float32(),
            "KL from teacher to student, nats; null if switched off",
            nullable=True,
        ),
        Column(
            "image_text",
            pa.float32(),
            "image-text contrastive loss, nats; null if switched off",
            nullable=True,
        ),
        Column(
            "crop_distillation",
            pa.float32(),
            "cosine distance to the features of crops; null if switched off",
            nullable=True,
        ),
        Column("regions", pa.float32(), "mean regions a step that took part, of each loss"),
    ),
)
