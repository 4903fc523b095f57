"""Annotated captions in other languages, and how they are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.languages.__main__ import LANGUAGES, annotated, read_language, score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Toy:
    """Finds the same concepts in every caption."""

    identity = "toy"
    language = "de"

    def concepts(self, captions: Iterable[str]) -> Iterator[list[str]]:
        for _ in captions:
            yield ["Hund", "Hund", "Park", "Foto"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_fifty_different_captions_with_concepts(language: str) -> None:
    rows = read_language(language)
    assert len({row.caption for row in rows}) == len(rows) == 50
    assert all(row.gold for row in rows)
    assert not any(mark in row.caption for row in rows for mark in "[]{}<>|")
    assert all(name.strip() == name for row in rows for name in row.gold)


def test_a_span_gives_what_is_written_and_what_it_is_called() -> None:
    row = annotated("Ein {Foto} von zwei [Hunden|Hund] im <Park>.")
    assert row.caption == "Ein Foto von zwei Hunden im Park."
    assert (row.gold, row.neutral) == ({"Hund"}, {"Park"})


def test_concepts_are_compared_as_sets_and_ambiguous_ones_ignored() -> None:
    rows = [annotated("Ein {Foto} von zwei [Hunden|Hund] im <Park>"), annotated("Eine [Katze]")]
    counts = score(Toy(), rows, verbose=False)
    assert (counts.hits, counts.false, counts.missed) == (1, 4, 1)
