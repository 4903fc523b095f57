from __future__ import annotations

import pytest

from stages.auditing.verdicts import Agreement, agreements, decided

A, B, C = ("a.jpg", 0), ("a.jpg", 1), ("b.jpg", 0)


def test_the_majority_decides_and_equal_voices_leave_it_open() -> None:
    said = [
        (A, "one", "right"),
        (A, "two", "wrong"),
        (A, "three", "right"),
        (B, "one", "right"),
        (B, "two", "wrong-box"),
        (C, "one", "unsure"),
        (("c.jpg", 4), "two", "wrong-box"),
        (("c.jpg", 4), "three", "unsure"),
    ]
    assert decided(said) == ({A: True, ("c.jpg", 4): False}, 2)
    assert decided([]) == ({}, 0)


def test_agreement_is_of_what_both_decided() -> None:
    labels = [("x", number) for number in range(10)]
    first = [(label, "b", "right" if label[1] < 6 else "wrong") for label in labels]
    second = [(label, "a", "right" if label[1] < 4 else "wrong-box") for label in labels]
    (found,) = agreements([*first, *second, (("y", 0), "a", "right"), (labels[0], "c", "unsure")])
    chance = 0.4 * 0.6 + 0.6 * 0.4
    assert found == Agreement(("a", "b"), 10, 0.8, pytest.approx((0.8 - chance) / (1 - chance)))


def test_agreement_on_one_word_alone_says_nothing_beyond_chance() -> None:
    assert agreements([(A, "a", "right"), (A, "b", "right")]) == [
        Agreement(("a", "b"), 1, 1.0, None)
    ]
