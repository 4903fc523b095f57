"""Captions made fit for a parser: limited length, no characters that break it."""

from __future__ import annotations

import re

MAX_CHARACTERS = 2000  # read of a caption; the rest is rarely about the image

# "in a case.next to it": a full stop without its space, but not in "e.g." or "site.com"
_LOST_SPACE = re.compile(r"(?<=[a-z]{3})\.(?=[A-Z][a-z]|[a-z]{4})")
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def clean_caption(caption: str) -> str:
    r"""The first `MAX_CHARACTERS` of a caption, unprintable characters turned into spaces.

    A caption in capitals only becomes lower case, because taggers would tag each of its words as
    a name. A full stop between two words gets the missing space.

    >>> clean_caption("A DOG\x00\nBARKS"), clean_caption("A dog.It barks")
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
    return _WORD.findall(clean_caption(caption).lower())
