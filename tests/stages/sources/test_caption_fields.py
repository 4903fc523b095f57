from __future__ import annotations

from typing import Any

import pytest

from stages.sources.caption_fields import (
    captions_in_json,
    captions_in_string,
    captions_in_text,
    captions_of,
    distinct,
    row_captions,
)
from stages.sources.record import Refusal


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        (" a dog\n", ["a dog"]),
        ("  ", []),
        (["a dog", "", None, ["a cat"]], ["a dog", "a cat"]),
        ({"text": "a dog", "url": "x"}, ["a dog"]),
        ({"caption": "first", "text": "second"}, ["first"]),
        ({"captions": [{"caption": "a dog"}, {"caption": "a cat"}]}, ["a dog", "a cat"]),
        ({"url": "x"}, []),
        ({}, []),
    ],
)
def test_captions_are_taken_out_of_strings_lists_and_objects(
    value: Any, expected: list[str]
) -> None:
    assert captions_of(value) == expected


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (7, "a caption must be text, not int"),
        (["a dog", 1.5], "a caption must be text, not float"),
        ({"caption": True}, "a caption must be text, not bool"),
        ("\ud800", "the caption has half a surrogate pair"),
    ],
)
def test_any_other_value_is_a_bad_caption(value: Any, sentence: str) -> None:
    with pytest.raises(Refusal) as caught:
        captions_of(value)
    assert (caught.value.reason, caught.value.detail) == ("bad-caption", sentence)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"a dog", ["a dog"]),
        (b"\xef\xbb\xbfa dog", ["a dog"]),
        (b' {"caption": "a dog"} ', ["a dog"]),
        (b'["a dog", "a cat"]', ["a dog", "a cat"]),
        (b"[sic] a dog", ["[sic] a dog"]),
        (b"{smile} a dog", ["{smile} a dog"]),
        (b"7", ["7"]),
        (b"", []),
        (b"[" * 100_000, ["[" * 100_000]),
    ],
)
def test_a_text_is_one_caption_unless_it_is_a_json_object_or_list(
    payload: bytes, expected: list[str]
) -> None:
    assert captions_in_text(payload) == expected


def test_json_must_be_json_and_both_must_be_utf8() -> None:
    assert captions_in_json(b'"a dog"') == ["a dog"]
    with pytest.raises(Refusal, match="bad-caption: not JSON: "):
        captions_in_json(b"a dog")
    for read in (captions_in_text, captions_in_json):
        with pytest.raises(Refusal, match="bad-caption: the caption is not UTF-8: "):
            read(b"\xff")


def test_distinct_captions_keep_their_first_position() -> None:
    assert distinct(["b", "a", "b", "c", "a"]) == ("b", "a", "c")


@pytest.mark.parametrize("value", [float("nan"), "nan", "NaN", "None", "null", " ", "N/A", "<NA>"])
def test_what_tables_write_for_a_missing_value_is_no_caption(value: Any) -> None:
    assert captions_of(value) == []
    assert captions_of([value, "a dog"]) == ["a dog"]
    assert row_captions({"caption": value}, ("caption",)) == ([], [])


def test_a_word_that_begins_like_a_missing_value_is_a_caption() -> None:
    texts = ["none of the dogs", "nancy", "Nan bread"]
    assert captions_of(texts) == texts


def test_deeply_nested_values_are_a_bad_caption() -> None:
    nested: Any = "a dog"
    for _ in range(400):
        nested = [nested]
    with pytest.raises(Refusal, match="nested more than 20 times"):
        captions_of(nested)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"TEXT": "a dog"}, ["a dog"]),
        ({"caption_1": "b", "caption_0": "a", "caption_10": "c"}, ["a", "b", "c"]),
        ({"sentences": [{"raw": "a dog", "tokens": ["a", "dog"]}]}, ["a dog"]),
        ([{"raw": "a dog"}, {"raw": "a cat"}], ["a dog", "a cat"]),
        ({"alt_text": "a dog"}, ["a dog"]),
    ],
)
def test_objects_are_read_under_the_names_that_columns_have(
    value: Any, expected: list[str]
) -> None:
    assert captions_of(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1]", ["[1]"]),
        ("[1, 2] two dogs", ["[1, 2] two dogs"]),
        ("[Photo] a bus", ["[Photo] a bus"]),
        ("['a dog', \"the dog's bone\"]", ["a dog", "the dog's bone"]),
        ("['a dog' is here]", ["['a dog' is here]"]),
        ("['a', " + "[" * 100_000, ["['a', " + "[" * 100_000]),
        ("[null]", []),
    ],
)
def test_brackets_are_a_list_only_if_every_item_is_a_text(text: str, expected: list[str]) -> None:
    assert captions_in_string(text) == expected


def test_a_json_object_without_captions_says_what_it_has() -> None:
    with pytest.raises(Refusal, match="a JSON object without captions; it has 'w', 'h'"):
        captions_in_string('{"w": 1, "h": 2}')


def test_one_bad_cell_of_a_row_leaves_the_captions_of_the_others() -> None:
    row = {"caption_0": "a dog", "caption_1": 7, "caption_2": '["a cat", "cats"]'}
    captions, refusals = row_captions(row, (*row, "caption_3"))
    assert captions == ["a dog", "a cat", "cats"]
    assert [refusal.reason for refusal in refusals] == ["bad-caption"]
