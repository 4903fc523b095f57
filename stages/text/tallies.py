"""Tallies: how often each phrase occurs in captions, and the concept pool that follows from that.

Memory is bounded by the number of different phrases, never by that of captions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from schemas.concepts import CONCEPTS
from schemas.mentions import MENTIONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

EXAMPLES: Final = 3  # captions kept of each phrase


@dataclass(slots=True)
class Tally:
    """What is known of one concept so far.

    Attributes:
        listed: Its id in a given pool.
        names: What it is called where that is not its own name alone; None if nowhere.
    """

    listed: int | None = None
    mentions: int = 0
    captions: int = 0
    images: int = 0
    image_id: str = ""  # the last one: rows of one image are neighbours
    examples: list[str] = field(default_factory=list)
    names: set[str] | None = None


def count_mentions(drafts: Iterable[pa.RecordBatch]) -> dict[str, Tally]:
    """The tally of each concept in rows of `MENTIONS`; rows of one image are neighbours."""
    tallies: dict[str, Tally] = {}
    for batch in drafts:
        columns = [batch.column(column.name).to_pylist() for column in MENTIONS.columns]
        for image_id, rank, phrase, count, text, names in zip(*columns, strict=True):
            tally = tallies.setdefault(phrase, Tally())
            if names is not None:
                tally.names = (tally.names or set()) | set(names)
            if count == 0:
                tally.listed = rank
                continue
            tally.mentions += count
            tally.captions += 1
            tally.images += image_id != tally.image_id
            tally.image_id = image_id
            if text is not None and len(tally.examples) < EXAMPLES:
                tally.examples.append(text)
    return tallies


def concept_rows(names: Sequence[str], tallies: Mapping[str, Tally]) -> pa.RecordBatch:
    """The rows of `CONCEPTS` for some phrases, in their order."""
    kept = [tallies[name] for name in names]
    return CONCEPTS.batch(
        {
            "concept_id": range(len(names)),
            "concept": names,
            "mentions": [tally.mentions for tally in kept],
            "captions": [tally.captions for tally in kept],
            "images": [tally.images for tally in kept],
            "examples": [tally.examples for tally in kept],
            "names": [[name, *merged_names(name, tallies[name])] for name in names],
        }
    )


def merged_names(concept: str, tally: Tally) -> list[str]:
    """The other names of a concept that occur, in alphabetical order."""
    return sorted((tally.names or set()) - {concept})
