"""Tables of a recipe: `[[table]]`, its columns, its rows, and the expected results.

    [[table]]
    name = "zero-shot"                       # also the name of its picture
    title = "Zero-shot recognition"
    about = "..."                            # a text under the title
    columns = [
      { title = "top-1", metric = "top1" },  # defaults: split = "all", of = ""
      { title = "AP50, novel", metric = "AP50", split = "novel", of = "rpn" },
    ]
    [[table.row]]
    name = "student"
    step = "student"                         # a step whose artifact is metrics
    steps = { rpn = "student, RPN boxes" }   # the steps of columns with `of`
    expect = [{ above = "teacher", on = "AP50, novel", by = 3.0 }]
    tried = "..."                            # shown if an expectation is not met

An expectation names another row of the table (`above`, `below` or `same_as`), a column (default:
the first) and the least difference in points (per cent), for `same_as` the largest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass as checked

from schemas.errors import SourceError

_STRICT = ConfigDict(extra="forbid")


@checked(frozen=True, config=_STRICT)
class MetricColumn:
    """A column: one metric of the evaluation of each row."""

    title: str
    metric: str
    split: str = "all"
    of: str = ""


@checked(frozen=True, config=_STRICT)
class Expectation:
    """The expected relation of a row to another row of its table."""

    above: str | None = None
    below: str | None = None
    same_as: str | None = None
    on: str | None = None
    by: float = 0.0

    @property
    def kind(self) -> str:
        """Which of above, below and same_as is given."""
        return next((kind for kind in _KINDS if getattr(self, kind)), "")

    @property
    def other(self) -> str:
        """Name of the other row."""
        return str(getattr(self, self.kind))


_KINDS = ("above", "below", "same_as")


@checked(frozen=True, config=_STRICT)
class TableRow:
    """A row: its step, and further steps by the `of` of their columns."""

    name: str
    step: str | None = None
    steps: dict[str, str] = field(default_factory=dict)
    expect: tuple[Expectation, ...] = ()
    tried: str = ""

    def step_of(self, column: MetricColumn) -> str | None:
        """The step whose metrics are in a column; None if the cell is empty."""
        return self.steps.get(column.of) if column.of else self.step


@dataclass(frozen=True)
class TableSpec:
    """A table of the report: its columns and rows."""

    name: str
    title: str
    about: str
    columns: tuple[MetricColumn, ...]
    rows: tuple[TableRow, ...]

    def steps(self) -> set[str]:
        """Names of all steps whose metrics it has."""
        return {step for _, steps in self.steps_by_row() for step in steps}

    def steps_by_row(self) -> list[tuple[str, set[str]]]:
        """The name of each row, with the names of the steps whose metrics it has."""
        return [
            (row.name, {step for c in self.columns if (step := row.step_of(c))})
            for row in self.rows
        ]

    def column(self, title: str | None) -> MetricColumn:
        """The column with a title; the first for None."""
        return next(c for c in self.columns if title in (None, c.title))


@checked(frozen=True, config=_STRICT)
class _TableEntry:
    name: str
    title: str
    columns: tuple[MetricColumn, ...]
    row: tuple[TableRow, ...]
    about: str = ""


def read_table_spec(written: dict[str, Any], location: str) -> TableSpec:
    """The table of a `[[table]]` whose placeholders are replaced.

    Raises:
        SourceError: If a key is missing or unknown, or a named row or column does not exist.
    """
    try:
        entry = TypeAdapter(_TableEntry).validate_python(written)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceError(f"{location}: {where}: {first['msg']}") from None
    if not entry.columns or not entry.row:
        raise SourceError(f"{location}: a table needs at least one column and one row")
    table = TableSpec(entry.name, entry.title, entry.about.strip(), entry.columns, entry.row)
    _check(table, location)
    return table


def _check(table: TableSpec, location: str) -> None:
    names = [row.name for row in table.rows]
    titles = [column.title for column in table.columns]
    for kind, texts in (("rows", names), ("columns", titles)):
        if len(set(texts)) < len(texts):
            raise SourceError(f"{location}: several {kind} have the same name")
    for row in table.rows:
        for expected in row.expect:
            other = expected.other if expected.kind else ""
            if other not in names or other == row.name:
                raise SourceError(
                    f"{location}: row '{row.name}' expects a relation to '{other}'; give above, "
                    f"below or same_as with another row: {', '.join(names)}"
                )
            if expected.on is not None and expected.on not in titles:
                raise SourceError(
                    f"{location}: row '{row.name}' expects a relation on '{expected.on}', which "
                    f"is not a column; there are {', '.join(titles)}"
                )
