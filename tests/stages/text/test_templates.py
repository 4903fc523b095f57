from __future__ import annotations

import pytest

from schemas.errors import SourceError
from stages.text.templates import clean, fill, read_templates


def test_the_paper_has_81_templates_with_one_hole_each() -> None:
    templates = read_templates("paper")
    assert len(templates) == len(set(templates)) == 81
    assert templates[0] == "{}."
    assert "itap of a {}." in templates
    assert all(template.count("{}") == 1 for template in templates)


def test_plain_is_one_template() -> None:
    assert read_templates("plain") == ("a photo of a {}.",)


def test_a_file_has_one_template_per_line(tmp_path) -> None:
    path = tmp_path / "mine.txt"
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
def test_a_file_without_holes_is_refused(tmp_path, content, message) -> None:
    (tmp_path / "bad.txt").write_text(content, "utf-8")
    with pytest.raises(SourceError, match=message):
        read_templates(str(tmp_path / "bad.txt"))


def test_a_missing_file_is_a_sentence() -> None:
    with pytest.raises(SourceError, match=r"no prompt templates in none\.txt .*give paper, plain"):
        read_templates("none.txt")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("traffic light", "traffic light"),
        ("flower_pot", "flower pot"),
        ("salt+pepper", "salt pepper"),
        ("knife, large", "knife large"),
        ("c++", "c  "),
    ],
)
def test_a_name_is_cleaned_as_the_reference_does(name, wanted) -> None:
    assert clean(name) == wanted


def test_braces_in_a_name_are_no_holes() -> None:
    assert fill("a {}.", "{}x{0}") == "a {}x{0}."
