"""The lists are data: what the concept rule assumes of them."""

from __future__ import annotations

import pytest

from stages.text.parsing import word_lists as lists
from stages.text.parsing.lemmas import singularise

SETS = {name: value for name, value in vars(lists).items() if isinstance(value, frozenset)}
COUNTRIES_IN_S = {"netherlands", "philippines", "wales"}


@pytest.mark.parametrize("name", sorted(SETS))
def test_entries_are_lower_case(name: str) -> None:
    entries = [
        word for entry in SETS[name] for word in ([entry] if isinstance(entry, str) else entry)
    ]
    assert all(word == word.lower() and word.strip() == word for word in entries)


def test_heads_are_listed_in_the_singular_because_the_rule_looks_them_up_so() -> None:
    for name in ("NON_VISUAL", "QUANTITIES", "KEPT_IN_NAMES", "ING_THINGS"):
        assert {word for word in SETS[name] if singularise(word) != word} <= COUNTRIES_IN_S


def test_coloured_objects_are_colours() -> None:
    assert lists.COLORED_THINGS <= lists.COLORS


def test_gerund_lists_hold_gerunds() -> None:
    assert all(word.endswith("ing") for word in lists.GERUND_MODIFIERS | lists.ING_THINGS)


def test_exceptions_to_the_abstract_endings_are_not_listed_as_non_visual_too() -> None:
    assert {"business"} == lists.CONCRETE & lists.NON_VISUAL


def test_being_is_the_only_listed_object_that_is_never_a_noun() -> None:
    kept = lists.KEPT_IN_NAMES | lists.CONCRETE | lists.ING_THINGS | lists.COLORED_THINGS
    assert kept & lists.CLOSED_CLASS == {"being"}  # always a verb form, whatever its tag


def test_lexical_names_are_different_and_have_several_words() -> None:
    names = lists.LEXICAL_NAMES
    assert len(set(names)) == len(names)
    assert all(len(name.split()) > 1 and name == name.lower() for name in names)
