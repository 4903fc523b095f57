"""What a recipe compares: `[[table]]`, its columns, its rows, and what is expected of them.

    [[table]]
    name = "zero-shot"                       # also the name of its picture
    title = "Zero-shot recognition"
    about = "..."                            # what it is, under the title
    columns = [
      { title = "top-1", metric = "top1" },  # split = "all", of = "" if not given
      { title = "AP50, novel", metric = "AP50", split = "novel", of = "rpn" },
    ]
    [[table.row]]
    name = "student"
    step = "student"                         # a step whose artifact is metrics
    steps = { rpn = "student, RPN boxes" }   # the steps of columns with `of`
    expect = [{ above = "teacher", on = "AP50, novel", by = 3.0 }]
    tried = "..."                            # said where an expectation is not met

An expectation names another row of the table (`above`, `below` or `same_as`), a column (the
first, if none) and points (100 = everything right) by which it must be at least, or at most for
`same_as`.
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
    """One number of a metrics artifact, for every row."""

    title: str
    metric: str
    split: str = "all"
    of: str = ""


@checked(frozen=True, config=_STRICT)
class Expectation:
    """How a row should stand to another one of its table."""

    above: str | None = None
    below: str | None = None
    same_as: str | None = None
    on: str | None = None
    by: float = 0.0

    @property
    def kind(self) -> str:
        """Which of above, below and same_as was said."""
        return next((kind for kind in _KINDS if getattr(self, kind)), "")

    @property
    def other(self) -> str:
        """The row it names."""
        return str(getattr(self, self.kind))


_KINDS = ("above", "below", "same_as")


@checked(frozen=True, config=_STRICT)
class Row:
    """One thing that is compared: its steps by the `of` of their columns."""

    name: str
    step: str | None = None
    steps: dict[str, str] = field(default_factory=dict)
    expect: tuple[Expectation, ...] = ()
    tried: str = ""

    def step_of(self, column: MetricColumn) -> str | None:
        """The step whose metrics fill a column; None where it stays empty."""
        return self.steps.get(column.of) if column.of else self.step


@dataclass(frozen=True)
class TableSpec:
    """A table of the report: columns by rows."""

    name: str
    title: str
    about: str
    columns: tuple[MetricColumn, ...]
    rows: tuple[Row, ...]

    def steps(self) -> set[str]:
        """Names of all steps whose metrics it shows."""
        asked = (row.step_of(column) for row in self.rows for column in self.columns)
        return {step for step in asked if step}

    def column(self, title: str | None) -> MetricColumn:
        """The column of a title; the first for None."""
        return next(c for c in self.columns if title in (None, c.title))


@checked(frozen=True, config=_STRICT)
class _TableEntry:
    name: str
    title: str
    columns: tuple[MetricColumn, ...]
    row: tuple[Row, ...]
    about: str = ""


def read_comparison(written: dict[str, Any], place: str) -> TableSpec:
    """What a filled-in `[[table]]` asks for.

    Raises:
        SourceError: If a key is missing or unknown, or a row or column that is named not there.
    """
    try:
        known = TypeAdapter(_TableEntry).validate_python(written)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceError(f"{place}: {where}: {first['msg']}") from None
    if not known.columns or not known.row:
        raise SourceError(f"{place}: a table needs a column and a row at least")
    found = TableSpec(known.name, known.title, known.about.strip(), known.columns, known.row)
    _check(found, place)
    return found


def _check(found: TableSpec, place: str) -> None:
    names = [row.name for row in found.rows]
    titles = [column.title for column in found.columns]
    for kind, words in (("rows", names), ("columns", titles)):
        if len(set(words)) < len(words):
            raise SourceError(f"{place}: several {kind} have one name")
    for row in found.rows:
        for one in row.expect:
            if not one.kind or one.other not in names or one.other == row.name:
                raise SourceError(
                    f"{place}: row '{row.name}' expects something of '{one.other}'; say above, "
                    f"below or same_as and another row: {', '.join(names)}"
                )
            if one.on is not None and one.on not in titles:
                raise SourceError(
                    f"{place}: row '{row.name}' expects something on '{one.on}', which is no "
                    f"column; there are {', '.join(titles)}"
                )
