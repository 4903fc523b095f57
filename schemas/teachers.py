"""Teachers: image-text pretraining of V_t and L as a curve; weights lie beside it.

Attachments of part 0: model.json (open_clip configuration, preprocessing) and weights.safetensors;
the files of the tokenizer, if it is not CLIP's.
"""

from __future__ import annotations

from schemas.table import Column, Table

TEACHERS = Table(
    name="teachers",
    version=1,
    doc="Teachers: image-text pretraining of V_t and L as a curve; weights lie beside it.",
    is_model=True,
    has_language=True,
    key=("step",),
    columns=(
        Column("step", "int32", "optimiser steps done"),
        Column("images", "int64", "images seen"),
        Column("learning_rate", "float32", "of the last step"),
        Column(
            "loss",
            "float32",
            "image-text contrastive loss, nats, mean since the row before",
        ),
        Column(
            "accuracy",
            "float32",
            "share of images whose own caption scored highest in its batch",
        ),
        Column("logit_scale", "float32", "inverse temperature after the step"),
    ),
)
