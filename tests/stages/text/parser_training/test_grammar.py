from __future__ import annotations

from itertools import pairwise

from stages.text.parser_training.grammar import captions
from stages.text.parsing.tags import NOUNS, compose, read


def test_the_same_seed_draws_the_same_captions() -> None:
    assert list(captions(50, seed=3)) == list(captions(50, seed=3))
    assert list(captions(50, seed=3)) != list(captions(50, seed=4))


def test_every_word_has_a_tag_of_the_tag_set() -> None:
    for words, tags in captions(500, seed=5):
        assert len(words) == len(tags) > 0
        for word, tag in zip(words, tags, strict=True):
            assert word
            assert " " not in word
            pos, number, compound = read(tag)
            assert tag == compose(pos, number, bool(compound))


def test_a_modifier_stands_before_a_noun_or_a_hyphen() -> None:
    for words, tags in captions(500, seed=6):
        for i, tag in enumerate(tags):
            if read(tag).compound:
                assert words[i + 1] == "-" or read(tags[i + 1]).pos in NOUNS


def test_nouns_and_verbs_of_one_spelling_both_occur() -> None:
    seen: dict[str, set[str]] = {}
    for words, tags in captions(4000, seed=7):
        for word, tag in zip(words, tags, strict=True):
            seen.setdefault(word.lower(), set()).add(read(tag).pos)
    assert {"NOUN", "VERB"} <= seen["boards"]
    assert {"NOUN", "VERB"} <= seen["parks"]


def test_most_articles_agree_with_the_next_letter() -> None:
    right = wrong = 0
    for words, _ in captions(1000, seed=8):
        for word, following in pairwise(words):
            if word in ("a", "an"):
                agrees = (word == "an") == (following[0] in "aeiou")
                right, wrong = right + agrees, wrong + (not agrees)
    assert right > 10 * wrong > 0
