"""Parsers without a model: a lexicon looked up in captions, and all word N-grams of captions.

Source of the N-grams: OWL-ST (arXiv:2306.09683), which takes every N-gram of a caption as a query,
up to 10 words, except those of stop words only.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING

from schemas.errors import OptionError
from stages.text.parsing.cleaning import CLEANING_VERSION, words_of
from stages.text.parsing.noun_compounds import singular
from stages.text.parsing.word_lists import CLOSED_CLASS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_Words = tuple[str, ...]

_LEXICON_VERSION = 3
_SENSE = re.compile(r"\([^()]*\)")  # as in LVIS: "bow_(weapon)"
# Pairs whose plural is a word of its own elsewhere ("glasses" to wear), but a plural here.
_PLURAL_PAIRS = {"glass": "glasses", "ski": "skis", "goggle": "goggles", "headphone": "headphones"}
_PLURAL_PAIRS |= {plural: singular for singular, plural in _PLURAL_PAIRS.items()}
_NGRAM_VERSION = 1


class LexiconParser:
    """Finds the names of a list in captions, in singular or plural, the longest first."""

    language = ""

    def __init__(self, names: Sequence[str]) -> None:
        """Of names that differ only in number or case, the one in the caption is reported.

        If neither is, the first; and of names that differ in their sense alone, such as LVIS's
        "bow_(weapon)" and "bow_(decorative_ribbons)", all.

        Raises:
            OptionError: If no name contains a word.
        """
        self.identity = lexicon_identity(names)
        self._names: dict[_Words, dict[_Words, list[str]]] = {}  # by singular, by spelling
        for name in names:
            for spelling in _spellings(name):
                for key in _match_keys(spelling):
                    of_spelling = self._names.setdefault(key, {}).setdefault(spelling, [])
                    if name.lower() not in map(str.lower, of_spelling):
                        of_spelling.append(name)
        if not self._names:
            raise OptionError(
                "the parser 'lexicon' needs names to look for: give it a list of them"
            )
        lengths: dict[str, set[int]] = {}
        for key in self._names:
            lengths.setdefault(key[0], set()).add(len(key))
        self._lengths = {
            first_word: sorted(of_word, reverse=True) for first_word, of_word in lengths.items()
        }

    def concepts(self, captions: Iterable[str]) -> Iterator[list[str]]:
        """Yield the names in each caption from left to right; they never overlap."""
        for caption in captions:
            words = tuple(words_of(caption))
            yield list(self._matches(words, tuple(map(_matched, words))))

    def _matches(self, written: _Words, words: _Words) -> Iterator[str]:
        start = 0
        while start < len(words):
            length = self._match_length(words, start)
            if length:
                by_spelling = self._names[words[start : start + length]]
                spelling = written[start : start + length]
                yield from by_spelling.get(spelling) or next(iter(by_spelling.values()))
            start += length or 1

    def _match_length(self, words: _Words, start: int) -> int:
        """Number of words of the longest name that begins at `start`; 0 if there is none."""
        for length in self._lengths.get(words[start], ()):
            if words[start : start + length] in self._names:
                return length
        return 0


class NgramParser:
    """Takes every run of up to `longest` words, except runs of stop words only."""

    language = ""

    def __init__(self, longest: int) -> None:
        """`longest` is in words, at least 1."""
        if longest < 1:
            raise OptionError(f"the parser 'ngram' needs at least 1 word, got {longest}")
        self.identity = f"ngram{longest}-v{_NGRAM_VERSION}.{CLEANING_VERSION}"
        self._longest = longest

    def concepts(self, captions: Iterable[str]) -> Iterator[list[str]]:
        """Yield the N-grams of each caption by start position, short before long."""
        for caption in captions:
            yield list(self._ngrams(words_of(caption)))

    def _ngrams(self, words: Sequence[str]) -> Iterator[str]:
        has_content = [word not in CLOSED_CLASS for word in words]
        for start in range(len(words)):
            for end in range(start + 1, min(start + self._longest, len(words)) + 1):
                if any(has_content[start:end]):
                    yield " ".join(words[start:end])


def lexicon_identity(names: Sequence[str]) -> str:
    """Identity of a lexicon over `names`: their order decides which spelling is reported."""
    return f"lexicon-{names_digest(names)}-v{_LEXICON_VERSION}.{CLEANING_VERSION}"


def names_digest(names: Iterable[str]) -> str:
    """Twelve hex digits that change with any name or with their order."""
    text = json.dumps(list(names))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def alternatives_of(name: str) -> list[str]:
    """A name without its sense in parentheses; also each alternative, if there are several.

    >>> alternatives_of("bow_(weapon)"), alternatives_of("tench, Tinca tinca")
    (['bow_'], ['tench, Tinca tinca', 'tench', ' Tinca tinca'])
    """
    bare = [part for part in _SENSE.split(name) if words_of(part)] or [name]
    parts = [part for text in bare for part in re.split("[/,]", text) if len(part.strip()) > 1]
    return [*bare, *(parts if len(parts) > 1 else [])]


def _spellings(name: str) -> list[_Words]:
    return [words for text in alternatives_of(name) if (words := tuple(words_of(text)))]


def _matched(word: str) -> str:
    """A word in the singular, without the ending of a possessive: "dog" of "dogs" and "dog's"."""
    return singular(word.removesuffix("'s").removesuffix("\u2019s") or word)


def _match_keys(spelling: _Words) -> Iterator[_Words]:
    """The word sequences in the singular that match a spelling."""
    key = tuple(map(_matched, spelling))
    yield key
    counterpart = _PLURAL_PAIRS.get(key[-1])
    if counterpart and (len(key) > 1 or "glass" not in key[-1]):
        yield (*key[:-1], counterpart)
