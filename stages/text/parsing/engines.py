"""Caption parsers behind one interface: captions in, concepts of each caption out.

| engine | what it is |
|---|---|
| `bundled` | the small spaCy pipeline that comes with the project |
| `spacy:NAME` | any spaCy pipeline with parts of speech, by package name or folder |
| `lexicon` | the names of a list, anywhere in a caption |
| `ngram`, `ngram:N` | all word N-grams, up to 10 words or N |
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, get_args

from schemas.errors import OptionError, SourceError
from stages.text.parsing.cleaning import CLEANING_VERSION
from stages.text.parsing.concept_rule import RULE_VERSION, ConceptRule, Style
from stages.text.parsing.model_free_parsers import (
    LexiconParser,
    NgramParser,
    lexicon_identity,
)
from stages.text.parsing.spacy_parser import SpacyParser, pipeline_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_STAGES = Path(__file__).resolve().parents[2]
_LONGEST_NGRAM = 10  # words, as in OWL-ST


class CaptionParser(Protocol):
    """The interface of a parser, as stages use it.

    Any caption is accepted: an empty one and one without words have no concepts, and of a very
    long one only the first `cleaning.MAX_CHARACTERS` characters are read.
    """

    identity: str
    """Changes whenever the same captions would give other concepts; part of a fingerprint."""

    language: str
    """That it reads, as ISO 639 calls it ("en"); "" if it reads any."""

    def concepts(self, captions: Iterable[str]) -> Iterator[list[str]]:
        """Yield one list per caption, in order; a concept is repeated for every mention."""
        ...


def load_parser(
    engine: str = "bundled", style: str = "visual", names: Sequence[str] = ()
) -> CaptionParser:
    """A parser by the name of its engine.

    Args:
        engine: As in the table above.
        style: `visual` drops nouns that name nothing visible; `paper` keeps every noun. Without
            effect on `lexicon` and `ngram`.
        names: The names that `lexicon` looks for; without effect on the others.

    Raises:
        OptionError: If engine or style is unknown, or a lexicon has no names.
        SourceError: If the pipeline is missing or cannot be used.
    """
    kind, detail = _split_engine(engine, style)
    if kind == "lexicon":
        return LexiconParser(names)
    if kind == "ngram":
        return NgramParser(int(detail))
    rule = ConceptRule("paper" if style == "paper" else "visual")
    return SpacyParser(detail, rule, parser_identity(engine, style))


def parser_identity(
    engine: str = "bundled", style: str = "visual", names: Sequence[str] = ()
) -> str:
    """The `identity` of the parser that `load_parser` would return, without loading it.

    Weights are identified by their content, not by their folder or name.
    """
    kind, detail = _split_engine(engine, style)
    if kind == "lexicon":
        return lexicon_identity(names)
    if kind == "ngram":
        return NgramParser(int(detail)).identity
    versions = f"rule{RULE_VERSION}-cleaning{CLEANING_VERSION}"
    return f"spacy-{pipeline_digest(detail)}-{versions}-{style}"


def bundled_parser_path() -> Path:
    """Folder of the bundled pipeline, in a checkout or in an installation.

    Raises:
        SourceError: If neither exists.
    """
    for folder in (_STAGES.parent / "data" / "parser", _STAGES / "data" / "parser"):
        if (folder / "config.cfg").exists():
            return folder
    raise SourceError(
        f"the bundled caption parser is missing from {_STAGES.parent / 'data' / 'parser'}: install "
        "the project again, or name another parser, such as 'spacy:en_core_web_sm'"
    )


def _split_engine(engine: str, style: str) -> tuple[str, str]:
    """Kind of engine, and its detail: the name or folder of a pipeline, or a length."""
    if style not in get_args(Style):
        raise OptionError(f"unknown style '{style}' of concepts: choose visual or paper")
    kind, _, detail = engine.partition(":")
    if kind == "bundled" and not detail:
        return "spacy", str(bundled_parser_path())
    if kind == "spacy" and detail:
        return "spacy", detail
    if kind == "lexicon" and not detail:
        return "lexicon", ""
    if kind == "ngram" and (detail or "1").isdecimal():
        return "ngram", detail or str(_LONGEST_NGRAM)
    raise OptionError(
        f"unknown caption parser '{engine}': choose bundled, spacy:NAME, lexicon, ngram or ngram:N"
    )
