"""Region features: what a teacher or student sees in each region."""

from __future__ import annotations

from schemas.table import VECTOR, Column, Table

FEATURES = Table(
    name="features",
    version=1,
    doc="Region features: what a teacher or student sees in each region.",
    key=(
        "image_id",
        "region",
    ),
    columns=(
        Column("image_id", "string", "as in images"),
        Column("region", "int32", "as in proposals; -1 is the whole image"),
        Column("feature", VECTOR, "not normalised, in the space of the language encoder"),
    ),
)
