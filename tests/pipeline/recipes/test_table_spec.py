"""Reading a table of a recipe, and the errors of a wrong one."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.recipes.table_spec import Expectation, read_table_spec
from schemas.errors import SourceError

LOCATION = "table 1 of r.toml"


def written(**changes: Any) -> dict[str, Any]:
    return {
        "name": "zero-shot",
        "title": "Zero-shot",
        "about": "\nA text.\n",
        "columns": [
            {"title": "top-1", "metric": "top1"},
            {"title": "AP50", "metric": "AP50", "split": "novel", "of": "rpn"},
        ],
        "row": [
            {"name": "teacher", "step": "a"},
            {"name": "student", "step": "b", "steps": {"rpn": "c"}},
        ],
        **changes,
    }


def test_a_table_is_read_with_its_defaults() -> None:
    table = read_table_spec(written(), LOCATION)
    assert (table.name, table.about) == ("zero-shot", "A text.")
    assert [(c.split, c.of) for c in table.columns] == [("all", ""), ("novel", "rpn")]
    assert table.rows[0].expect == ()


def test_each_cell_has_the_step_that_its_column_names_or_none() -> None:
    table = read_table_spec(written(), LOCATION)
    steps = [[row.step_of(column) for column in table.columns] for row in table.rows]
    assert steps == [["a", None], ["b", "c"]]
    assert table.steps() == {"a", "b", "c"}


def test_a_column_is_found_by_its_title_and_the_first_is_the_default() -> None:
    table = read_table_spec(written(), LOCATION)
    assert table.column("AP50").split == "novel"
    assert table.column(None).title == "top-1"


@pytest.mark.parametrize("kind", ["above", "below", "same_as"])
def test_an_expectation_has_one_kind_and_another_row(kind: str) -> None:
    row = {"name": "student", "step": "b", "expect": [{kind: "teacher", "on": "AP50", "by": 2}]}
    table = read_table_spec(written(row=[written()["row"][0], row]), LOCATION)
    (expected,) = table.rows[1].expect
    assert (expected.kind, expected.other, expected.on, expected.by) == (kind, "teacher", "AP50", 2)


def test_an_expectation_without_a_row_has_no_kind() -> None:
    assert Expectation(by=1.0).kind == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"columns": []}, "a table needs at least one column and one row"),
        ({"row": []}, "a table needs at least one column and one row"),
        ({"title": 3}, "title: Input should be a valid string"),
        ({"colour": "red"}, "colour: Unexpected keyword argument"),
        ({"columns": [{"title": "x"}]}, "columns.0.metric: Field required"),
        ({"row": [{"name": "a"}, {"name": "a"}]}, "several rows have the same name"),
        (
            {"columns": [{"title": "x", "metric": "m"}, {"title": "x", "metric": "n"}]},
            "several columns have the same name",
        ),
    ],
)
def test_a_wrong_table_is_refused_with_its_location(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SourceError) as error:
        read_table_spec(written(**changes), LOCATION)
    assert str(error.value) == f"{LOCATION}: {message}"


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ({"above": "nobody"}, "expects a relation to 'nobody'; give above, below or same_as with"),
        ({"above": "a"}, "expects a relation to 'a'; give above, below or same_as with another"),
        ({"by": 2.0}, "expects a relation to ''; give above, below or same_as with another row"),
        (
            {"below": "b", "on": "AP75"},
            "expects a relation on 'AP75', which is not a column; there are top-1, AP50",
        ),
    ],
)
def test_an_expectation_of_an_unknown_row_or_column_is_refused(
    expect: dict[str, Any], message: str
) -> None:
    rows = [{"name": "a", "step": "s", "expect": [expect]}, {"name": "b", "step": "s"}]
    with pytest.raises(SourceError) as error:
        read_table_spec(written(row=rows), LOCATION)
    assert str(error.value).startswith(f"{LOCATION}: row 'a' {message}")
