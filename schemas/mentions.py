"""Mentions: which caption has which noun phrase; the drafts that concepts are folded from."""

from __future__ import annotations

import pyarrow as pa

from schemas.table import Column, Table

MENTIONS = Table(
    name="mentions",
    version=1,
    doc="Mentions: which caption has which noun phrase; the drafts that concepts are folded from.",
    key=(
        "image_id",
        "caption",
        "concept",
    ),
    columns=(
        Column(
            "image_id",
            pa.string(),
            "as in images, or the key of the caption file; empty where a given pool is listed",
        ),
        Column(
            "caption",
            pa.int32(),
            "rank of the caption among those of its image; in a listed pool, the concept's id",
        ),
        Column(
            "concept",
            pa.string(),
            "noun phrase as in concepts; in the pool only if frequent enough",
        ),
        Column("mentions", pa.int32(), "occurrences in this caption; 0 in a listed pool"),
        Column(
            "text",
            pa.string(),
            "the caption, cut at 1,000 characters, for the first three of a concept in its part",
            nullable=True,
        ),
        Column(
            "names",
            pa.list_(pa.string()),
            "names that the caption has, or a given pool lists; null if only the concept's own",
            nullable=True,
        ),
    ),
)
