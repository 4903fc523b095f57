"""Captions as a parser can take them: of bounded length, without characters that break it."""

from __future__ import annotations

import re

MAX_CHARACTERS = 2000  # of a caption that are read; the rest is rarely about the picture

# "in a case.next to it": a full stop without its space, but not in "e.g." or "site.com"
_LOST_SPACE = re.compile(r"(?<=[a-z]{3})\.(?=[A-Z][a-z]|[a-z]{4})")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def clean(caption: str) -> str:
    r"""The first `MAX_CHARACTERS` of a caption, unprintable characters turned into spaces.

    A caption in capitals only is lowered: taggers would take each of its words for a name. A full
    stop between two words gets the space it lacks.

    >>> clean("A DOG\x00\nBARKS"), clean("A dog.It barks")
    ('a dog  barks', 'A dog. It barks')
    """
    text = caption
    if len(text) > MAX_CHARACTERS:
        text = text[:MAX_CHARACTERS].rpartition(" ")[0] or text[:MAX_CHARACTERS]
    if not text.isprintable():
        text = "".join(mark if mark.isprintable() else " " for mark in text)
    if "." in text:
        text = _LOST_SPACE.sub(". ", text)
    return text.lower() if text.isupper() else text


def words_of(caption: str) -> list[str]:
    """Lower-case words of a caption: letters, digits and inner apostrophes.

    >>> words_of("The dog's hot-dog, 2 buns!")
    ['the', "dog's", 'hot', 'dog', '2', 'buns']
    """
    return _WORD.findall(clean(caption).lower())
