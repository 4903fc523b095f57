from __future__ import annotations

import pytest

from stages.text.parsing.lemmas import PLURAL_ONLY, pluralise, singularise


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("dogs", "dog"), ("women", "woman"), ("firemen", "fireman"), ("people", "people"),
        ("buses", "bus"), ("busses", "bus"), ("vases", "vase"), ("roses", "rose"),
        ("horses", "horse"), ("glasses", "glasses"), ("boxes", "box"), ("axes", "axe"),
        ("churches", "church"), ("headaches", "headache"), ("brushes", "brush"),
        ("cherries", "cherry"), ("ties", "tie"), ("cookies", "cookie"), ("shoes", "shoe"),
        ("potatoes", "potato"), ("knives", "knife"), ("gloves", "glove"), ("leaves", "leaf"),
        ("kiwis", "kiwi"), ("menus", "menu"), ("skis", "skis"), ("sheep", "sheep"),
        ("houses", "house"), ("walruses", "walrus"), ("lenses", "lens"), ("tvs", "tv"),
    ],
)  # fmt: skip
def test_plurals_become_singular(plural: str, singular: str) -> None:
    assert singularise(plural) == singular


@pytest.mark.parametrize(
    "word",
    ["bus", "grass", "tennis", "cactus", "dress", "gas", "specimen", "men's", "as", "", "s"],
)
def test_singular_words_stay(word: str) -> None:
    assert singularise(word) == word


@pytest.mark.parametrize("word", sorted(PLURAL_ONLY))
def test_names_only_used_in_the_plural_stay(word: str) -> None:
    assert singularise(word) == word
    assert pluralise(word) == word


@pytest.mark.parametrize(
    "word", ["dog", "woman", "bus", "box", "knife", "leaf", "gas", "key", "city", "tomato", "tooth"]
)
def test_singularise_undoes_pluralise(word: str) -> None:
    assert pluralise(word) != word
    assert singularise(pluralise(word)) == word
