from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from stages.text.templates import clean_name, fill_template, read_templates

if TYPE_CHECKING:
    from pathlib import Path


def test_paper_is_81_templates_with_one_placeholder_each() -> None:
    templates = read_templates("paper")
    assert len(templates) == len(set(templates)) == 81
    assert templates[0] == "{}."
    assert "itap of a {}." in templates
    assert all(template.count("{}") == 1 for template in templates)


def test_plain_is_one_template() -> None:
    assert read_templates("plain") == ("a photo of a {}.",)


def test_a_file_has_one_template_per_line(tmp_path: Path) -> None:
    path = tmp_path / "templates.txt"
    path.write_text("a {} here\n\n  the {}.  \n", "utf-8")
    assert read_templates(str(path)) == ("a {} here", "the {}.")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("\n \n", "it has no line"),
        ("a photo\n", r"'a photo' does not have exactly one \{\}"),
        ("{} and {}\n", "'{} and {}' does not have exactly one"),
    ],
)
def test_a_file_with_an_invalid_line_or_none_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    (tmp_path / "bad.txt").write_text(content, "utf-8")
    with pytest.raises(SourceError, match=message):
        read_templates(str(tmp_path / "bad.txt"))


def test_a_missing_file_is_refused_with_the_alternatives() -> None:
    with pytest.raises(SourceError, match=r"no prompt templates in none\.txt .*give paper, plain"):
        read_templates("none.txt")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("traffic light", "traffic light"),
        ("flower_pot", "flower pot"),
        ("salt+pepper", "salt pepper"),
        ("knife, large", "knife large"),
        ("c++", "c  "),
    ],
)
def test_a_name_is_cleaned_as_the_reference_does(name: str, expected: str) -> None:
    assert clean_name(name) == expected


def test_braces_in_a_name_are_not_placeholders() -> None:
    assert fill_template("a {}.", "{}x{0}") == "a {}x{0}."


@pytest.mark.parametrize("content", ["a {} " + "x" * 1000, "a {}.\n" * 200_000])
def test_templates_longer_than_any_prompt_are_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "t.txt").write_text(content)
    with pytest.raises(
        SourceError, match="more than 1,048,576 bytes, or a line of more than 1,000"
    ):
        read_templates(str(tmp_path / "t.txt"))
