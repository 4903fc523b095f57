from __future__ import annotations

from itertools import product

import pytest

from stages.text.parsing.tags import NOUNS, ParsedTag, compose_tag, parse_tag


@pytest.mark.parametrize(
    ("pos", "number", "compound"), list(product(sorted(NOUNS), "sp", [False, True]))
)
def test_parsing_returns_what_a_noun_tag_was_composed_of(
    pos: str, number: str, compound: bool
) -> None:
    tag = compose_tag(pos, number, compound)
    assert parse_tag(tag) == ParsedTag(pos, number, compound)


@pytest.mark.parametrize("pos", ["VERB", "ADJ", "X", ""])
def test_number_and_compound_are_dropped_for_other_parts_of_speech(pos: str) -> None:
    assert compose_tag(pos, "p", True) == pos
    assert parse_tag(pos) == ParsedTag(pos, None, None)


def test_a_noun_of_unknown_number_is_composed_as_singular() -> None:
    assert compose_tag("NOUN") == "NOUN.s"


def test_a_bare_noun_has_no_number_and_no_compound_flag() -> None:
    assert parse_tag("PROPN") == ParsedTag("PROPN", None, False)


def test_marks_are_read_in_any_order_and_unknown_ones_ignored() -> None:
    assert parse_tag("NOUN.c.p") == parse_tag("NOUN.x.p.c") == ParsedTag("NOUN", "p", True)


def test_marks_of_other_parts_of_speech_are_ignored() -> None:
    assert parse_tag("VERB.s.c") == ParsedTag("VERB", None, None)
