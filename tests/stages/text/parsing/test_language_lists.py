from __future__ import annotations

import pytest

from benchmarks.languages.__main__ import LANGUAGES, read_language
from stages.text.parsing.language_lists import LISTS

LANGUAGE = pytest.mark.parametrize("language", sorted(LANGUAGES))


@LANGUAGE
def test_words_have_the_form_of_concepts(language: str) -> None:
    words = {word for words in LISTS[language] for word in words}
    if language == "de":
        assert all(word[0].isupper() for word in words)
    else:
        assert all(word == word.lower() for word in words)


@LANGUAGE
def test_no_list_hides_what_a_person_pointed_at(language: str) -> None:
    gold = frozenset[str]().union(*(row.gold for row in read_language(language)))
    assert not gold & LISTS[language].unseen
    assert not gold & LISTS[language].leading
