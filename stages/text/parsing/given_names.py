"""Mentions of the names of a given list, found by any parser and as they are written.

A parser finds a name where it reads it as an object: "skis" alone becomes "ski", and so it does in
a caption. What a parser would never call by its name ("t-shirt" in capitals, "traffic_light",
"bow_(weapon)", "background") is looked for as it is written; so are all names of several words.
The two searches are joined: a list can only add mentions to those that the parser alone finds.
"""

from __future__ import annotations

from collections import Counter
from itertools import islice, repeat
from typing import TYPE_CHECKING

from stages.text.parser_training.other_words import ADJECTIVES
from stages.text.parsing.cleaning import words_of
from stages.text.parsing.model_free_parsers import LexiconParser, NgramParser, alternatives_of
from stages.text.parsing.word_lists import ADJECTIVAL, CLOSED_CLASS, COLORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stages.text.parsing.engines import CaptionParser

_BATCH = 500  # captions parsed together
_ADJECTIVES = COLORS | frozenset(ADJECTIVES)
_SELDOM_NOUNS = CLOSED_CLASS | ADJECTIVAL


class GivenNames:
    """Finds the names of a list in captions; the names are reported as the list writes them."""

    def __init__(self, names: Sequence[str], parser: CaptionParser) -> None:
        """Set the names, and the parser: a lexicon of these very names, or one with its own."""
        self._parser = parser
        forms = _forms(names, parser)
        of_themselves = {name.lower(): name for name in names} | {name: name for name in names}
        self._names = forms | of_themselves
        read = {self._names[form] for form in forms}
        self._spelled: dict[str, list[str]] = {}  # names by what is looked for as it is written
        for name in names if not isinstance(parser, LexiconParser) else ():
            if name not in read or len(words_of(name)) > 1 or isinstance(parser, NgramParser):
                for form in dict.fromkeys(" ".join(words_of(form)) for form in _spelled(name)):
                    self._spelled.setdefault(form, []).append(name)
        self._lexicon = LexiconParser(list(self._spelled)) if self._spelled else None

    def mentions(self, captions: Iterable[str]) -> Iterator[list[str]]:
        """Yield the names in each caption, one per mention."""
        remaining = iter(captions)
        while batch := list(islice(remaining, _BATCH)):
            phrases = self._parser.concepts(batch)
            written = self._lexicon.concepts(batch) if self._lexicon else repeat([])
            for as_read, as_written in zip(phrases, written, strict=False):
                read = Counter(self._names[p] for p in as_read if p in self._names)
                spelled = Counter(name for form in as_written for name in self._spelled[form])
                yield list((read | spelled).elements())


def _spelled(name: str) -> list[str]:
    """How a name that the parser does not read is looked for, each alternative by itself.

    A word that seldom is a noun needs an article ("a can"), and so does an adjective, which is no
    name by itself: the parser would have read it.
    """
    found = []
    alternatives = alternatives_of(name)
    for alternative in alternatives:
        words = words_of(alternative)
        after_article = [f"{article} {alternative}" for article in ("a", "an", "the")]
        if len(words) != 1:  # also with the article, so that "a back pack" is not "a back"
            is_plain = words and not any(mark in alternative for mark in "/()")
            found += [alternative, *after_article] if is_plain else [alternative][: len(words)]
        elif words[0] in _ADJECTIVES:
            found += after_article if alternatives != [name] else []
        else:
            found += after_article if words[0] in _SELDOM_NOUNS else [alternative]
    return found


def _forms(names: Sequence[str], parser: CaptionParser) -> dict[str, str]:
    """What the parser calls each name when it stands alone or after an article: "skis" is "ski".

    A form with fewer words is another thing: "hot dog" may become "dog".
    """
    names_by_form: dict[str, str] = {}
    for article in ("", "the ", "a ", "an "):
        read = set(names_by_form.values())
        others = [name for name in names if name not in read]
        forms_of_names = parser.concepts(f"{article}{name}" for name in others)
        for name, forms in zip(others, forms_of_names, strict=True):
            if len(forms) == 1 and len(words_of(forms[0])) == len(words_of(name)):
                names_by_form.setdefault(forms[0], name)
    return names_by_form
