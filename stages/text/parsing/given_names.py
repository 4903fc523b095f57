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

from stages.text.parsing.cleaning import words_of
from stages.text.parsing.model_free_parsers import LexiconParser

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stages.text.parsing.engines import CaptionParser

_BATCH = 500  # captions parsed together


class GivenNames:
    """Finds the names of a list in captions; the names are reported as the list writes them."""

    def __init__(self, names: Sequence[str], parser: CaptionParser) -> None:
        """Set the names, and the parser: a lexicon of these very names, or one with its own."""
        self._parser = parser
        forms = _forms(names, parser)
        of_themselves = {name.lower(): name for name in names} | {name: name for name in names}
        self._names = forms | of_themselves
        read = {self._names[form] for form in forms}
        written = [name for name in names if name not in read or len(words_of(name)) > 1]
        is_lexicon = isinstance(parser, LexiconParser)
        needed = not is_lexicon and any(map(words_of, written))
        self._lexicon = LexiconParser(written) if needed else None

    def mentions(self, captions: Iterable[str]) -> Iterator[list[str]]:
        """Yield the names in each caption, one per mention."""
        remaining = iter(captions)
        while batch := list(islice(remaining, _BATCH)):
            phrases = self._parser.concepts(batch)
            written = self._lexicon.concepts(batch) if self._lexicon else repeat([])
            for as_read, as_written in zip(phrases, written, strict=False):
                read = Counter(self._names[p] for p in as_read if p in self._names)
                yield list((read | Counter(as_written)).elements())


def _forms(names: Sequence[str], parser: CaptionParser) -> dict[str, str]:
    """What the parser calls each name when it stands alone or after an article: "skis" is "ski".

    A form with fewer words is another thing: "hot dog" may become "dog".
    """
    names_by_form: dict[str, str] = {}
    for article in ("", "the "):
        read = set(names_by_form.values())
        others = [name for name in names if name not in read]
        forms_of_names = parser.concepts(f"{article}{name}" for name in others)
        for name, forms in zip(others, forms_of_names, strict=True):
            if len(forms) == 1 and len(words_of(forms[0])) == len(words_of(name)):
                names_by_form.setdefault(forms[0], name)
    return names_by_form
