from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.languages.__main__ import read_language, sentence_of_english
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


@pytest.mark.parametrize(
    ("language", "name", "advice"),
    [
        ("zh", "Chinese", "Say --language zh (pip install 'regionclip-toolkit[chinese]')"),
        ("ja", "Japanese", "Say --language ja (pip install 'regionclip-toolkit[japanese]')"),
        ("de", "German", "Name a spaCy pipeline, such as --parser spacy:de_core_news_sm"),
        ("es", "Spanish", "Name a spaCy pipeline, such as --parser spacy:es_core_news_sm"),
    ],
)
def test_captions_in_another_language_are_named_with_what_to_type(
    language: str, name: str, advice: str
) -> None:
    sentence = sentence_of_english(read_language(language))
    assert sentence.startswith(f"these captions look like {name} (")
    assert f"the parser 'bundled' reads English. {advice}, or give a list of names" in sentence


def german(**numbers: int) -> ExtractionCounts:
    languages = {"English": numbers.get("foreign", 0)}
    notes = {NOTE: {**numbers, "languages": languages}, "phrases": 3}
    return ExtractionCounts(notes, "spacy:de", "de")


def test_english_captions_are_told_to_a_parser_of_another_language() -> None:
    (loss,) = german(captions=10, naming=9, told=9, foreign=5).losses(0)
    assert loss == (
        "these captions look like English (5 of 10 captions): the parser 'spacy:de' reads German. "
        "Use --parser bundled"
    )
    few = german(captions=10, naming=9, told=9, foreign=4)
    assert few.losses(0) == []
    assert few.summary(3, 1, 0)[1] == "4 captions do not look like German (4 English)"
    assert german(captions=2, naming=2, told=2, foreign=2).losses(0) == []


def test_concepts_of_captions_in_another_language_stay_where_a_parser_reads_no_english() -> None:
    count = CaptionCount("de")
    assert count.add(["a dog on the sofa"], [["Dog"]], given=False) == [["Dog"]]
