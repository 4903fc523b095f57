from __future__ import annotations

import pytest

from stages.sources.json_ids import finite_number, id_text


@pytest.mark.parametrize("value", [7, 7.0, "7", " 7 ", "07", "7.0", "+7", "7."])
def test_an_id_that_is_the_same_number_is_the_same_text(value: object) -> None:
    assert id_text(value) == "7"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        ("-0", "0"),
        (-3, "-3"),
        ("-3", "-3"),
        (1.5, "1.5"),
        ("1e3", "1e3"),
        ("\ud800", "\\ud800"),
    ],
)
def test_other_ids_are_kept_apart(value: object, text: str) -> None:
    assert id_text(value) == text


def test_a_number_beyond_every_limit_is_no_number() -> None:
    assert finite_number("1" * 400) is None
    assert finite_number("1e999") is None
    assert finite_number("1_000") is None
    assert finite_number("-.5") == -0.5
