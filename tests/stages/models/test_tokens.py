"""Tokens, against the numbers CLIP's vocabulary gives by hand."""

from __future__ import annotations

import pytest
import torch

from stages.models.tokens import LONG, tokenize

START, END, DOG = 49406, 49407, 1929


@pytest.mark.parametrize("long", LONG)
def test_a_text_that_fits_is_padded_after_its_end_token(long) -> None:
    tokens = tokenize(["dog", "", "Dog  DOG "], 5, long)
    assert tokens.tolist() == [
        [START, DOG, END, 0, 0],
        [START, END, 0, 0, 0],
        [START, DOG, DOG, END, 0],
    ]
    assert tokens.dtype == torch.int64


@pytest.mark.parametrize("long", LONG)
def test_a_text_of_exactly_the_length_is_not_cut(long) -> None:
    assert tokenize(["dog dog dog"], 5, long).tolist() == [[START, DOG, DOG, DOG, END]]


@pytest.mark.parametrize("dogs", [4, 5, 50])
def test_a_cut_text_has_an_end_token_only_with_keep_end(dogs) -> None:
    text = "dog " * dogs
    assert tokenize([text], 5, "cut").tolist() == [[START, DOG, DOG, DOG, DOG]]
    assert tokenize([text], 5, "keep-end").tolist() == [[START, DOG, DOG, DOG, END]]


def test_the_encoder_takes_the_start_token_of_a_cut_text_for_its_end() -> None:
    assert tokenize(["dog " * 9], 5, "cut").argmax(dim=1).tolist() == [0]


def test_no_texts_give_no_rows() -> None:
    assert tokenize([], 5, "cut").shape == (0, 5)
