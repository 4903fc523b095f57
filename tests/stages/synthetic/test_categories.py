from __future__ import annotations

import re

import numpy as np

from stages.synthetic.captions import plural
from stages.synthetic.categories import BASE, CATEGORIES, COLOURS, NOVEL


def test_there_are_at_least_forty_categories_and_twelve_novel_ones() -> None:
    assert len(CATEGORIES) >= 40
    assert len(NOVEL) >= 12
    assert sorted(BASE + NOVEL) == sorted(c.name for c in CATEGORIES)


def test_no_name_or_synonym_is_used_twice() -> None:
    words = [word for c in CATEGORIES for word in (c.name, *c.synonyms)]
    assert len(words) == len(set(words))


def test_names_are_plain_lower_case_words() -> None:
    for c in CATEGORIES:
        for word in (c.name, *c.synonyms):
            assert re.fullmatch(r"[a-z]+( [a-z]+){0,2}", word)


def test_at_least_five_names_have_two_words() -> None:
    assert sum(" " in c.name for c in CATEGORIES) >= 5


def test_every_colour_of_a_category_is_known() -> None:
    assert {colour for c in CATEGORIES for colour in c.colours} <= set(COLOURS)


def test_every_theme_of_more_than_one_member_keeps_a_base_category() -> None:
    for theme in {c.theme for c in CATEGORIES}:
        assert any(not c.novel for c in CATEGORIES if c.theme == theme)


def test_every_name_and_synonym_is_an_english_noun_phrase_with_a_different_plural() -> None:
    unchanged = {c.name for c in CATEGORIES if c.plural == c.name}
    assert unchanged == {"fish", "scissors"}
    for category in CATEGORIES:
        for word in (category.name, *category.synonyms):
            assert (plural(word) == word) == (word in unchanged)


def test_objects_with_letters_are_never_mirrored() -> None:
    assert {c.name for c in CATEGORIES if not c.can_flip} == {"stop sign"}


def test_tilts_are_between_zero_and_half_a_turn() -> None:
    assert all(0 < c.max_tilt <= 180 for c in CATEGORIES)


def test_colours_can_be_told_apart() -> None:
    colours = np.array(list(COLOURS.values()), dtype=float)
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert distances.min() > 45
