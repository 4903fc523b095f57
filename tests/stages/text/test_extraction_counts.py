from __future__ import annotations

from pathlib import Path

from stages.text.extraction_counts import NOTE, CaptionCount, ExtractionCounts
from stages.text.parsing.cleaning import MAX_CHARACTERS
from tests.in_memory import InMemory


def test_parts_add_up_captions_mentions_and_words() -> None:
    part = InMemory({}, Path())
    for _ in range(2):
        count = CaptionCount("en")
        count.add(["a dog and a dog", "ein Hund auf dem Sofa"], [["dog", "dog"], []], given=False)
        count.record(part)
    assert part.notes[NOTE] == {
        "captions": 4, "naming": 2, "mentions": 4, "words": 20, "known_words": 12,
        "not_english": 2, "languages": {"German": 2},
    }  # fmt: skip


def test_words_are_not_counted_for_a_parser_of_any_language() -> None:
    part = InMemory({}, Path())
    count = CaptionCount("")
    count.add(["ein Hund auf dem Sofa"], [["Hund"]], given=False)
    count.record(part)
    assert part.notes[NOTE] == {"captions": 1, "naming": 1, "mentions": 1}


def counts(**numbers: int) -> ExtractionCounts:
    languages = {"German": numbers.pop("german")} if "german" in numbers else {}
    return ExtractionCounts({NOTE: {**numbers, "languages": languages}, "phrases": 3}, "bundled")


def test_captions_of_which_less_than_two_fifths_of_the_words_are_known_are_foreign() -> None:
    numbers = {"captions": 10, "naming": 10, "words": 100, "not_english": 10}
    assert counts(**numbers, known_words=40, german=10).losses(0) == []
    (loss,) = counts(**numbers, known_words=39, german=10).losses(0)
    assert loss.startswith("these captions look like German (39%")
    (loss,) = counts(**numbers, known_words=39, german=4).losses(0)
    assert loss.startswith("these captions do not look like English (39%")


def test_a_few_words_tell_no_language() -> None:
    assert counts(captions=3, naming=3, words=19, known_words=0, not_english=3).losses(0) == []


def test_most_rows_refused_are_a_loss() -> None:
    assert counts(captions=2, naming=2).losses(2) == []
    assert counts(captions=2, naming=2).losses(3) == ["3 rows refused, 2 captions read"]


def test_a_caption_of_which_only_the_beginning_is_read_is_counted() -> None:
    part = InMemory({}, Path())
    count = CaptionCount("")
    count.add(["x" * MAX_CHARACTERS, "x" * (MAX_CHARACTERS + 1)], [[], []], given=True)
    count.record(part)
    assert part.notes[NOTE]["cut"] == 1
    (line,) = ExtractionCounts(part.notes, "bundled").summary(0, 1, 0)
    assert "; 1 read to character 2,000;" in line
