"""Duplicates: images that show what an image of another set shows.

Such as images that a model was trained on, and an evaluation set. No rows is a result like others.
"""

from __future__ import annotations

from schemas.table import Column, Table

DUPLICATES = Table(
    name="duplicates",
    version=1,
    doc="Duplicates: images that show what an image of another set shows.",
    key=("image_id", "other_id"),
    columns=(
        Column("image_id", "string", "as in images"),
        Column(
            "other_id",
            "string",
            "as in the images that they were compared with; of one set, an earlier image of it",
        ),
        Column(
            "kind",
            "string",
            "same-bytes, or near: the same picture, perhaps resized, recompressed, cropped a "
            "little, mirrored, brighter or darker",
        ),
        Column(
            "similarity",
            "float32",
            "correlation of both pictures after they are aligned, at most 1; 1 of same bytes",
        ),
        Column("mirrored", "bool", "one shows the other with left and right exchanged"),
        Column(
            "cropped",
            "string",
            "which of the two shows only a part of the other: image or other; null if neither",
            nullable=True,
        ),
    ),
    may_be_empty=True,
)
