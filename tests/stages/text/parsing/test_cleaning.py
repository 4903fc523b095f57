from __future__ import annotations

from stages.text.parsing.cleaning import MAX_CHARACTERS, clean, words_of


def test_a_long_caption_is_cut_between_words() -> None:
    text = clean("dogs " * 100_000)
    assert MAX_CHARACTERS - 5 <= len(text) <= MAX_CHARACTERS
    assert set(text.split()) == {"dogs"}


def test_a_caption_of_one_endless_word_is_cut_inside_it() -> None:
    assert clean("a" * 100_000) == "a" * MAX_CHARACTERS


def test_what_cannot_be_printed_or_encoded_becomes_space() -> None:
    assert clean("a\x00dog\n\ud800\u200band\tcat") == "a dog   and cat"


def test_capitals_only_are_lowered_and_others_stay() -> None:
    assert clean("A DOG IN PARIS") == "a dog in paris"
    assert clean("A dog in Paris") == "A dog in Paris"


def test_a_lost_space_behind_a_full_stop_is_given_back() -> None:
    assert clean("in a case.next to it") == "in a case. next to it"
    assert clean("at 3 p.m. on site.com") == "at 3 p.m. on site.com"


def test_words_are_letters_and_digits() -> None:
    assert words_of("") == []
    assert words_of("?! ... 🐶") == []
    assert words_of("A naïve_dog's 2nd t-shirt") == ["a", "naïve", "dog's", "2nd", "t", "shirt"]
