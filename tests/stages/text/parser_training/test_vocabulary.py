"""The word lists of the caption grammar, `nouns` and `other_words`."""

from __future__ import annotations

import re

import pytest

from stages.text.parser_training import nouns, other_words
from stages.text.parser_training.nouns import split_words
from stages.text.parsing.lemmas import singularise

NOUN_LISTS = {name: words for name, words in vars(nouns).items() if isinstance(words, tuple)}
OTHER_LISTS = {name: words for name, words in vars(other_words).items() if isinstance(words, tuple)}
VERBS = ("INTRANSITIVE", "TRANSITIVE", "DITRANSITIVE")


def test_words_are_split_on_white_space_and_underscores_are_spaces() -> None:
    assert split_words("  hot_dog\n kite\tfire_hydrant ") == ("hot dog", "kite", "fire hydrant")
    assert split_words(" \n ") == ()


@pytest.mark.parametrize(
    "name", sorted(NOUN_LISTS.keys() - {"PLURAL_ONLY", "NAMES", "GERUND_MODIFIERS"})
)
def test_nouns_are_lower_case_and_singular(name: str) -> None:
    for phrase in NOUN_LISTS[name]:
        assert re.fullmatch(r"[a-z]+(?:[ '-][a-z]+)*", phrase), phrase
        head = phrase.split()[-1]
        assert singularise(head) == head


def test_plural_only_nouns_are_plural() -> None:
    assert all(word.endswith(("s", "people")) for word in nouns.PLURAL_ONLY)


def test_gerund_compounds_are_a_gerund_and_a_noun() -> None:
    for pair in nouns.GERUND_MODIFIERS:
        gerund, noun = pair.split(":")
        assert gerund.endswith("ing")
        assert noun.isalpha()


def test_proper_names_are_capitalised() -> None:
    assert all(name[0].isupper() for name in nouns.NAMES)


@pytest.mark.parametrize("name", VERBS)
def test_verbs_have_four_forms_with_regular_endings(name: str) -> None:
    for verb in OTHER_LISTS[name]:
        base, third_person, gerund, participle = verb.split("/")
        assert third_person.endswith("s"), verb
        assert gerund.endswith("ing"), verb
        assert base[0] == third_person[0] == gerund[0], verb
        assert participle, verb


@pytest.mark.parametrize("name", sorted(OTHER_LISTS.keys() - set(VERBS)))
def test_other_words_are_lower_case_words_without_duplicated_spaces(name: str) -> None:
    for phrase in OTHER_LISTS[name]:
        assert re.fullmatch(r"[a-z0-9]+(?:[ -][a-z0-9]+)*", phrase), phrase


def test_no_list_is_empty() -> None:
    assert all(len(words) >= 5 for words in (*NOUN_LISTS.values(), *OTHER_LISTS.values()))
