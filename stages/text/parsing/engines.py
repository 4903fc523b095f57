"""Caption parsers behind one interface: captions in, concepts of each caption out.

| engine | what it is |
|---|---|
| `bundled` | the small spaCy pipeline for English that comes with the project |
| `bundled`, Chinese | jieba, where it is installed |
| `bundled`, Japanese | spaCy's tokenizer for Japanese, SudachiPy, where it is installed |
| `spacy:NAME` | any spaCy pipeline with parts of speech, by package name or folder |
| `lexicon` | the names of a list, anywhere in a caption |
| `ngram`, `ngram:N` | all word N-grams, up to 10 words or N |
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, get_args

from schemas.errors import OptionError, SourceError
from stages.text.parsing.cleaning import CLEANING_VERSION
from stages.text.parsing.concept_rule import RULE_VERSION, ConceptRule, Style
from stages.text.parsing.document_words import sudachi_version
from stages.text.parsing.jieba_parser import JiebaParser, jieba_version
from stages.text.parsing.language import parser_advice
from stages.text.parsing.language_rule import LANGUAGE_RULE_VERSION, LanguageRule
from stages.text.parsing.model_free_parsers import (
    LexiconParser,
    NgramParser,
    lexicon_identity,
)
from stages.text.parsing.spacy_parser import (
    SpacyParser,
    pipeline_digest,
    pipeline_language,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_STAGES = Path(__file__).resolve().parents[2]
_LONGEST_NGRAM = 10  # words, as in OWL-ST
_CODE = re.compile("[a-z]{2,3}")
_MANY = "xx"  # spaCy's code of pipelines for many languages


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
    engine: str = "bundled", style: str = "visual", names: Sequence[str] = (), language: str = ""
) -> CaptionParser:
    """A parser by the name of its engine.

    Args:
        engine: As in the table above.
        style: `visual` drops nouns that name nothing visible; `paper` keeps every noun. Without
            effect on `lexicon` and `ngram`.
        names: The names that `lexicon` looks for; without effect on the others.
        language: Of the captions, as ISO 639 calls it; "" for that of the engine.

    Raises:
        OptionError: If engine or style is unknown, the engine does not read the language, or a
            lexicon has no names.
        SourceError: If the pipeline is missing or cannot be used.
    """
    kind, detail, language = _engine_of(engine, style, language)
    if kind == "lexicon":
        return LexiconParser(names)
    if kind == "ngram":
        return NgramParser(int(detail))
    identity = parser_identity(engine, style, language=language)
    if kind == "jieba":
        return JiebaParser(LanguageRule(language, style), identity)
    if language == "en":
        return SpacyParser(detail, ConceptRule("paper" if style == "paper" else "visual"), identity)
    return SpacyParser(detail, LanguageRule(language, style), identity)


def parser_identity(
    engine: str = "bundled", style: str = "visual", names: Sequence[str] = (), language: str = ""
) -> str:
    """The `identity` of the parser that `load_parser` would return, without loading it.

    Weights are identified by their content, not by their folder or name.
    """
    kind, detail, language = _engine_of(engine, style, language)
    if kind == "lexicon":
        return lexicon_identity(names)
    if kind == "ngram":
        return NgramParser(int(detail)).identity
    if language == "en":
        versions = f"rule{RULE_VERSION}-cleaning{CLEANING_VERSION}"
        return f"spacy-{pipeline_digest(detail)}-{versions}-{style}"
    made_of = {"jieba": jieba_version, "sudachi": sudachi_version}
    version = made_of[kind]() if kind in made_of else pipeline_digest(detail)
    versions = f"rule{LANGUAGE_RULE_VERSION}-cleaning{CLEANING_VERSION}"
    return f"{kind}-{version}-{language}-{versions}-{style}"


def parser_language(engine: str = "bundled", language: str = "") -> str:
    """The language that the parser of `load_parser` reads; "" if it reads any."""
    return _engine_of(engine, "visual", language)[2]


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


def _engine_of(engine: str, style: str, language: str) -> tuple[str, str, str]:
    """Kind of engine, its detail (name or folder of a pipeline, or a length), and language.

    Raises:
        OptionError: If engine or style is unknown, or the engine does not read the language.
        SourceError: If there is no such pipeline.
    """
    if style not in get_args(Style):
        raise OptionError(f"unknown style '{style}' of concepts: choose visual or paper")
    if language and not _CODE.fullmatch(language):
        raise OptionError(
            f"--language takes a code of ISO 639 in small letters, such as zh or de, got "
            f"'{language}'"
        )
    kind, _, detail = engine.partition(":")
    if kind == "bundled" and not detail:
        return _bundled_engine(language)
    if kind == "spacy" and detail:
        return "spacy", detail, _pipeline_language(detail, language)
    if kind == "lexicon" and not detail:
        return _of_any_language("lexicon", "", language)
    if kind == "ngram" and (detail or "1").isdecimal():
        return _of_any_language("ngram", detail or str(_LONGEST_NGRAM), language)
    raise OptionError(
        f"unknown caption parser '{engine}': choose bundled, spacy:NAME, lexicon, ngram or ngram:N"
    )


def _bundled_engine(language: str) -> tuple[str, str, str]:
    if language in ("", "en"):
        return "spacy", str(bundled_parser_path()), "en"
    if language == "zh":
        return "jieba", "", language
    if language == "ja":
        return "sudachi", "", language
    raise OptionError(
        f"no parser for --language {language} comes with the project, only for en, zh and ja: "
        f"{parser_advice(language)}"
    )


def _pipeline_language(name: str, language: str) -> str:
    """The language of a pipeline; one of many languages is given it."""
    own = pipeline_language(name)
    if own == _MANY or not language:
        return language or own
    if own != language:
        raise OptionError(
            f"the spaCy pipeline '{name}' reads '{own}': leave out --language {language}, or name "
            "another pipeline"
        )
    return own


def _of_any_language(kind: str, detail: str, language: str) -> tuple[str, str, str]:
    if language:
        raise OptionError(f"--parser {kind} reads any language: leave out --language {language}")
    return kind, detail, ""
