from __future__ import annotations

import gzip
from itertools import islice
from pathlib import Path

import pytest

from benchmarks.languages.__main__ import LANGUAGES, read_language
from stages.text.parsing.cleaning import words_of
from stages.text.parsing.language import (
    ENGLISH,
    LanguageCount,
    is_told,
    language_name,
    language_of,
    parser_advice,
)

CORPUS = Path(__file__).parents[5] / "shared" / "data" / "captions" / "captions.tsv.gz"
FOREIGN = {
    "German": "Zwei Kinder spielen auf einer Wiese vor dem Haus mit einem Ball",
    "French": "Deux enfants jouent dans le jardin avec un ballon et un chien",
    "Spanish": "Dos hombres juegan con una pelota en la playa y el mar",
    "Italian": "Una donna con il cane sulla spiaggia e un gatto nella casa",
    "Portuguese": "Uma mulher com um cachorro na praia e dois homens no mar",
    "Dutch": "Twee kinderen spelen op het gras met een bal en de hond",
    "Polish": "Kobieta siedzi na kanapie w salonie, pies jest przy oknie",
    "Turkish": "Bir köpek ve iki kedi için bu ekmek",
    "Russian": "Собака лежит на диване в гостиной",
    "Chinese": "一只狗坐在椅子上",
    "Japanese": "犬がソファの上に寝ている",
    "Korean": "개가 거실 소파에 누워 있다",
    "Arabic": "كلب مستلق على الأريكة",
    "Hindi": "एक कुत्ता सोफे पर लेटा है",
    "Thai": "สุนัขนอนอยู่บนโซฟา",
}


@pytest.mark.parametrize(("language", "caption"), FOREIGN.items(), ids=FOREIGN)
def test_captions_in_other_languages_are_told_by_name(language: str, caption: str) -> None:
    count = LanguageCount()
    count.read([caption])
    assert count.known < ENGLISH / 2 * count.words
    assert (count.foreign, count.languages) == (1, {language: 1})


@pytest.mark.parametrize(
    "caption",
    [
        "a man riding a skateboard down a city street",
        "1girl, solo, long hair, blue eyes, school uniform",
        "vintage camera with lens on a wooden table",
        "IMG 2043",
        "ein Hund",
        "",
    ],
)
def test_english_and_very_short_captions_are_not_taken_for_another_language(caption: str) -> None:
    count = LanguageCount()
    count.read([caption])
    assert count.foreign == 0


def test_words_in_no_known_language_have_no_name() -> None:
    assert language_of(words_of("Xqz blorp wug fnord")) == ""


def test_counts_add_up_over_captions() -> None:
    count = LanguageCount()
    count.read(["two dogs", "ein Hund auf dem Sofa"])
    count.read(["a cat"])
    expected = {"words": 9, "known_words": 5, "not_english": 1, "languages": {"German": 1}}
    assert count.counts() == expected


@pytest.mark.skipif(not CORPUS.exists(), reason="the real captions are not beside the project")
def test_nine_tenths_of_the_words_of_real_captions_are_known() -> None:
    count = LanguageCount()
    with gzip.open(CORPUS, "rt", encoding="utf-8") as lines:
        count.read(line.rstrip().split("\t")[2] for line in islice(lines, 0, None, 110))
    assert count.known > 0.9 * count.words
    assert count.foreign < 5


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_parser_of_another_language_knows_its_captions_from_english(language: str) -> None:
    own = [row.caption for row in read_language(language)]
    count = LanguageCount(reads=language)
    count.read(own)
    assert count.foreign <= 1
    assert count.told > 0.8 * len(own)  # in others, as many frequent words are of French
    count = LanguageCount(reads=language)
    count.read(["a dog on the sofa", "two men with a ball", "the woman is at the table"])
    assert count.counts() == {"told": 3, "foreign": 3, "languages": {"English": 3}}


@pytest.mark.parametrize("language", ["uk", "ca", "xx", ""])
def test_of_a_language_that_cannot_be_told_nothing_is_counted(language: str) -> None:
    assert not is_told(language)
    count = LanguageCount(reads=language)
    count.read(["a dog on the sofa"])
    assert count.counts() == {"told": 0, "foreign": 0, "languages": {}}


def test_languages_have_names_and_what_to_type() -> None:
    assert (language_name("de"), language_name("eo")) == ("German", "eo")
    assert parser_advice("Chinese").startswith("say --language zh (pip install")
    assert parser_advice("ja").startswith("say --language ja (pip install")
    assert "spacy:es_core_news_sm" in parser_advice("Spanish")
    assert "--parser spacy:NAME" in parser_advice("Vietnamese")
    assert parser_advice("English") == "use --parser bundled"
    assert all(is_told(language) for language in ("en", *LANGUAGES))
