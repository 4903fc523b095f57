"""Students: region-text pretraining, as a training curve; weights lie beside it.

Attachments of part 0 as of a teacher: model.json and weights.safetensors (open_clip names), and the
files of the tokenizer, if it is not CLIP's.
"""

from __future__ import annotations

from schemas.table import Column, Table

STUDENTS = Table(
    name="students",
    version=2,
    doc="Students: region-text pretraining, as a training curve; weights lie beside it.",
    is_model=True,
    has_language=True,
    key=("step",),
    columns=(
        Column("step", "int32", "optimiser steps done"),
        Column("images", "int64", "images seen"),
        Column("learning_rate", "float32", "of the last step"),
        Column("loss", "float32", "weighted sum of the losses, mean since the row before"),
        Column(
            "contrastive",
            "float32",
            "region-text contrastive loss, nats; null if switched off",
            nullable=True,
        ),
        Column(
            "distillation",
            "float32",
            "KL from teacher to student, nats; null if switched off",
            nullable=True,
        ),
        Column(
            "image_text",
            "float32",
            "image-text contrastive loss, nats; null if switched off",
            nullable=True,
        ),
        Column(
            "crop_distillation",
            "float32",
            "cosine distance to the features of crops; null if switched off",
            nullable=True,
        ),
        Column("regions", "float32", "mean regions a step that took part, of each loss"),
    ),
)
