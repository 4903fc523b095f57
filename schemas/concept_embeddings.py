"""Concept embeddings: each concept in its prompt templates, through the language encoder L."""

from __future__ import annotations

from schemas.table import VECTOR, Column, Table

CONCEPT_EMBEDDINGS = Table(
    name="concept_embeddings",
    version=1,
    doc="Concept embeddings: each concept in its prompt templates, through the language encoder L.",
    key=("concept_id",),
    columns=(
        Column("concept_id", "int32", "as in concepts"),
        Column("concept", "string", "as in concepts"),
        Column("prompts", "int32", "prompts averaged, of all its names; 0 if imported"),
        Column(
            "embedding",
            VECTOR,
            "mean over the prompts, not normalised (norm is what averaging left)",
        ),
    ),
)
