"""Concepts of a tagged caption in another language than English: nouns, and nouns joined to a name.

The rule knows a language by its universal parts of speech, its lemmas and, where a parser gives
them, its compounds; what differs from language to language is in the tables below and in the word
lists. A concept is the lemma of a noun, with at most two nouns before it that modify it:

- Chinese and Japanese: neighbouring nouns are one name, written together ("足球" "场" is "足球场"),
  unless a dependency parser says otherwise.
- Spanish: a noun, "de" and a noun without an article are one name ("silla de ruedas"), unless the
  first is an amount or a vessel, or the second a material.
- German: compounds are one word; nouns keep their capital.
- Others: neighbouring nouns are one name where a dependency parser says `compound`.

Source: Universal Dependencies (arXiv:2004.10643), parts of speech and the relation `compound`.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from stages.text.parsing.language_lists import LISTS, WordLists
from stages.text.parsing.tags import NOUNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LANGUAGE_RULE_VERSION: Final = 1  # raised when the same words would give other concepts
SUFFIX: Final = "SUFFIX"  # part of speech of what continues the noun before it

_UNSPACED: Final = frozenset(("zh", "ja", "th", "lo", "km", "my"))  # no spaces between words
_JOINED: Final = frozenset(("zh", "ja"))  # neighbouring nouns are one name
_CAPITALISED: Final = frozenset(("de", "lb"))  # nouns have a capital
_OF: Final = {"es": "de"}  # joins two nouns to a name
_SILENT_SUFFIXES: Final = frozenset(("たち", "達", "ら", "方", "同士", "さん", "様", "们"))
_PLURAL_ENDINGS: Final = ("たち", "们")
_MOST_MODIFIERS: Final = 2
_LONGEST_WORD: Final = 40  # letters
_WITHIN_WORDS: Final = frozenset("-\u2010\u2011'\u2019\u00b7\u30fb")


class TaggedWord(NamedTuple):
    """One word of a caption as a tagger sees it."""

    text: str  # as written
    pos: str  # universal part of speech, or SUFFIX
    lemma: str = ""  # "" if unknown
    compound: bool | None = None  # modifies a noun to its right; None: unknown


class LanguageRule:
    """Finds the concepts of tagged captions in one language, under one style."""

    def __init__(self, language: str, style: str = "visual") -> None:
        """Set the language, as ISO 639 calls it, and the style: `visual`, or `paper`.

        `paper` takes every noun, names of persons and places too, and leaves none out.
        """
        paper = style == "paper"
        self.language: Final = language
        self._lists = WordLists() if paper else LISTS.get(language, WordLists())
        self._space = "" if language in _UNSPACED else " "
        self._nouns = NOUNS if paper else frozenset({"NOUN"})

    def concepts(self, words: Sequence[TaggedWord]) -> list[str]:
        """Concepts in the order of the caption, one per mention."""
        found = []
        runs = list(self._runs(words))
        while runs:
            start, end = runs.pop(0)
            name = self._name(words, start, end)
            if name and runs and words[end].text.lower() == _OF.get(self.language):
                last = self._name_after_of(words, name, end, runs[0])
                if last is not None:
                    runs.pop(0)
                    name += last
            found += [name] if name else []
        return found

    def _runs(self, words: Sequence[TaggedWord]) -> Iterator[tuple[int, int]]:
        """Where each noun with its modifiers begins and ends."""
        start = 0
        for i, word in enumerate(words):
            if not self._is_noun(word) and (word.pos != SUFFIX or i == start):
                start = i + 1
            elif i + 1 == len(words) or not self._continues(word, words[i + 1]):
                yield start, i + 1
                start = i + 1

    def _is_noun(self, word: TaggedWord) -> bool:
        if word.pos not in self._nouns or len(word.text) > _LONGEST_WORD:
            return False
        fewest = 1 if self.language in _UNSPACED else 2
        return _letters(word.text) >= fewest

    def _continues(self, word: TaggedWord, after: TaggedWord) -> bool:
        """Whether the word after a noun belongs to the same name."""
        if after.pos == SUFFIX:
            return True
        if not self._is_noun(after):
            return False
        if self.language in _UNSPACED and word.text[-1].isascii() and after.text[0].isascii():
            return False  # words of another script have spaces
        return self.language in _JOINED if word.compound is None else word.compound

    def _name(self, words: Sequence[TaggedWord], start: int, end: int) -> str:
        """The name of a noun with its modifiers; "" if it names nothing visible."""
        parts = [word.text.lower() for word in words[start : end - 1]]
        parts.append(self._lemma(words[end - 1]))
        parts = _without_suffixes(parts)
        while parts and (parts[-1] in self._lists.unseen or parts[-1] in self._lists.leading):
            del parts[-1]
        while len(parts) > 1 and parts[0] in self._lists.leading:
            del parts[0]
        if not parts or self._is_amount(parts[-1], words[end:]):
            return ""
        if self._is_material(parts, words[:start], words[end:]):
            return ""
        return self._space.join(parts[-1 - _MOST_MODIFIERS :])

    def _lemma(self, word: TaggedWord) -> str:
        written, lemma = self._cased(word.text), word.lemma or word.text
        if written in self._lists.unchanged or lemma.lower() == written.lower():  # T-Shirt
            return written
        return self._cased(lemma)

    def _cased(self, word: str) -> str:
        return word[0].upper() + word[1:] if self.language in _CAPITALISED else word.lower()

    def _is_amount(self, name: str, after: Sequence[TaggedWord]) -> bool:
        """Whether a noun counts the one after it: a group of people, ein Paar Schuhe."""
        if name not in self._lists.quantities or not after:
            return False
        if self.language == "de":
            return after[0].text == "von" or after[0].pos in ("NOUN", "ADJ", "NUM")
        return after[0].text.lower() == _OF.get(self.language)

    def _is_material(
        self, parts: Sequence[str], before: Sequence[TaggedWord], after: Sequence[TaggedWord]
    ) -> bool:
        """Whether a noun says what a thing is made of: aus dunklem Holz, de madera, 石の."""
        if len(parts) > 1 or parts[0] not in self._lists.materials:
            return False
        if self.language == "ja":
            return bool(after) and after[0].text == "の"
        described = next((word.text.lower() for word in reversed(before) if word.pos != "ADJ"), "")
        return described == {"de": "aus", "es": "de"}.get(self.language)

    def _name_after_of(
        self, words: Sequence[TaggedWord], name: str, of: int, following: tuple[int, int]
    ) -> str | None:
        """What a noun right after "of" adds to a name; None if it is a thing of its own."""
        start, end = following
        if start != of + 1 or name in self._lists.containers:
            return None
        noun = self._lemma(words[end - 1])
        if noun in self._lists.materials:
            return ""
        if noun in self._lists.unseen and noun not in self._lists.joined:
            return ""
        return f" {words[of].text.lower()} {' '.join(w.text.lower() for w in words[start:end])}"


def _without_suffixes(parts: list[str]) -> list[str]:
    """Parts of a name without endings of the plural or of courtesy, of their own or not."""
    while len(parts) > 1 and parts[-1] in _SILENT_SUFFIXES:
        parts = parts[:-1]
    for ending in _PLURAL_ENDINGS:
        if parts[-1].endswith(ending) and len(parts[-1]) > len(ending):
            return [*parts[:-1], parts[-1].removesuffix(ending)]
    return parts


@lru_cache(maxsize=1 << 16)
def _letters(word: str) -> int:
    """How many letters a word has; 0 if it has anything else than letters and their marks."""
    letters = sum(mark.isalpha() for mark in word)
    marks = sum(mark in _WITHIN_WORDS or unicodedata.category(mark)[0] == "M" for mark in word)
    return letters if letters + marks == len(word) else 0
