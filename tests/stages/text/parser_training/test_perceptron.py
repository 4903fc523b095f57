from __future__ import annotations

import pytest

from stages.text.parser_training.grammar import captions
from stages.text.parser_training.perceptron import PerceptronTagger
from stages.text.parser_training.treebank import Sentence


def tagged_captions(count: int, seed: int) -> list[Sentence]:
    return [
        Sentence(words, tuple(tag.removesuffix(".c") for tag in tags))
        for words, tags in captions(count, seed)
    ]


@pytest.mark.slow
def test_it_learns_to_tag_captions_outside_the_training_set() -> None:
    tagger = PerceptronTagger()
    tagger.train(tagged_captions(600, seed=1), passes=3, seed=0)
    tag_pairs = [
        (tag, predicted)
        for words, tags in tagged_captions(100, seed=2)
        for tag, predicted in zip(tags, tagger.tag(words), strict=True)
    ]
    assert sum(tag == predicted for tag, predicted in tag_pairs) / len(tag_pairs) > 0.85


def test_the_left_neighbour_decides_between_noun_and_verb() -> None:
    noun = Sentence(("the", "walks"), ("DET", "NOUN.p"))
    verb = Sentence(("she", "walks"), ("PRON", "VERB"))
    tagger = PerceptronTagger()
    tagger.train([noun, verb] * 5, passes=5, seed=0)
    assert tagger.tag(noun.words) == list(noun.tags)
    assert tagger.tag(verb.words) == list(verb.tags)


def test_weights_are_the_mean_over_all_steps() -> None:
    # Tags A and B of one word each, predicted A when nothing is known: only the second step errs.
    tagger = PerceptronTagger()
    tagger.train([Sentence(("x", "y"), ("A", "B"))], passes=1, seed=0)
    assert tagger._weights["1y"] == {"B": 1 - 1 / 2, "A": -1 + 1 / 2}


def test_an_empty_sentence_has_no_tags() -> None:
    tagger = PerceptronTagger()
    tagger.train([Sentence(("x",), ("A",))], passes=1, seed=0)
    assert tagger.tag([]) == []
