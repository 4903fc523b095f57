"""Rows of `MENTIONS`: what some captions mention, and what a given pool lists."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from schemas.mentions import MENTIONS
from stages.text.tallies import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

_EXAMPLE_CHARACTERS: Final = 1_000


def listing(pool: Sequence[Sequence[str]]) -> pa.RecordBatch:
    """A given pool as rows without image, so that the fold knows it.

    Args:
        pool: The names of each concept, its own first.
    """
    return MENTIONS.batch(
        {
            "image_id": [""] * len(pool),
            "caption": range(len(pool)),
            "concept": [names[0] for names in pool],
            "mentions": [0] * len(pool),
            "text": [None] * len(pool),
            "names": [list(names) if len(names) > 1 else None for names in pool],
        }
    )


def mention_rows(
    captions: Sequence[tuple[str, int, str]],
    mentions: Sequence[Sequence[str]],
    heads: Mapping[str, str],
    texts_given: Counter[str],
) -> pa.RecordBatch:
    """A row for each concept that a caption mentions.

    Args:
        captions: Key of the image, rank among its captions, and text of each.
        mentions: Of each of these captions, a name for each mention.
        heads: The concept of each name that is not a concept's own.
        texts_given: Counts the examples of each concept in this part.
    """
    rows: list[tuple[Any, ...]] = []
    for (key, rank, text), names in zip(captions, mentions, strict=True):
        for concept, counts in sorted(_by_concept(names, heads).items()):
            texts_given[concept] += 1
            example = text[:_EXAMPLE_CHARACTERS] if texts_given[concept] <= EXAMPLES else None
            written = None if list(counts) == [concept] else sorted(counts)
            rows.append((key, rank, concept, counts.total(), example, written))
    columns = [column.name for column in MENTIONS.columns]
    return MENTIONS.batch({name: [row[at] for row in rows] for at, name in enumerate(columns)})


def _by_concept(names: Sequence[str], heads: Mapping[str, str]) -> dict[str, Counter[str]]:
    """How often each name of a caption is mentioned, by its concept."""
    counts: dict[str, Counter[str]] = {}
    for name in names:
        counts.setdefault(heads.get(name, name), Counter())[name] += 1
    return counts
