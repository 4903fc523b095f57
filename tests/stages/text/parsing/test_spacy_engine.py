from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from stages.text.parsing import blas
from stages.text.parsing.engines import load_parser

if TYPE_CHECKING:
    from pathlib import Path

WORDS = ("two", "tennis", "rackets", "hit", "balls")
TAGS = ("CD", "NN", "NNS", "VBP", "NNS")
POS = ("NUM", "NOUN", "NOUN", "VERB", "NOUN")
MORPHS = ("NumType=Card", "Number=Sing", "Number=Plur", "", "Number=Plur")


@pytest.fixture(scope="module")
def standard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline as others make them: parts of speech and features, known words only."""
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


def test_a_pipeline_of_others_is_read_by_part_of_speech(standard: Path) -> None:
    parser = load_parser(f"spacy:{standard}")
    found = list(parser.concepts(["Two tennis rackets hit balls", "", "balls"]))
    assert found == [["tennis racket", "ball"], [], ["ball"]]


def test_its_compounds_are_those_of_its_parser(standard: Path) -> None:
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
    tokens = parser._read(doc)  # type: ignore[attr-defined]
    assert [token.compound for token in tokens] == [False, True, False, False, False]
    assert [token.number for token in tokens] == [None, "s", "p", None, "p"]


def test_one_thread_multiplies_and_the_others_come_back() -> None:
    switch = blas._switch()
    if switch is None:
        pytest.skip("this NumPy cannot be told how many threads to use")
    read, write = switch
    before = read()
    write(2)
    with blas.one_thread():
        assert read() == 1
    assert read() == 2
    write(before)


def test_products_are_right_on_one_thread() -> None:
    rng = np.random.default_rng()
    a, b = rng.normal(size=(40, 30)), rng.normal(size=(30, 20))
    with blas.one_thread():
        product = a @ b
    np.testing.assert_allclose(product, np.einsum("ik,kj->ij", a, b), atol=1e-12)


def test_without_a_switch_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blas, "_switch", lambda: None)
    assert not blas.can_be_single()
    with blas.one_thread():
        pass
