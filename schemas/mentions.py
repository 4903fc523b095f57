"""Mentions: which caption has which noun phrase; the drafts that concepts are folded from."""

from __future__ import annotations

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
            "string",
            "as in images, or the key of the caption file; empty where a given pool is listed",
        ),
        Column(
            "caption",
            "int32",
            "rank of the caption among those of its image; in a listed pool, the concept's id",
        ),
        Column(
            "concept",
            "string",
            "noun phrase as in concepts; in the pool only if frequent enough",
        ),
        Column("mentions", "int32", "occurrences in this caption; 0 in a listed pool"),
        Column(
            "text",
            "string",
            "the caption, cut at 1,000 characters, for the first three of a concept in its part",
            nullable=True,
        ),
        Column(
            "names",
            "list<string>",
            "names that the caption has, or a given pool lists; null if only the concept's own",
            nullable=True,
        ),
    ),
)
