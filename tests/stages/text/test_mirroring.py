from __future__ import annotations

import numpy as np
import pytest

from stages.text.mirroring import mirror_caption


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a dog on the left", "a dog on the right"),
        ("left and right, right and left", "right and left, left and right"),
        ("the leftmost car", "the rightmost car"),
        ("he looks leftward, she rightwards", "he looks rightward, she leftwards"),
        ("a right-hand drive car", "a left-hand drive car"),
        ("the dog's right's ear", "the dog's left's ear"),
        ("Left: a cat. RIGHT: a dog.", "right: a cat. left: a dog."),
    ],
)
def test_left_and_right_are_exchanged(caption: str, expected: str) -> None:
    assert mirror_caption(caption) == expected


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "a dog",
        "leftover pizza",
        "copyright sign",
        "a bright cleft",
        "rights",
        "left_1",
        "aleft",
    ],
)
def test_a_caption_without_these_words_stays_the_same(caption: str) -> None:
    assert mirror_caption(caption) == caption


def test_mirroring_twice_gives_the_lower_case_caption_back() -> None:
    rng = np.random.default_rng(0)
    words = ["left", "right", "leftmost", "rightward", "dog", "leftover", "upright", ","]
    for _ in range(50):
        caption = " ".join(rng.choice(words, 12))
        assert mirror_caption(mirror_caption(caption)) == caption
        assert caption.split().count("left") == mirror_caption(caption).split().count("right")
