from __future__ import annotations

from stages.text.parser_training.grammar import captions
from stages.text.parser_training.perceptron import Perceptron
from stages.text.parser_training.treebank import Sentence


def plain(count: int, seed: int) -> list[Sentence]:
    return [
        Sentence(words, tuple(tag.removesuffix(".c") for tag in tags))
        for words, tags in captions(count, seed)
    ]


def test_it_learns_to_tag_captions_it_has_not_seen() -> None:
    tagger = Perceptron()
    tagger.train(plain(600, seed=1), passes=3, seed=0)
    pairs = [
        (tag, guess)
        for words, tags in plain(100, seed=2)
        for tag, guess in zip(tags, tagger.tag(words), strict=True)
    ]
    assert sum(tag == guess for tag, guess in pairs) / len(pairs) > 0.85


def test_the_left_neighbour_decides_between_noun_and_verb() -> None:
    noun = Sentence(("the", "walks"), ("DET", "NOUN.p"))
    verb = Sentence(("she", "walks"), ("PRON", "VERB"))
    tagger = Perceptron()
    tagger.train([noun, verb] * 5, passes=5, seed=0)
    assert tagger.tag(noun.words) == list(noun.tags)
    assert tagger.tag(verb.words) == list(verb.tags)


def test_weights_are_the_mean_over_all_steps() -> None:
    # Tags A and B of one word each, guessed A when nothing is known: only the second step errs.
    tagger = Perceptron()
    tagger.train([Sentence(("x", "y"), ("A", "B"))], passes=1, seed=0)
    assert tagger._weights["1y"] == {"B": 1 - 1 / 2, "A": -1 + 1 / 2}


def test_no_words_have_no_tags() -> None:
    tagger = Perceptron()
    tagger.train([Sentence(("x",), ("A",))], passes=1, seed=0)
    assert tagger.tag([]) == []
