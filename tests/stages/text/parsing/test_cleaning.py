from __future__ import annotations

import pytest

from stages.text.parsing.cleaning import MAX_CHARACTERS, clean_caption, words_of


def test_a_long_caption_is_cut_between_words() -> None:
    text = clean_caption("dogs " * 100_000)
    assert MAX_CHARACTERS - 5 <= len(text) <= MAX_CHARACTERS
    assert set(text.split()) == {"dogs"}


def test_a_caption_of_one_very_long_word_is_cut_inside_the_word() -> None:
    assert clean_caption("a" * 100_000) == "a" * MAX_CHARACTERS


def test_unprintable_characters_become_spaces() -> None:
    assert clean_caption("a\x00dog\n\ud800\u200band\tcat") == "a dog  and cat"


def test_only_captions_in_capitals_become_lower_case() -> None:
    assert clean_caption("A DOG IN PARIS") == "a dog in paris"
    assert clean_caption("A dog in Paris") == "A dog in Paris"


def test_a_missing_space_after_a_full_stop_is_inserted() -> None:
    assert clean_caption("in a case.next to it") == "in a case. next to it"
    assert clean_caption("in a suit.A man, a dress.the dog") == "in a suit. A man, a dress. the dog"
    assert clean_caption("at 3 p.m. on a site.de") == "at 3 p.m. on a site.de"


def test_words_consist_of_letters_digits_and_inner_apostrophes() -> None:
    assert words_of("") == []
    assert words_of("?! ... 🐶") == []
    assert words_of("A naïve_dog's 2nd t-shirt") == ["a", "naïve", "dog's", "2nd", "t", "shirt"]


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("a cafe\u0301 and a ﬁreman", "a café and a fireman"),
        ("\uff41 \uff44\uff4f\uff47", "a dog"),
        ("a foot\u00adball, a ba\u200bby", "a football a baby"),
        ("a t\u2011shirt and a T\u2013shirt", "a t shirt and a t shirt"),
        ("a dog &amp; a &quot;big&quot; cat&#39;s bed", "a dog a big cat's bed"),
        ("salt &amp;amp; pepper", "salt pepper"),
        ("<p>a dog<br/>on a <b>sofa</b></p>", "a dog on a sofa"),
        ("<PERSON> meets <PERSON> at <URL>", "person meets person at"),
        ("if 1 <3 or x > 2", "if 1 3 or x 2"),
        ("see www.dogs.com/cat.html, IMG_12.JPG or (http://x.org)", "see or"),
        ("mail dog@cats.org, @bob, 5 @ night", "mail 5 night"),
        ("traffic_light near a #fire_hydrant", "traffic light near a fire hydrant"),
        ("a cafÃ© with a womanâ€™s hat", "a café with a woman's hat"),
        ("एक कुत्ता", "एक कुत्ता"),
        ("一只狗 and カメ", "一 只 狗 and カ メ"),
    ],
)
def test_a_caption_is_read_as_a_person_reads_it(caption: str, words: str) -> None:
    assert " ".join(words_of(caption)) == words


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ('"A dog on a sofa."', "A dog on a sofa."),
        ('""A dog"".', "A dog"),
        ("\u201eEin Hund\u201c", "Ein Hund"),
        ("\u00abun chien\u00bb", "un chien"),
        ('"Stop" and "Go"', '"Stop" and "Go"'),
        ("a dog's bowl and cats'", "a dog's bowl and cats'"),
    ],
)
def test_quotation_marks_around_a_whole_caption_are_ignored(caption: str, expected: str) -> None:
    assert clean_caption(caption).strip(",") == expected


@pytest.mark.parametrize(
    "text", ["<", "&", '"', "@", "a@", "w.", "<a ", "é", "\u2019", "a.jpg", "&#x"]
)
def test_thousands_of_one_mark_are_read(text: str) -> None:
    assert len(clean_caption(text * 5_000)) <= 2 * MAX_CHARACTERS
