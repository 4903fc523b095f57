"""Noun chains of a tagged caption: each head noun with the nouns that modify it.

What is done before nouns are joined makes up for what taggers see in captions: hyphens, written
signs in quotation marks, gerunds ("swimming pool"), and names that begin with an adjective
("hot dog").
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
_HYPHENS = frozenset("-\u2010\u2011")
_PARTICLES = frozenset(("up", "down", "in", "out", "off", "on", "over", "by", "to"))
_QUOTES = frozenset(('"', "\u201c", "\u201d", "``", "''"))
_LONGEST_QUOTE = 12  # tokens; a longer one is speech about things, not writing on a sign
_LONGEST_WORD = 40  # letters
_WORDS_KEPT = 1 << 16  # of the cache: more than the distinct words of common captions


class Token(NamedTuple):
    """One token of a caption as a tagger sees it."""

    text: str  # of a hyphen with the space behind it, if there is one: it then joins no nouns
    pos: str  # universal part of speech
    number: str | None = None  # "s", "p", or None: unknown
    compound: bool | None = None  # modifies a noun to its right; None: unknown


class Chain(NamedTuple):
    """A head noun, the nouns that modify it, and the words on either side; all lower case."""

    modifiers: tuple[str, ...]
    head: str
    number: str | None
    before: str  # "" at either end of the caption
    after: str


class KnownNames:
    """Names of several words, to be found whichever tags their words got."""

    def __init__(self, names: Iterable[str]) -> None:
        """Case, number and hyphens of `names` do not matter; single words are ignored."""
        self._by_first: dict[str, list[tuple[str, ...]]] = {}
        for name in names:
            words = tuple(singular(word) for word in name.lower().replace("-", " ").split())
            if len(words) > 1:
                self._by_first.setdefault(words[0], []).append(words)
        for group in self._by_first.values():
            group.sort(key=len, reverse=True)

    def at(self, words: Sequence[_Word], start: int) -> int:
        """Length of the longest name that begins at `start`; 0 if none does."""
        for name in self._by_first.get(singular(words[start].text), ()):
            there = words[start : start + len(name)]
            if tuple(singular(word.text) for word in there) == name:
                return len(name)
        return 0


def chains(tokens: Sequence[Token], names: KnownNames, *, plain: bool = False) -> Iterator[Chain]:
    """Yield the noun chains of a caption from left to right.

    Args:
        tokens: Of one caption, in order.
        names: Kept in one piece.
        plain: Take nouns as tagged: quotes count, and gerunds are like other nouns.
    """
    words = _keep_names(_words(tokens), names)
    if not plain:
        words = _compound_gerunds(_unquoted(_oranges(words)))
    start = 0
    for i, word in enumerate(words):
        if not word.noun:
            start = i + 1
        elif not _joins(words, i):
            if plain or not _ends_in_adjective(words, i):
                yield _chain(words, start, i)
            start = i + 1


@lru_cache(maxsize=_WORDS_KEPT)
def singular(word: str) -> str:
    """`singularise`, remembered for the words that come again and again."""
    return singularise(word)


class _Word(NamedTuple):
    """A lower-case word, or a name of several, that knows what ties it to the next."""

    text: str
    pos: str
    number: str | None
    compound: bool | None
    noun: bool
    hyphen: bool = False  # a hyphen follows
    tied: bool = False  # and no space is around it


def _words(tokens: Sequence[Token]) -> list[_Word]:
    """Words in lower case; a hyphen becomes a mark on the word before it."""
    words: list[_Word] = []
    for text, pos, number, compound in tokens:
        if text.rstrip() in _HYPHENS:
            if words:
                words[-1] = words[-1]._replace(hyphen=True, tied=text in _HYPHENS)
            continue
        lower = text.lower()
        noun = pos in NOUNS and _can_be_noun(lower)
        words.append(_Word(lower, pos, number, compound, noun))
    return words


@lru_cache(maxsize=_WORDS_KEPT)
def _can_be_noun(word: str) -> bool:
    if len(word) > _LONGEST_WORD or word in CLOSED_CLASS:
        return False
    return _WORD.fullmatch(word) is not None


def _keep_names(words: list[_Word], names: KnownNames) -> list[_Word]:
    """The words of each name as one noun."""
    kept: list[_Word] = []
    i = 0
    while i < len(words):
        length = names.at(words, i)
        if length:
            last = words[i + length - 1]
            text = " ".join(word.text for word in words[i : i + length])
            ends = last.compound if last.noun else False
            kept.append(last._replace(text=text, pos="NOUN", noun=True, compound=ends))
        else:
            kept.append(words[i])
        i += length or 1
    return kept


def _oranges(words: list[_Word]) -> list[_Word]:
    """Let "an orange" be a thing where nothing follows for it to colour."""
    for i, word in enumerate(words):
        if word.text == "orange" and word.pos == "ADJ" and i and words[i - 1].text in ("a", "an"):
            after = words[i + 1] if i + 1 < len(words) else None
            if after is None or after.pos in ("ADP", "AUX") or after.text == ".":
                words[i] = word._replace(pos="NOUN", noun=True, compound=False)
    return words


def _unquoted(words: list[_Word]) -> list[_Word]:
    """Without what stands between quotation marks: it is written on something, not seen."""
    marks = [i for i, word in enumerate(words) if word.text in _QUOTES]
    for first, last in zip(marks[::2], marks[1::2], strict=False):
        if last - first <= _LONGEST_QUOTE:
            for i in range(first, last):
                words[i] = words[i]._replace(noun=False)
    return words


def _compound_gerunds(words: list[_Word]) -> list[_Word]:
    """Let "swimming" modify "pool" but not "dog", however it was tagged."""
    for i, word in enumerate(words):
        if word.text in GERUND_MODIFIERS:
            following = words[i + 1] if i + 1 < len(words) else None
            if following and following.noun and singular(following.text) in GERUND_HEADS:
                words[i] = word._replace(pos="NOUN", noun=True, compound=True)
    return words


def _joins(words: Sequence[_Word], i: int) -> bool:
    """Whether a noun belongs to the noun right after it."""
    if i + 1 == len(words) or not words[i + 1].noun:
        return False
    return words[i].tied or words[i].compound is not False


def _ends_in_adjective(words: Sequence[_Word], i: int) -> bool:
    """Whether a hyphen makes the noun part of another word: "snow" in "snow-covered"."""
    if not words[i].hyphen or i + 1 == len(words):
        return False
    return words[i + 1].pos in ("ADJ", "VERB") or words[i + 1].text in _PARTICLES


def _chain(words: Sequence[_Word], start: int, end: int) -> Chain:
    """The nouns from `start` to `end`, of which the last is the head."""
    before = words[start - 1].text if start else ""
    after = words[end + 1].text if end + 1 < len(words) else ""
    head, number = words[end].text, words[end].number
    modifiers = [word.text for word in words[start:end]]
    if modifiers and len(modifiers[-1]) == 1 and words[end - 1].hyphen:
        head = f"{modifiers.pop()}-{head}"  # t-shirt, x-ray
    return Chain(tuple(modifiers), head, number, before, after)
