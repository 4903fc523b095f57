from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from stages.text.parser_training import nouns
from stages.text.parser_training.noun_phrases import (
    BEINGS,
    THINGS,
    NounPhrases,
    tag_adjective,
    tag_noun,
    tag_phrase,
)
from stages.text.parsing.tags import NOUNS, parse_tag


@pytest.fixture
def phrases() -> NounPhrases:
    return NounPhrases(random.Random(0))


def test_all_words_of_a_name_but_the_last_are_compound_modifiers() -> None:
    assert tag_noun("ice cream truck", plural=True) == [
        ("ice", "NOUN.s.c"),
        ("cream", "NOUN.s.c"),
        ("trucks", "NOUN.p"),
    ]


def test_a_hyphen_in_a_name_is_a_token_of_its_own() -> None:
    assert tag_noun("t-shirt", plural=False) == [
        ("t", "NOUN.s.c"),
        ("-", "PUNCT"),
        ("shirt", "NOUN.s"),
    ]


def test_a_noun_that_modifies_the_next_one_has_the_compound_flag() -> None:
    assert tag_noun("tennis", plural=False, pos="PROPN", compound=True) == [("tennis", "PROPN.s.c")]


def test_each_part_of_a_hyphenated_adjective_is_an_adjective() -> None:
    expected = [("red", "ADJ"), ("-", "PUNCT"), ("haired", "ADJ")]
    assert tag_adjective("red-haired") == expected


def test_a_fixed_phrase_has_one_tag_for_all_words_and_none_if_it_is_empty() -> None:
    assert tag_phrase("has been", "AUX") == [("has", "AUX"), ("been", "AUX")]
    assert tag_phrase("", "ADJ") == []


def test_a_list_has_commas_between_its_parts_and_and_before_the_last(phrases: NounPhrases) -> None:
    parts = [[(word, "NOUN.s")] for word in ("cat", "dog", "bird")]
    texts = {" ".join(word for word, _ in phrases.join_list(parts)) for _ in range(50)}
    assert texts == {"cat , dog and bird", "cat , dog , and bird"}
    assert phrases.join_list(parts[:1]) == parts[0]
    assert parts[0] == [("cat", "NOUN.s")]  # the parts themselves are not changed


def test_articles_agree_with_the_next_word_in_98_per_cent(phrases: NounPhrases) -> None:
    def corrected() -> str:
        tokens = [("a", "DET"), ("owl", "NOUN.s"), ("an", "DET"), ("bat", "NOUN.s")]
        return " ".join(word for word, _ in phrases.correct_articles(tokens))

    counts = Counter(corrected() for _ in range(2000))
    assert counts["an owl a bat"] / 2000 == pytest.approx(0.98**2, abs=0.015)


def test_an_article_at_the_end_is_left_alone(phrases: NounPhrases) -> None:
    assert phrases.correct_articles([("a", "DET")]) == [("a", "DET")]


def test_words_at_the_front_of_a_list_are_picked_more_often(phrases: NounPhrases) -> None:
    pool = [str(index) for index in range(10)]
    picks = np.array([int(phrases.pick_frequent(pool)) for _ in range(20_000)])
    # P(index < k) = P(10 u^1.4 < k) = (k / 10)^(1 / 1.4)
    for k in (1, 3, 7, 10):
        assert (picks < k).mean() == pytest.approx((k / 10) ** (1 / 1.4), abs=0.015)


def test_plural_phrases_never_get_a_singular_determiner(phrases: NounPhrases) -> None:
    plural, singular = [("dogs", "NOUN.p")], [("dog", "NOUN.s")]
    before_plural = {phrases.with_determiner(plural)[0] for _ in range(2000)}
    before_singular = {phrases.with_determiner(singular)[0] for _ in range(2000)}
    assert not {word for word, _ in before_plural} & {"a", "an", "each", "every", "this", "another"}
    assert not {tag for _, tag in before_singular} & {"NUM"}
    assert ("many", "ADJ") in before_plural
    assert {"the", "his", "dogs"} <= {word for word, _ in before_plural}


@pytest.mark.parametrize("kinds", [THINGS, BEINGS])
def test_every_noun_phrase_ends_in_a_noun_that_modifies_nothing(
    phrases: NounPhrases, kinds: tuple[tuple[str, ...], ...]
) -> None:
    for _ in range(500):
        last = parse_tag(phrases.noun_phrase(kinds)[-1][1])
        assert last.pos in NOUNS
        assert not last.compound


def test_without_determiner_most_phrases_begin_with_their_adjectives_or_noun() -> None:
    phrases = NounPhrases(random.Random(1))
    first_tags = Counter(
        phrases.noun_phrase(THINGS, plural=False, determiner=False)[0][1] for _ in range(1000)
    )
    # only phrases of quantity, with an owner, or of two parts keep a determiner: 15 per cent
    assert first_tags["DET"] / 1000 < 0.16


def test_a_proper_name_is_a_name_or_names_a_thing(phrases: NounPhrases) -> None:
    names = {name.lower() for name in nouns.NAMES}
    lengths = set()
    for _ in range(300):
        tokens = phrases.proper_name(plural=False)
        lengths.add(len(tokens) > 1)
        assert tokens[0][1].startswith("PROPN.s")
        assert tokens[0][0].lower() in {name.split()[0] for name in names}
        assert parse_tag(tokens[0][1]).compound == (len(tokens) > 1)
    assert lengths == {True, False}


def test_probabilities_zero_and_one_are_certain(phrases: NounPhrases) -> None:
    assert not any(phrases.chance(0.0) for _ in range(100))
    assert all(phrases.chance(1.0) for _ in range(100))
