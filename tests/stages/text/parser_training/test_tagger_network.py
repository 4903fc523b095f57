from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stages.text.parser_training.grammar import captions
from stages.text.parser_training.tagger_network import TaggerNetwork
from stages.text.parser_training.treebank import Sentence

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

GOLD = list(captions(300, seed=1))


@pytest.fixture(scope="module")
def network() -> TaggerNetwork:
    network = TaggerNetwork(GOLD, seed=0)
    network.train(GOLD, steps=60)
    return network


def test_it_learns_the_tags_of_its_training_set(network: TaggerNetwork) -> None:
    predictions = network.tag([words for words, _ in GOLD])
    tag_pairs = [
        (tag, predicted)
        for (_, tags), predicted_tags in zip(GOLD, predictions, strict=True)
        for tag, predicted in zip(tags, predicted_tags, strict=True)
    ]
    assert sum(tag == predicted for tag, predicted in tag_pairs) / len(tag_pairs) > 0.6


def test_a_saved_pipeline_tags_like_the_trained_network(
    network: TaggerNetwork, tmp_path: Path
) -> None:
    import spacy

    network.save(tmp_path)
    nlp = spacy.load(tmp_path)
    captions = ["a dog on a surfboard", "Two parked cars ."]
    (expected,) = [network.tag(network.tokenise(captions))]
    assert [[token.tag_ for token in nlp(caption)] for caption in captions] == expected


def test_words_of_the_training_text_are_not_published(tmp_path: Path) -> None:
    gold = [Sentence(("zqxj", "dogs"), ("PROPN.s.c", "NOUN.p"))] * 20
    network = TaggerNetwork(gold, seed=0)
    network.train(gold, steps=2)
    network.save(tmp_path)
    strings = (tmp_path / "vocab" / "strings.json").read_text()
    assert "zqxj" not in strings
    assert "PROPN.s.c" in strings


def test_tokens_without_a_tag_teach_nothing(tmp_path: Path) -> None:
    gold = [Sentence(("a", "b"), ("X", "Y"))] * 30
    network = TaggerNetwork(gold, seed=0)
    network.train(gold, steps=40)
    before = network.tag([("b",)])
    network.train([Sentence(("b",), ("",))] * 30, steps=5)
    assert network.tag([("b",)]) == before == [["Y"]]


def test_batches_grow_slowly_and_hold_at_least_the_planned_number_of_words() -> None:
    network = TaggerNetwork(GOLD, seed=0)
    batches = network._batches(GOLD)
    for step in range(5):
        num_words = sum(len(example) for example in next(batches))
        longest = max(len(words) for words, _ in GOLD)
        planned = 300 * 1.002**step
        assert planned <= num_words < planned + longest


def test_about_thirty_per_cent_of_sentences_are_shown_in_lower_case() -> None:
    network = TaggerNetwork(GOLD, seed=0)
    gold = [Sentence(("Dogs", "run"), ("NOUN.p", "VERB"))] * 1000
    shown = [next(stream) for stream in [network._shuffled(gold)] for _ in range(1000)]
    share = sum(words[0] == "dogs" for words, _ in shown) / 1000
    assert share == pytest.approx(0.3, abs=0.05)
