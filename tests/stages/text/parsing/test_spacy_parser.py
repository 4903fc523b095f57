from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stages.text.parsing.engines import load_parser

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ("two", "tennis", "rackets", "hit", "balls")
TAGS = ("CD", "NN", "NNS", "VBP", "NNS")
POS = ("NUM", "NOUN", "NOUN", "VERB", "NOUN")
MORPHS = ("NumType=Card", "Number=Sing", "Number=Plur", "", "Number=Plur")


@pytest.fixture(scope="module")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline with standard annotations (parts of speech, features) for a few words."""
    import spacy

    nlp = spacy.blank("en")
    ruler: Any = nlp.add_pipe("attribute_ruler")
    for word, tag, pos, morph in zip(WORDS, TAGS, POS, MORPHS, strict=True):
        ruler.add([[{"LOWER": word}]], {"TAG": tag, "POS": pos, "MORPH": morph})
    for word in ("dogs", "sleep", "."):
        ruler.add([[{"LOWER": word}]], {"POS": "X"})
    folder = tmp_path_factory.mktemp("standard")
    nlp.to_disk(folder)
    return folder


def test_a_standard_pipeline_is_read_by_part_of_speech(standard: Path) -> None:
    parser = load_parser(f"spacy:{standard}")
    concepts = list(parser.concepts(["Two tennis rackets hit balls", "", "balls"]))
    assert concepts == [["tennis racket", "ball"], [], ["ball"]]


def test_compounds_come_from_the_dependency_parser_of_the_pipeline(standard: Path) -> None:
    from spacy.tokens import Doc

    parser = load_parser(f"spacy:{standard}")
    vocab = parser._nlp.vocab  # type: ignore[attr-defined]
    doc = Doc(
        vocab,
        words=list(WORDS),
        pos=list(POS),
        morphs=list(MORPHS),
        heads=[2, 2, 3, 3, 3],
        deps=["nummod", "compound", "nsubj", "ROOT", "dobj"],
    )
    tokens = parser._read_tokens(doc)  # type: ignore[attr-defined]
    assert [token.compound for token in tokens] == [False, True, False, False, False]
    assert [token.number for token in tokens] == [None, "s", "p", None, "p"]
