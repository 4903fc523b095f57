"""Concepts: the noun phrases found in captions, or listed by the user; ids dense from 0."""

from __future__ import annotations

import pyarrow as pa

from schemas.table import Column, Table

CONCEPTS = Table(
    name="concepts",
    version=2,
    doc="Concepts: the noun phrases found in captions, or listed by the user; ids dense from 0.",
    key=("concept_id",),
    columns=(
        Column(
            "concept_id",
            pa.int32(),
            "dense from 0, in order of frequency, or of the user's list",
        ),
        Column("concept", pa.string(), "noun phrase, lower case, singular head: traffic light"),
        Column("mentions", pa.int64(), "occurrences in all captions"),
        Column("captions", pa.int64(), "captions that mention it at least once"),
        Column("images", pa.int64(), "images with at least one such caption"),
        Column("examples", pa.list_(pa.string()), "up to three captions that mention it"),
        Column(
            "names",
            pa.list_(pa.string()),
            "its own, then those merged into it by --merge that occur, in alphabetical order",
        ),
    ),
)
