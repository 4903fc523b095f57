"""Rules in a file: what is read, and what is refused, each with one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from stages.selecting.rules_file import LabelRules, read_rules

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, text: str) -> LabelRules:
    path = folder / "rules.toml"
    path.write_text(text, "utf-8")
    return read_rules(path)


def test_rules_are_read(tmp_path: Path) -> None:
    text = """
never = ["photo"]
confusable = [["wolf", "husky"]]
margin = 0.25
[rename]
sofa = "couch"
"""
    rules = read(tmp_path, text)
    assert rules == LabelRules({"sofa": "couch"}, ("photo",), (("wolf", "husky"),), 0.25)
    assert rules.names() == ["sofa", "photo", "wolf", "husky"]


def test_one_rule_is_enough(tmp_path: Path) -> None:
    assert read(tmp_path, 'never = ["photo"]') == LabelRules(never=("photo",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "say nothing; they have"),
        ('nevr = ["a"]', "say 'nevr'; they have"),
        ('never = "photo"', "never is a list"),
        ("never = [1]", "never has names of concepts"),
        ('never = [" "]', "never has names of concepts"),
        ('confusable = ["wolf", "husky"]', "confusable is a list"),
        ('confusable = [["wolf"]]', "confusable has a list of 2 names or more"),
        ('rename = ["a"]', "rename is a table"),
        ("[rename]\nsofa = 3", "rename has names of concepts"),
        ("[rename.sofa]\nof = 'x'", "rename has names of concepts"),
        ('margin = "much"', "margin is a number from 0 to 1"),
        ("margin = true", "margin is a number from 0 to 1"),
        ("margin = nan", "margin is a number from 0 to 1"),
        ("margin = 2", "margin is a number from 0 to 1"),
        ('[rename]\nsofa = "couch"\ncouch = "seat"', "'couch' is renamed, and others are renamed"),
        ('[rename]\nsofa = "sofa"', "'sofa' is renamed, and others are renamed"),
        ('never = ["couch"]\n[rename]\nsofa = "couch"', "'couch' is in never and in rename"),
        ('never = ["sofa"]\n[rename]\nsofa = "couch"', "'sofa' is in never and in rename"),
        ("never = [", "cannot read rules"),
        ("never = " + "[" * 20_000, "nested too deeply"),
        ("margin = " + "9" * 10_000, "cannot read rules"),
    ],
)
def test_what_is_no_rule_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SourceError, match=said) as caught:
        read(tmp_path, text)
    assert "rules.toml" in str(caught.value)
    assert len(str(caught.value)) < 600


def test_files_that_are_no_text_or_not_there_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    with pytest.raises(SourceError, match="No such file"):
        read_rules(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(SourceError, match="cannot read rules"):
        read_rules(path)
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(SourceError, match="larger than 1 MB"):
        read_rules(path)
