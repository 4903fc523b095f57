"""Words of captions that spaCy tagged in another language than English, as the concept rule reads.

Japanese needs no trained pipeline: spaCy's own tokenizer for it, SudachiPy, knows parts of speech.
"""

from __future__ import annotations

import importlib.metadata
import warnings
from typing import TYPE_CHECKING, Final

from schemas.errors import SourceError
from stages.text.parsing.language_rule import SUFFIX, TaggedWord

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Token

_COMPOUNDS: Final = ("compound", "compound:nn", "nn")  # relations of a noun to the next one
_COUNTER: Final = "助数詞"  # in a tag of UniDic: counts, as 匹 does in 2匹
_NOUN_SUFFIX: Final = "接尾辞-名詞的"
_NAMED_THING: Final = "固有名詞-一般"  # a proper noun of no person or place: テディベア
_PREFIX: Final = "接頭辞"


def words_of_document(doc: Doc) -> list[TaggedWord]:
    """The words of a caption; without a dependency parser, compounds are unknown."""
    parsed = doc.has_annotation("DEP")
    japanese = doc.lang_ == "ja"
    words = []
    for token in doc:
        compound = None
        if parsed:
            compound = token.head.i > token.i and token.dep_ in _COMPOUNDS
        pos = _japanese_part(token) if japanese else token.pos_
        words.append(TaggedWord(token.text, pos, "" if japanese else token.lemma_, compound))
    return words


def sudachi_tokenizer() -> Language:
    """SpaCy's Japanese with SudachiPy, long words whole.

    Raises:
        SourceError: If SudachiPy or its dictionary is not installed.
    """
    sudachi_version()
    from spacy.lang.ja import Japanese

    with warnings.catch_warnings():  # spaCy 3.8 calls what SudachiPy 0.7 calls deprecated
        warnings.simplefilter("ignore", DeprecationWarning)
        return Japanese.from_config({"nlp": {"tokenizer": {"split_mode": "C"}}})


def sudachi_version() -> str:
    """Versions of SudachiPy and of its dictionary, which decide words and tags.

    Raises:
        SourceError: If one is not installed.
    """
    try:
        versions = [importlib.metadata.version(name) for name in ("SudachiPy", "SudachiDict-core")]
    except importlib.metadata.PackageNotFoundError as error:
        raise SourceError(
            "--language ja needs SudachiPy: pip install 'regionclip-toolkit[japanese]', or name a "
            "spaCy pipeline, such as --parser spacy:ja_core_news_sm"
        ) from error
    return "-".join(versions)


def _japanese_part(token: Token) -> str:
    """The part of speech of a Japanese word; counters and prefixes are no nouns."""
    tag = token.tag_
    after_number = token.i > 0 and token.nbor(-1).pos_ == "NUM"
    if tag.startswith(_PREFIX) or (_COUNTER in tag and (after_number or "可能" not in tag)):
        return "X"
    if tag.startswith(_NOUN_SUFFIX):
        return SUFFIX
    if _NAMED_THING in tag:
        return "NOUN"
    return str(token.pos_)
