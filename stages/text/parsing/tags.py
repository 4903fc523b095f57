"""The tag set of the bundled parser: universal part of speech, number and compound flag in one.

A tag is `UPOS[.s|.p][.c]`: only NOUN and PROPN have `.s` (singular) or `.p` (plural), and `.c`
means that the noun modifies a noun to its right ("tennis" in "tennis racket" is `NOUN.s.c`). So
one tagger gives everything that the concept rule needs, without a dependency parser.
"""

from __future__ import annotations

from typing import NamedTuple

NOUNS = frozenset({"NOUN", "PROPN"})


class ParsedTag(NamedTuple):
    """The parts of a tag; None for parts that the tag does not have."""

    pos: str
    number: str | None
    compound: bool | None


def compose_tag(pos: str, number: str | None = None, compound: bool = False) -> str:
    """The tag with these parts; number and compound are kept for nouns only.

    >>> compose_tag("NOUN", "p"), compose_tag("PROPN", None, True), compose_tag("VERB", "s")
    ('NOUN.p', 'PROPN.s.c', 'VERB')
    """
    if pos not in NOUNS:
        return pos
    return f"{pos}.{number or 's'}{'.c' if compound else ''}"


def parse_tag(tag: str) -> ParsedTag:
    """The parts of a tag of this tag set, or of a bare part of speech.

    >>> parse_tag("NOUN.p.c")
    ParsedTag(pos='NOUN', number='p', compound=True)
    """
    pos, *marks = tag.split(".")
    if pos not in NOUNS:
        return ParsedTag(pos, None, None)
    number = next((mark for mark in marks if mark in ("s", "p")), None)
    return ParsedTag(pos, number, "c" in marks)
