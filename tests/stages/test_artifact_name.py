"""Names that users give to artifacts."""

from __future__ import annotations

import re

import pytest

from schemas.errors import OptionError
from stages.artifact_name import check_artifact_name


@pytest.mark.parametrize(
    "name", ["", "Sure", "a b", "../up", "1st", "cafe", "x@y", "a'b", "é", "a\n"]
)
def test_what_could_be_mistaken_is_refused_with_the_verb_and_the_thing(name: str) -> None:
    sentence = re.escape(f"rc audit draw: {name!r} is no name for an audit: take small letters")
    with pytest.raises(OptionError, match=sentence):
        check_artifact_name("audit draw", name, "an audit")


@pytest.mark.parametrize("name", ["sure", "sure-ones_2", "g"])
def test_small_letters_digits_and_marks_are_a_name(name: str) -> None:
    assert check_artifact_name("select", name, "a selection") is None  # type: ignore[func-returns-value]
