from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from stages.text.parsing.engines import load_parser
from stages.text.parsing.spacy_parser import (
    _number,
    _text,
    _unsigned,
    pipeline_digest,
    pipeline_language,
)

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


@pytest.mark.slow
def test_a_standard_pipeline_is_read_by_part_of_speech(standard: Path) -> None:
    parser = load_parser(f"spacy:{standard}")
    concepts = list(parser.concepts(["Two tennis rackets hit balls", "", "balls"]))
    assert concepts == [["tennis racket", "ball"], [], ["ball"]]


@pytest.mark.slow
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


@pytest.mark.slow
def test_without_a_dependency_parser_compounds_are_unknown(standard: Path) -> None:
    parser = load_parser(f"spacy:{standard}")
    tokens = parser._read_tokens(parser._nlp("Two balls"))  # type: ignore[attr-defined]
    assert [(token.pos, token.number, token.compound) for token in tokens] == [
        ("NUM", None, None),
        ("NOUN", "p", None),
    ]


def test_a_hyphen_keeps_the_space_after_it(standard: Path) -> None:
    import spacy

    nlp = spacy.blank("en")
    hyphens = [_text(token) for token in nlp("a - b") if token.text == "-"]
    assert hyphens == ["- "]
    assert [_text(token) for token in nlp("train-station")] == ["train", "-", "station"]


def test_the_digest_depends_on_names_and_contents_but_not_on_documents(tmp_path: Path) -> None:
    (tmp_path / "config.cfg").write_text("[nlp]")
    (tmp_path / "tagger").mkdir()
    (tmp_path / "tagger" / "model").write_bytes(b"weights")
    digest = pipeline_digest(str(tmp_path))
    assert re.fullmatch("[0-9a-f]{12}", digest)
    for name in ("README.md", "LICENSE.txt", "attribution.txt", "cache.pyc"):
        (tmp_path / name).write_text("text")
    assert pipeline_digest(str(tmp_path)) == digest
    (tmp_path / "tagger" / "model").rename(tmp_path / "tagger" / "weights")
    assert pipeline_digest(str(tmp_path)) != digest


@pytest.mark.parametrize(("signed", "unsigned"), [(0, 0), (5, 5), (-1, 2**64 - 1), (2**63, 2**63)])
def test_signed_hashes_become_unsigned(signed: int, unsigned: int) -> None:
    assert _unsigned(signed) == unsigned


@pytest.mark.parametrize(
    ("features", "number"),
    [("Number=Plur", "p"), ("Case=Nom|Number=Sing", "s"), ("", None), ("Number=Ptan", None)],
)
def test_the_number_of_a_token_is_read_from_its_features(features: str, number: str | None) -> None:
    assert _number(features) == number


@pytest.mark.parametrize(
    ("config", "language"),
    [
        ('[nlp]\nlang = "de"\npipeline = []', "de"),
        ("[nlp]\nlang = null", "en"),
        ("", "en"),
        ("[nlp]\nlang = 'none'", "en"),
    ],
)
def test_the_language_of_a_pipeline_is_read_from_its_configuration(
    tmp_path: Path, config: str, language: str
) -> None:
    (tmp_path / "config.cfg").write_text(config)
    assert pipeline_language(str(tmp_path)) == language
