"""Concepts by a spaCy pipeline: the bundled one, or any other with parts of speech.

spaCy takes seconds to import, so it is imported only when a pipeline is loaded.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.errors import SourceError
from stages import blas
from stages.text.parsing.cleaning import clean_caption
from stages.text.parsing.document_words import sudachi_tokenizer, words_of_document
from stages.text.parsing.noun_compounds import Token
from stages.text.parsing.tags import parse_tag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from spacy.language import Language
    from spacy.tokens import Doc
    from spacy.tokens import Token as SpacyToken

    from stages.text.parsing.concept_rule import ConceptRule
    from stages.text.parsing.language_rule import LanguageRule
    from stages.text.parsing.tags import ParsedTag

_CAPTIONS_PER_ZONE = 4000  # after so many captions, the memory of their words is freed
_BATCH = 32  # captions tagged together; more do not fit into the processor cache
_UNUSED_COMPONENTS = (
    "ner",
    "senter",
    "textcat",
    "entity_ruler",
    "entity_linker",
    "spancat",
)
_LANGUAGE = re.compile(r"^lang\s*=\s*\"?([a-z]{2,3})\"?\s*$", re.MULTILINE)
_DOCUMENTS = ("readme", "license", "licence", "attribution")


class SpacyParser:
    """Tags captions with a spaCy pipeline and applies the concept rule."""

    def __init__(self, name: str, rule: ConceptRule | LanguageRule, identity: str) -> None:
        """Load the pipeline of this name or folder; "" is spaCy's Japanese without one.

        Raises:
            SourceError: If there is no such pipeline, or it gives no parts of speech.
        """
        self.identity = identity
        self._rule: Any = rule
        self.language = rule.language
        self._nlp = _load(name, self.language) if name else sudachi_tokenizer()
        if blas.can_set_threads():
            _multiply_with_numpy(self._nlp)
        self._read_tokens = _token_reader(name, self._nlp, self.language)

    def concepts(self, captions: Iterable[str]) -> Iterator[list[str]]:
        """Yield the concepts of each caption in order, one per mention."""
        remaining = iter(captions)
        while batch := [
            clean_caption(caption) for caption in islice(remaining, _CAPTIONS_PER_ZONE)
        ]:
            yield from self._parse(batch)

    def _parse(self, captions: list[str]) -> list[list[str]]:
        """Concepts of a batch; its new words do not stay in the vocabulary."""
        with self._nlp.memory_zone(), blas.one_thread():
            docs = self._nlp.pipe(captions, batch_size=_BATCH)
            return [self._rule.concepts(self._read_tokens(doc)) for doc in docs]


def pipeline_digest(name: str) -> str:
    """Twelve hex digits of the content of a pipeline's files, read without loading it.

    Args:
        name: An installed pipeline package, or a folder.

    Raises:
        SourceError: If there is no such pipeline.
    """
    folder = _folder(name)
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc" and not _is_document(path):
            digest.update(os.fsencode(path.relative_to(folder).as_posix()) + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]


def pipeline_language(name: str) -> str:
    """The language of a pipeline as its configuration says it, read without loading it.

    Args:
        name: An installed pipeline package, or a folder.

    Returns:
        As ISO 639 calls it; "en" if the configuration does not say.

    Raises:
        SourceError: If there is no such pipeline.
    """
    folder = _folder(name)
    inside = sorted(folder.glob("config.cfg")) or sorted(folder.glob("*/config.cfg"))
    found = _LANGUAGE.search(inside[0].read_text(encoding="utf-8", errors="replace"))
    return found[1] if found else "en"


def _is_document(path: Path) -> bool:
    return path.name.lower().startswith(_DOCUMENTS)


def _folder(name: str) -> Path:
    """The folder of a pipeline's files; for a package, its whole folder."""
    folder, pattern = Path(name), "config.cfg"
    if not folder.is_dir():
        spec = importlib.util.find_spec(name) if name.isidentifier() else None
        if spec and spec.submodule_search_locations:
            folder, pattern = Path(next(iter(spec.submodule_search_locations))), "*/config.cfg"
    if not any(folder.glob(pattern)):
        raise SourceError(
            f"there is no spaCy pipeline '{name}': install that package, name a folder that holds "
            "a pipeline, or use the parser 'bundled'"
        )
    return folder


def _load(name: str, language: str) -> Language:
    import spacy

    _folder(name)
    unused = (*_UNUSED_COMPONENTS, *(["lemmatizer"] if language == "en" else []))
    try:
        return spacy.load(name, exclude=unused)
    except (OSError, ValueError, ImportError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(
            f"the spaCy pipeline '{name}' cannot be loaded ({reason}): install it again, or use "
            "the parser 'bundled'"
        ) from error


def _multiply_with_numpy(nlp: Language) -> None:
    """Make NumPy multiply the matrices of a pipeline; see `blas`."""
    from thinc.api import Model, NumpyOps

    ops = NumpyOps(use_blis=False)
    for _, component in nlp.pipeline:
        model = getattr(component, "model", None)
        if isinstance(model, Model):
            for node in model.walk():
                if isinstance(node.ops, NumpyOps):
                    node.ops = ops


def _token_reader(name: str, nlp: Language, language: str) -> Callable[[Doc], Any]:
    """The token reader for documents of this pipeline; it is tried on one sentence."""
    if "NOUN.s" in nlp.pipe_labels.get("tagger", ()):
        return _BundledTagReader()
    if not nlp("Two dogs sleep .").has_annotation("POS"):
        raise SourceError(
            f"the spaCy pipeline '{name}' gives no parts of speech: use one with a tagger and an "
            "attribute ruler or a morphologizer, or the parser 'bundled'"
        )
    return _UniversalTagReader() if language == "en" else words_of_document


class _BundledTagReader:
    """Reads tokens of a pipeline with the tag set of `tags`: one tag per token has everything."""

    def __init__(self) -> None:
        from spacy.attrs import TAG

        self._tag_attribute = TAG
        self._parsed_tags: dict[int, ParsedTag] = {}

    def __call__(self, doc: Doc) -> list[Token]:
        ids = doc.to_array(self._tag_attribute).tolist()
        parsed = self._parsed_tags
        for tag in ids:
            if tag not in parsed:
                parsed[tag] = parse_tag(doc.vocab.strings[tag])
        return [Token(_text(token), *parsed[tag]) for token, tag in zip(doc, ids, strict=True)]


class _UniversalTagReader:
    """Reads tokens of a pipeline with universal parts of speech; compounds need its parser."""

    def __call__(self, doc: Doc) -> list[Token]:
        from spacy.attrs import DEP, HEAD, MORPH, POS

        strings = doc.vocab.strings
        values = doc.to_array([POS, MORPH, DEP, HEAD]).reshape(len(doc), 4)
        parsed = doc.has_annotation("DEP")
        tokens = []
        for token, (pos, morph, dep, head) in zip(doc, values.astype(np.int64), strict=True):
            points_right = bool(head > 0 and strings[_unsigned(dep)] == "compound")
            number = _number(strings[_unsigned(morph)])
            compound = points_right if parsed else None
            tokens.append(Token(_text(token), strings[_unsigned(pos)], number, compound))
        return tokens


def _text(token: SpacyToken) -> str:
    """The text of the token; a hyphen keeps the space after it."""
    text: str = token.text
    return token.text_with_ws if text == "-" else text


def _unsigned(value: int) -> int:
    """The unsigned 64-bit hash of a signed number."""
    return int(value) % (1 << 64)


def _number(features: str) -> str | None:
    if "Number=Plur" in features:
        return "p"
    return "s" if "Number=Sing" in features else None
