from __future__ import annotations

import numpy as np
import pytest

from stages.text.parsing.lemmas import singularise
from stages.text.parsing.noun_compounds import (
    MultiwordNames,
    NounCompound,
    Token,
    noun_compounds,
    singular,
)
from tests.stages.text.parsing.tagged import tagged

NO_NAMES = MultiwordNames(())


def compounds(text: str, *names: str, plain: bool = False) -> list[NounCompound]:
    return list(noun_compounds(tagged(text), MultiwordNames(names), plain=plain))


def names_in(text: str, *names: str, plain: bool = False) -> list[str]:
    return [" ".join((*c.modifiers, c.head)) for c in compounds(text, *names, plain=plain)]


def test_a_compound_has_modifiers_head_number_and_neighbours() -> None:
    text = "the city/NOUN.s.c park/NOUN.s.c benches/NOUN.p are wet"
    assert compounds(text) == [NounCompound(("city", "park"), "benches", "p", "the", "are")]


def test_neighbours_at_the_ends_of_a_caption_are_empty() -> None:
    (compound,) = compounds("Dogs/NOUN.p")
    assert (compound.before, compound.after) == ("", "")


def test_a_noun_without_compound_flag_ends_a_compound() -> None:
    assert names_in("a man/NOUN.s dogs/NOUN.p follow") == ["man", "dogs"]


def test_an_unknown_compound_flag_joins_neighbouring_nouns() -> None:
    tokens = [Token(word, "NOUN") for word in ("tennis", "racket", "bag")]
    (compound,) = noun_compounds(tokens, NO_NAMES)
    assert compound == NounCompound(("tennis", "racket"), "bag", None, "", "")


def test_random_captions_split_into_the_runs_of_a_reference() -> None:
    rng = np.random.default_rng(0)
    words = [f"z{letter}" for letter in "abcdefghij"]
    suffixes = {"word": "", "noun": "/NOUN.s", "modifier": "/NOUN.s.c"}
    for _ in range(300):
        kinds = rng.choice(["word", "noun", "modifier"], 10)
        text = " ".join(f"{word}{suffixes[kind]}" for word, kind in zip(words, kinds, strict=True))
        expected, run = [], []
        for i, kind in enumerate(kinds):
            if kind == "word":
                continue
            run.append(words[i])
            if kind == "noun" or i + 1 == len(kinds) or kinds[i + 1] == "word":
                expected.append(" ".join(run))
                run = []
        assert names_in(text) == expected


def test_the_longest_known_name_wins() -> None:
    names = ("hot dog", "hot dog bun", "dog bun")
    assert names_in("a hot dog bun and hot dogs", *names) == ["hot dog bun", "hot dogs"]


def test_names_match_any_case_number_hyphen_and_tag() -> None:
    assert names_in("Stop/VERB Signs/NOUN.p", "STOP-sign") == ["stop signs"]
    assert names_in("red/ADJ pandas/VERB", "red panda") == ["red pandas"]


def test_single_words_are_no_multiword_names() -> None:
    assert names_in("running/VERB", "running") == []


def test_a_name_can_modify_the_noun_after_it() -> None:
    assert names_in("a teddy/NOUN.s bear/NOUN.s.c shop/NOUN.s", "teddy bear") == ["teddy bear shop"]
    assert names_in("ice/NOUN.s cream/VERB truck/NOUN.s", "ice cream") == ["ice cream", "truck"]


@pytest.mark.parametrize("quotes", [('"', '"'), ("\u201c", "\u201d"), ("``", "''")])
def test_quoted_nouns_are_ignored_except_in_plain_mode(quotes: tuple[str, str]) -> None:
    text = f"a sign/NOUN.s {quotes[0]} no dogs/NOUN.p {quotes[1]} here"
    assert names_in(text) == ["sign"]
    assert names_in(text, plain=True) == ["sign", "dogs"]


def test_a_long_quotation_is_not_ignored() -> None:
    short, long = (f'" {"of " * count}dogs/NOUN.p "' for count in (10, 11))
    assert names_in(short) == []
    assert names_in(long) == ["dogs"]


def test_gerunds_join_certain_nouns_except_in_plain_mode() -> None:
    text = "a swimming/VERB pool/NOUN.s and a swimming/VERB man/NOUN.s"
    assert names_in(text) == ["swimming pool", "man"]
    assert names_in(text, plain=True) == ["pool", "man"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("an orange/ADJ", ["orange"]),
        ("an orange/ADJ .", ["orange"]),
        ("an orange/ADJ is/AUX ripe", ["orange"]),
        ("the orange/ADJ", []),
        ("an orange/ADJ hat/NOUN.s", ["hat"]),
    ],
)
def test_orange_is_a_noun_only_after_an_article_and_without_a_noun(
    text: str, expected: list[str]
) -> None:
    assert names_in(text) == expected


@pytest.mark.parametrize("hyphen", ["-", "\u2010", "\u2011"])
def test_a_hyphen_without_space_joins_nouns(hyphen: str) -> None:
    tokens = [Token("train", "NOUN", "s", False), Token(hyphen, "PUNCT")]
    joined = [*tokens, Token("station", "NOUN", "s", False)]
    assert [c.modifiers for c in noun_compounds(joined, NO_NAMES)] == [("train",)]
    spaced = [tokens[0], Token(hyphen + " ", "PUNCT"), joined[2]]
    assert [c.head for c in noun_compounds(spaced, NO_NAMES)] == ["train", "station"]


def test_a_noun_before_a_hyphen_and_an_adjective_is_dropped_except_in_plain_mode() -> None:
    text = "a snow/NOUN.s -/PUNCT covered/VERB hill/NOUN.s"
    assert names_in(text) == ["hill"]
    assert names_in(text, plain=True) == ["snow", "hill"]


def test_a_single_letter_before_a_hyphen_becomes_part_of_the_head() -> None:
    (compound,) = compounds("a red/NOUN.s.c t/NOUN.s.c -/PUNCT shirt/NOUN.s")
    assert (compound.modifiers, compound.head) == (("red",), "t-shirt")


def test_hyphens_alone_have_no_compounds() -> None:
    assert compounds("-/PUNCT -/PUNCT") == []


def test_an_empty_caption_has_no_compounds() -> None:
    assert list(noun_compounds([], MultiwordNames(["hot dog"]))) == []


def test_the_cached_singular_equals_the_singular() -> None:
    words = ["dogs", "women", "scissors", "glass", "buses"]
    assert [singular(word) for word in words * 2] == [singularise(word) for word in words * 2]
