"""Captions as a parser can take them: of bounded length, without characters that break it."""

from __future__ import annotations

import re

MAX_CHARACTERS = 2000  # of a caption that are read; the rest is rarely about the picture

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")


def clean(caption: str) -> str:
    r"""The first `MAX_CHARACTERS` of a caption, unprintable characters turned into spaces.

    A caption in capitals only is lowered: taggers would take each of its words for a name.

    >>> clean("A DOG\x00\nBARKS"), clean("A dog")
    ('a dog  barks', 'A dog')
    """
    text = caption
    if len(text) > MAX_CHARACTERS:
        text = text[:MAX_CHARACTERS].rpartition(" ")[0] or text[:MAX_CHARACTERS]
    if not text.isprintable():
        text = "".join(mark if mark.isprintable() else " " for mark in text)
    return text.lower() if text.isupper() else text


def words_of(caption: str) -> list[str]:
    """Lower-case words of a caption: letters, digits and inner apostrophes.

    >>> words_of("The dog's hot-dog, 2 buns!")
    ['the', "dog's", 'hot', 'dog', '2', 'buns']
    """
    return _WORD.findall(clean(caption).lower())
