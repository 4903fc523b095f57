"""Concepts: the noun phrases found in captions, or listed by the user; ids dense from 0."""

from __future__ import annotations

from schemas.table import Column, Table

CONCEPTS = Table(
    name="concepts",
    version=2,
    doc="Concepts: the noun phrases found in captions, or listed by the user; ids dense from 0.",
    key=("concept_id",),
    columns=(
        Column(
            "concept_id",
            "int32",
            "dense from 0, in order of frequency, or of the user's list",
        ),
        Column("concept", "string", "noun phrase, lower case, singular head: traffic light"),
        Column("mentions", "int64", "occurrences in all captions"),
        Column("captions", "int64", "captions that mention it at least once"),
        Column("images", "int64", "images with at least one such caption"),
        Column("examples", "list<string>", "up to three captions that mention it"),
        Column(
            "names",
            "list<string>",
            "its own, then those merged into it by --merge that occur, in alphabetical order",
        ),
    ),
)
