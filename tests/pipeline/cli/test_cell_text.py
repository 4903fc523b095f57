"""Values as text."""

from __future__ import annotations

from datetime import date

import pytest

from pipeline.cli.cell_text import cell_text, csv_field


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (0.123456, "0.1235"),
        (b"abc", "<3 bytes>"),
        ([1, 2.0], "[1, 2]"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, … 20 in all]"),
        ({"a": "dog", "b": [1.0, None], "c": b"ab"}, "{a: dog, b: [1, null], c: <2 bytes>}"),
        ([("dog", date(2020, 1, 2))], "[dog: 2020-01-02]"),
        (True, "true"),
        ("\x1b[31mred\n", "�[31mred�"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
    ],
)
def test_a_cell_shows_a_value_without_control_characters(value: object, shown: str) -> None:
    assert cell_text(value) == shown


def test_a_field_of_csv_is_as_in_json_but_for_quotes() -> None:
    values = ["a,b", float("inf"), {"a": [1, None]}, date(2020, 1, 2), True, None, 3]
    fields = ["a,b", float("inf"), '{"a": [1, null]}', "2020-01-02", "true", None, 3]
    assert [csv_field(value) for value in values] == fields
