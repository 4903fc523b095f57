"""Concept F1 on captions in four other languages: `python -m benchmarks.languages --help`.

Beside this file stand fifty captions in each of Chinese, German, Japanese and Spanish, with what a
person would point at in [brackets], as written, and after a | as the concept is called.
For each caption the
sets of gold and of predicted concepts are compared; counts are summed over captions (micro
average). Predictions made of an <ambiguous> span are ignored; one in {curly brackets} is false.

Measured is what is installed of jieba, of SudachiPy, and of spaCy's pipelines; German also by
HanTa, whose tags and lemmas are put into a spaCy document. What is not installed is named.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.parser import Annotated, Score
from schemas.errors import RCError
from stages.text.extraction_counts import NOTE, CaptionCount, ExtractionCounts
from stages.text.parsing.document_words import words_of_document
from stages.text.parsing.engines import load_parser
from stages.text.parsing.language_rule import LanguageRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stages.text.parsing.engines import CaptionParser

HERE = Path(__file__).parent
LANGUAGES = {"zh": "chinese", "de": "german", "ja": "japanese", "es": "spanish"}
_SPAN = re.compile(r"\[(?P<gold>[^]]*)\]|<(?P<neutral>[^>]*)>|\{(?P<unseen>[^}]*)\}")
_HANTA_TAGS = {
    "NN": "NOUN", "NE": "PROPN", "NNA": "NOUN", "NNI": "NOUN", "CARD": "NUM", "ART": "DET",
    "APPR": "ADP", "APPRART": "ADP", "ADJ(A)": "ADJ",
}  # fmt: skip


def read_language(language: str) -> list[Annotated]:
    """The annotated captions of a language, by its code."""
    lines = (HERE / f"{LANGUAGES[language]}.txt").read_text(encoding="utf-8").splitlines()
    return [annotated(line) for line in lines if line and line[0] != "#"]


def annotated(text: str) -> Annotated:
    """A caption in brackets, parsed.

    >>> annotated("Zwei [Hunde|Hund] im <Park>")
    Annotated(caption='Zwei Hunde im Park', gold=frozenset({'Hund'}), neutral=frozenset({'Park'}))
    """
    spans = list(_SPAN.finditer(text))
    gold = frozenset(span["gold"].rpartition("|")[2] for span in spans if span["gold"])
    neutral = frozenset(span["neutral"] for span in spans if span["neutral"])
    caption = _SPAN.sub(lambda span: next(filter(None, span.groups())).partition("|")[0], text)
    return Annotated(caption, gold, neutral)


class HantaParser:
    """German by HanTa (Wartena 2019), its tags and lemmas in a spaCy document."""

    identity = "hanta"
    language = "de"

    def __init__(self) -> None:
        """Load HanTa's model of German, which comes with it."""
        import spacy
        from HanTa import HanoverTagger  # type: ignore[import-not-found, unused-ignore]

        self._tagger = HanoverTagger.HanoverTagger("morphmodel_ger.pgz")
        self._nlp = spacy.blank("de")
        self._rule = LanguageRule("de")

    def concepts(self, captions: Iterable[str]) -> Iterator[list[str]]:
        """Yield the concepts of each caption."""
        from spacy.tokens import Doc

        for caption in captions:
            words = [token.text for token in self._nlp(caption)]
            tags: list[Any] = self._tagger.tag_sent(words)
            pos = [_HANTA_TAGS.get(tag, "X") for _, _, tag in tags]
            lemmas = [lemma for _, lemma, _ in tags]
            doc = Doc(self._nlp.vocab, words=words, pos=pos, lemmas=lemmas)
            yield self._rule.concepts(words_of_document(doc))


def parsers_of(language: str) -> Iterator[tuple[str, CaptionParser]]:
    """What is installed for a language, by name."""
    if language in ("zh", "ja"):
        try:
            yield f"bundled, --language {language}", load_parser(language=language)
        except RCError as error:
            print(f"{LANGUAGES[language]}: not measured: {error}")
    kind = "web" if language == "zh" else "news"
    for size in ("sm", "md", "lg"):
        if importlib.util.find_spec(name := f"{language}_core_{kind}_{size}"):
            yield f"spacy:{name}", load_parser(f"spacy:{name}")
    if language == "de" and importlib.util.find_spec("HanTa"):
        yield "HanTa's tags", HantaParser()


def score(parser: CaptionParser, rows: Sequence[Annotated], verbose: bool) -> Score:
    """Counts of concepts over all captions; errors are printed if `verbose`."""
    counts = Score()
    predictions = parser.concepts(row.caption for row in rows)
    for row, predicted in zip(rows, predictions, strict=True):
        kept = set(predicted) - (row.neutral - row.gold)
        counts = counts.plus(kept, set(row.gold))
        if verbose and kept != row.gold:
            wrong, missed = sorted(kept - row.gold), sorted(row.gold - kept)
            print(f"  {row.caption}\n    false {wrong} missed {missed}")
    return counts


def sentence_of_english(rows: Sequence[Annotated]) -> str:
    """What the bundled parser for English says of captions: nothing, or a sentence."""
    captions = [row.caption for row in rows]
    count = CaptionCount("en")
    count.add(captions, [[] for _ in captions], given=False)
    numbers = {"captions": len(captions), "naming": 0, **count.language.counts()}
    return ExtractionCounts({NOTE: numbers}, "bundled").why_empty("mentions", 1, 0, "")


def main() -> None:
    """Print F1, precision and recall of each language and parser, and what English says of it."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("languages", nargs="*", default=list(LANGUAGES), help="codes")
    arguments.add_argument("-v", "--verbose", action="store_true", help="print every error")
    options = arguments.parse_args()
    for language in options.languages:
        name = LANGUAGES[language]
        rows, measured = read_language(language), 0
        for parser_name, parser in parsers_of(language):
            counts = score(parser, rows, options.verbose)
            measured += 1
            print(f"{name}, {len(rows)} captions, {parser_name}: {counts}")
        if not measured and language in ("de", "es"):
            print(f"{name}: not measured: no spaCy pipeline of it is installed")
        print(f"{name}, the parser for English: {sentence_of_english(rows)}")


if __name__ == "__main__":
    main()
