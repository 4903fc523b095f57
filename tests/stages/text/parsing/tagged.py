"""Captions written with their tags, for tests that need no tagger."""

from __future__ import annotations

from stages.text.parsing.chains import Token
from stages.text.parsing.tags import read


def tagged(text: str) -> list[Token]:
    """Tokens of "word/TAG word/TAG"; a tag may be left out of what is no noun."""
    pairs = (item.partition("/") for item in text.split())
    return [Token(word, *read(tag or "X")) for word, _, tag in pairs]
