from __future__ import annotations

from stages.text.parsing.cleaning import MAX_CHARACTERS, clean_caption, words_of


def test_a_long_caption_is_cut_between_words() -> None:
    text = clean_caption("dogs " * 100_000)
    assert MAX_CHARACTERS - 5 <= len(text) <= MAX_CHARACTERS
    assert set(text.split()) == {"dogs"}


def test_a_caption_of_one_very_long_word_is_cut_inside_the_word() -> None:
    assert clean_caption("a" * 100_000) == "a" * MAX_CHARACTERS


def test_unprintable_characters_become_spaces() -> None:
    assert clean_caption("a\x00dog\n\ud800\u200band\tcat") == "a dog   and cat"


def test_only_captions_in_capitals_become_lower_case() -> None:
    assert clean_caption("A DOG IN PARIS") == "a dog in paris"
    assert clean_caption("A dog in Paris") == "A dog in Paris"


def test_a_missing_space_after_a_full_stop_is_inserted() -> None:
    assert clean_caption("in a case.next to it") == "in a case. next to it"
    assert clean_caption("at 3 p.m. on site.com") == "at 3 p.m. on site.com"


def test_words_consist_of_letters_digits_and_inner_apostrophes() -> None:
    assert words_of("") == []
    assert words_of("?! ... 🐶") == []
    assert words_of("A naïve_dog's 2nd t-shirt") == ["a", "naïve", "dog's", "2nd", "t", "shirt"]
