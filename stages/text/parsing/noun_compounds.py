"""Noun compounds of a tagged caption: each head noun with the nouns that modify it.

Before nouns are joined, common problems of taggers with captions are corrected: hyphens, quoted
text on signs, gerunds ("swimming pool"), and names that begin with an adjective ("hot dog").
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from stages.text.parsing.lemmas import singularise
from stages.text.parsing.tags import NOUNS
from stages.text.parsing.word_lists import CLOSED_CLASS, GERUND_HEADS, GERUND_MODIFIERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_WORD = re.compile(r"[a-z\u00df-\u024f]+(?:['\u2019][a-z\u00df-\u024f]+)*")
_ACRONYM_PLURAL = re.compile("[A-Z]{2,5}s")  # TVs, CDs: nouns, whatever their tag
_AFTER_NOUN = frozenset(("ADP", "CCONJ", "PUNCT"))
_HYPHENS = frozenset("-\u2010\u2011")
_PARTICLES = frozenset(("up", "down", "in", "out", "off", "on", "over", "by", "to"))
_QUOTES = frozenset(('"', "\u201c", "\u201d", "``", "''"))
_LONGEST_QUOTE = 12  # tokens; a longer quotation is speech, not text on a sign
_LONGEST_WORD = 40  # letters
_CACHED_WORDS = 1 << 16  # more than the distinct words of common captions


class Token(NamedTuple):
    """One token of a caption as a tagger sees it."""

    text: str  # a hyphen keeps the space after it, if any: then it joins no nouns
    pos: str  # universal part of speech
    number: str | None = None  # "s", "p", or None: unknown
    compound: bool | None = None  # modifies a noun to its right; None: unknown


class NounCompound(NamedTuple):
    """A head noun, its modifier nouns, and the words before and after; all lower case."""

    modifiers: tuple[str, ...]
    head: str
    number: str | None
    before: str  # "" at the start of the caption
    after: str  # "" at the end of the caption


class MultiwordNames:
    """Names of several words, found whatever tags their words have."""

    def __init__(self, names: Iterable[str]) -> None:
        """Case, number and hyphens of `names` do not matter; single words are ignored."""
        self._by_first: dict[str, list[tuple[str, ...]]] = {}
        for name in names:
            words = tuple(singular(word) for word in name.lower().replace("-", " ").split())
            if len(words) > 1:
                self._by_first.setdefault(words[0], []).append(words)
        for group in self._by_first.values():
            group.sort(key=len, reverse=True)

    def match_length(self, words: Sequence[_Word], start: int) -> int:
        """Number of words of the longest name that begins at `start`; 0 if there is none."""
        for name in self._by_first.get(singular(words[start].text), ()):
            candidate = words[start : start + len(name)]
            if tuple(singular(word.text) for word in candidate) == name:
                return len(name)
        return 0


def noun_compounds(
    tokens: Sequence[Token], names: MultiwordNames, *, plain: bool = False
) -> Iterator[NounCompound]:
    """Yield the noun compounds of a caption from left to right.

    Args:
        tokens: The tokens of one caption, in order.
        names: Names that are kept whole.
        plain: Take nouns as tagged: quoted nouns count, and gerunds are like other nouns.
    """
    words = _merge_names(_lower_case_words(tokens), names)
    if not plain:
        words = _tag_can_as_noun(_tag_orange_as_noun(words))
        words = _tag_compound_gerunds(_untag_quoted_nouns(words))
    start = 0
    for i, word in enumerate(words):
        if not word.noun:
            start = i + 1
        elif not _modifies_next(words, i):
            if plain or not _is_part_of_adjective(words, i):
                yield _compound(words, start, i)
            start = i + 1


@lru_cache(maxsize=_CACHED_WORDS)
def singular(word: str) -> str:
    """`singularise` with a cache, because common words repeat."""
    return singularise(word)


class _Word(NamedTuple):
    """A lower-case word, or a name of several words, and how it is joined to the next."""

    text: str
    pos: str
    number: str | None
    compound: bool | None
    noun: bool
    hyphen: bool = False  # a hyphen follows
    tied: bool = False  # a hyphen without a space follows


def _lower_case_words(tokens: Sequence[Token]) -> list[_Word]:
    """Words in lower case; a hyphen becomes a mark on the word before it."""
    words: list[_Word] = []
    for token in tokens:
        text, pos, number, compound = token
        if text.rstrip() in _HYPHENS:
            if words:
                words[-1] = words[-1]._replace(hyphen=True, tied=text in _HYPHENS)
            continue
        lower = text.lower()
        if pos not in NOUNS and _ACRONYM_PLURAL.fullmatch(text):
            pos, number, compound = "NOUN", "p", False
        noun = pos in NOUNS and _can_be_noun(lower)
        words.append(_Word(lower, pos, number, compound, noun))
    return words


@lru_cache(maxsize=_CACHED_WORDS)
def _can_be_noun(word: str) -> bool:
    if len(word) > _LONGEST_WORD or word in CLOSED_CLASS:
        return False
    return _WORD.fullmatch(word) is not None


def _merge_names(words: list[_Word], names: MultiwordNames) -> list[_Word]:
    """Merge the words of each name into one noun."""
    merged: list[_Word] = []
    i = 0
    while i < len(words):
        length = names.match_length(words, i)
        if length:
            last = words[i + length - 1]
            text = " ".join(word.text for word in words[i : i + length])
            is_modifier = last.compound if last.noun else False
            if any(word.tied for word in words[i : i + length - 1]):
                is_modifier = None  # "ice-cream cone": taggers are unsure after a hyphen
            merged.append(last._replace(text=text, pos="NOUN", noun=True, compound=is_modifier))
        else:
            merged.append(words[i])
        i += length or 1
    return merged


def _tag_orange_as_noun(words: list[_Word]) -> list[_Word]:
    """Tag "an orange" as a noun if no noun follows that it could describe."""
    for i, word in enumerate(words):
        if word.text == "orange" and word.pos == "ADJ" and i and words[i - 1].text in ("a", "an"):
            after = words[i + 1] if i + 1 < len(words) else None
            if after is None or after.pos in ("ADP", "AUX") or after.text == ".":
                words[i] = word._replace(pos="NOUN", noun=True, compound=False)
    return words


def _tag_can_as_noun(words: list[_Word]) -> list[_Word]:
    """Tag "can" after a name as a noun if no verb follows: "a Coca-Cola can on a shelf"."""
    for i, word in enumerate(words):
        if word.text != "can" or word.pos != "AUX" or not i or words[i - 1].pos != "PROPN":
            continue
        if i + 1 == len(words) or words[i + 1].pos in _AFTER_NOUN:
            words[i - 1] = words[i - 1]._replace(compound=True)
            words[i] = word._replace(pos="NOUN", noun=True, compound=False)
    return words


def _untag_quoted_nouns(words: list[_Word]) -> list[_Word]:
    """Ignore nouns between quotation marks: they are text on a sign, not objects."""
    marks = [i for i, word in enumerate(words) if word.text in _QUOTES]
    for first, last in zip(marks[::2], marks[1::2], strict=False):
        if last - first <= _LONGEST_QUOTE:
            for i in range(first, last):
                words[i] = words[i]._replace(noun=False)
    return words


def _tag_compound_gerunds(words: list[_Word]) -> list[_Word]:
    """Tag "swimming" as a modifier of "pool" but not of "man", whatever its tag was."""
    for i, word in enumerate(words):
        if word.text in GERUND_MODIFIERS:
            following = words[i + 1] if i + 1 < len(words) else None
            if following and following.noun and singular(following.text) in GERUND_HEADS:
                words[i] = word._replace(pos="NOUN", noun=True, compound=True)
    return words


def _modifies_next(words: Sequence[_Word], i: int) -> bool:
    """Whether a noun modifies the noun right after it."""
    if i + 1 == len(words) or not words[i + 1].noun:
        return False
    return words[i].tied or words[i].compound is not False


def _is_part_of_adjective(words: Sequence[_Word], i: int) -> bool:
    """Whether a hyphen makes the noun part of another word: "snow" in "snow-covered"."""
    if not words[i].hyphen or i + 1 == len(words):
        return False
    return words[i + 1].pos in ("ADJ", "VERB") or words[i + 1].text in _PARTICLES


def _compound(words: Sequence[_Word], start: int, end: int) -> NounCompound:
    """The compound of the nouns from `start` to `end`; the last one is the head."""
    before = words[start - 1].text if start else ""
    after = words[end + 1].text if end + 1 < len(words) else ""
    head, number = words[end].text, words[end].number
    if end > start and start and words[start - 1].pos == "NUM" and words[start - 1].hyphen:
        start += 1  # the unit of a "12-inch screen", the part of a "two-story house"
    modifiers = [word.text for word in words[start:end]]
    while modifiers and modifiers[-1] == head:
        del modifiers[-1]  # "dog dog dog"
    if modifiers and len(modifiers[-1]) == 1 and words[end - 1].hyphen:
        head = f"{modifiers.pop()}-{head}"  # t-shirt, x-ray
    return NounCompound(tuple(modifiers), head, number, before, after)
