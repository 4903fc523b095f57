"""Tagged sentences from Universal Dependencies files, in the tag set of the caption parser.

Source: Universal Dependencies, CoNLL-U format.
"""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, NamedTuple

from stages.text.parsing.tags import NOUNS, compose_tag

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_FLAT = frozenset({"flat", "fixed", "goeswith"})


class Sentence(NamedTuple):
    """Words of one sentence and their tags, of equal length."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


class _Row(NamedTuple):
    """The columns of a CoNLL-U word that decide its tag."""

    word: str
    pos: str
    features: str
    head: int
    relation: str


def read_treebank(path: Path) -> Iterator[Sentence]:
    """Yield the sentences of a CoNLL-U file, plain or gzipped; empty nodes are left out."""
    rows: list[_Row] = []
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                rows.extend(_parse(line))
            elif rows:
                yield _sentence(rows)
                rows = []
    if rows:
        yield _sentence(rows)


def _parse(line: str) -> list[_Row]:
    """The word of a line; nothing for comments, ranges and empty nodes."""
    columns = line.rstrip("\n").split("\t")
    if line.startswith("#") or not columns[0].isdigit():
        return []
    relation = columns[7].split(":")[0]
    return [_Row(columns[1], columns[3], columns[5], int(columns[6]), relation)]


def _sentence(rows: Sequence[_Row]) -> Sentence:
    tags = tuple(
        compose_tag(row.pos, "p" if _is_plural(row) else "s", _modifies_right(rows, i))
        for i, row in enumerate(rows)
    )
    return Sentence(tuple(row.word for row in rows), tags)


def _is_plural(row: _Row) -> bool:
    return "Number=Plur" in row.features or "Number=Ptan" in row.features


def _modifies_right(rows: Sequence[_Row], index: int) -> bool:
    """Whether a noun modifies a head noun further right.

    The head of a compound is to its right. The head of a flat name is its first word; each of its
    words except the last counts as a modifier, so that the name stays whole.
    """
    row = rows[index]
    if row.pos not in NOUNS:
        return False
    if row.relation == "compound" and row.head - 1 > index:
        return rows[row.head - 1].pos in NOUNS
    first = row.head if row.relation in _FLAT else index + 1
    following = rows[index + 1 : index + 2]
    return any(
        next_row.relation in _FLAT and next_row.head == first and next_row.pos in NOUNS
        for next_row in following
    )
