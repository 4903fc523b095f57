"""Captions written with their tags, for tests that need no tagger."""

from __future__ import annotations

from stages.text.parsing.noun_compounds import Token
from stages.text.parsing.tags import parse_tag


def tagged(text: str) -> list[Token]:
    """Tokens of "word/TAG word/TAG"; words that are no nouns may omit the tag."""
    pairs = (item.partition("/") for item in text.split())
    return [Token(word, *parse_tag(tag or "X")) for word, _, tag in pairs]
