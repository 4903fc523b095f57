"""Numbers with their nouns, and what counts as most."""

from __future__ import annotations

import pytest

from stages.outcome import counted, is_most


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 boxes"), (1, "1 box"), (2, "2 boxes"), (12345, "12,345 boxes")]
)
def test_a_number_has_its_noun(number: int, said: str) -> None:
    assert counted(number, "box", "boxes") == said


@pytest.mark.parametrize(
    ("lost", "total", "most"), [(0, 0, False), (1, 2, False), (2, 3, True), (5, 5, True)]
)
def test_most_is_more_than_half(lost: int, total: int, most: bool) -> None:
    assert is_most(lost, total) is most
