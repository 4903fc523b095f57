"""The tag set of the bundled parser: a universal part of speech, number and compound flag in one.

A tag is `UPOS[.s|.p][.c]`: `.s` singular and `.p` plural are given to NOUN and PROPN only, and `.c`
says that the noun modifies a noun to its right ("tennis" in "tennis racket" is `NOUN.s.c`). One
tagger so yields all that the concept rule needs, and no dependency parser runs.
"""

from __future__ import annotations

from typing import NamedTuple

NOUNS = frozenset({"NOUN", "PROPN"})


class Reading(NamedTuple):
    """What a tag says of its token; None where it says nothing."""

    pos: str
    number: str | None
    compound: bool | None


def compose(pos: str, number: str | None = None, compound: bool = False) -> str:
    """The tag of a reading; number and compound are kept for nouns only.

    >>> compose("NOUN", "p"), compose("PROPN", None, True), compose("VERB", "s")
    ('NOUN.p', 'PROPN.s.c', 'VERB')
    """
    if pos not in NOUNS:
        return pos
    return f"{pos}.{number or 's'}{'.c' if compound else ''}"


def read(tag: str) -> Reading:
    """The reading of a tag, of ours or a bare part of speech.

    >>> read("NOUN.p.c")
    Reading(pos='NOUN', number='p', compound=True)
    """
    pos, *marks = tag.split(".")
    if pos not in NOUNS:
        return Reading(pos, None, None)
    number = next((mark for mark in marks if mark in ("s", "p")), None)
    return Reading(pos, number, "c" in marks)
