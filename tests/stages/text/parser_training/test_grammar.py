from __future__ import annotations

from itertools import pairwise

import pytest

from stages.text.parser_training.grammar import captions
from stages.text.parsing.tags import NOUNS, compose_tag, parse_tag


def test_the_same_seed_gives_the_same_captions() -> None:
    assert list(captions(50, seed=3)) == list(captions(50, seed=3))
    assert list(captions(50, seed=3)) != list(captions(50, seed=4))


def test_every_word_has_a_tag_of_the_tag_set() -> None:
    for words, tags in captions(500, seed=5):
        assert len(words) == len(tags) > 0
        for word, tag in zip(words, tags, strict=True):
            assert word
            assert " " not in word
            pos, number, compound = parse_tag(tag)
            assert tag == compose_tag(pos, number, bool(compound))


def test_a_modifier_is_followed_by_a_noun_or_a_hyphen() -> None:
    for words, tags in captions(500, seed=6):
        for i, tag in enumerate(tags):
            if parse_tag(tag).compound:
                assert words[i + 1] == "-" or parse_tag(tags[i + 1]).pos in NOUNS


@pytest.mark.slow
def test_words_that_are_noun_and_verb_occur_as_both() -> None:
    tags_of: dict[str, set[str]] = {}
    for words, tags in captions(4000, seed=7):
        for word, tag in zip(words, tags, strict=True):
            tags_of.setdefault(word.lower(), set()).add(parse_tag(tag).pos)
    assert {"NOUN", "VERB"} <= tags_of["boards"]
    assert {"NOUN", "VERB"} <= tags_of["parks"]


def test_most_articles_agree_with_the_next_letter() -> None:
    correct = wrong = 0
    for words, _ in captions(1000, seed=8):
        for word, following in pairwise(words):
            if word in ("a", "an"):
                agrees = (word == "an") == (following[0] in "aeiou")
                correct, wrong = correct + agrees, wrong + (not agrees)
    assert correct > 10 * wrong > 0
