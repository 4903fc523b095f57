"""Presence: concepts that an image lacks, and concepts that its captions mention in vain."""

from __future__ import annotations

from typing import Final

from schemas.table import Column, Table

ABSENT: Final = "absent"
UNMET: Final = "unmet"

PRESENCE = Table(
    name="presence",
    version=1,
    doc="Presence: concepts that an image lacks, and concepts that its captions mention in vain.",
    key=("image_id", "concept_id"),
    columns=(
        Column("image_id", "string", "as in images"),
        Column("concept_id", "int32", "as in concepts"),
        Column(
            "state",
            "string",
            "unmet: a caption mentions it, and no region passes for it or a near-synonym; absent: "
            "neither a caption nor a region speaks of it or a near-synonym, of these the hardest",
        ),
        Column("region", "int32", "the region most similar to it, as in proposals"),
        Column("cosine", "float32", "of that region's feature and the concept, in [-1, 1]"),
        Column(
            "probability",
            "float32",
            "highest probability of any region to be it, as in pseudo_labels, in [0, 1]",
        ),
    ),
)
