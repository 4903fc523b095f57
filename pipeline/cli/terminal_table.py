"""Layout of a table on a terminal: one line per row, numbers uncut, middle columns left out."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from collections.abc import Sequence

_GAP: Final = 3  # characters between two columns
_MIN_TEXT: Final = 16  # narrower texts are not readable: then columns are left out
_MAX_TEXT: Final = 40  # width of a text at most, if columns are left out
_VERTICAL_ROWS: Final = 3  # so few rows are printed vertically if their columns do not fit
_CUT_NUMBER: Final = re.compile(r"(?<![\w.])[-+]?\d[-+.\de]*$")  # the start of a number


@dataclass(frozen=True)
class TextColumn:
    """A column of a table: its name, its values as text, and the values that must not be cut."""

    name: str
    cells: list[str]
    uncut: Sequence[str] = ()

    @cached_property
    def min_width(self) -> int:
        """Width of the widest value that must not be cut, such as a number."""
        return max(map(cell_len, self.uncut), default=0)

    @cached_property
    def full_width(self) -> int:
        """Width of the widest value, or of the name."""
        return max(map(cell_len, [self.name, *self.cells]))

    def width(self, max_text: int) -> int:
        """Width of the column if texts are cut to `max_text`."""
        return max(self.min_width, min(self.full_width, max_text))


def _terminal_width() -> int:
    from rich.console import Console

    return Console().width if sys.stdout.isatty() else 200


def print_table(columns: list[TextColumn]) -> int:
    """Print a table, one line per row; return how many columns were left out.

    If the columns do not fit, those in the middle are left out. A few rows are printed vertically
    instead: one line per value.
    """
    width = _terminal_width()
    max_text, num_rows = _max_text_width(columns, width), len(columns[0].cells)
    if max_text:
        _print(columns, max_text)
    elif 0 < num_rows <= _VERTICAL_ROWS:
        vertical = _vertical(columns)
        max_text = _max_text_width(vertical, width) or _MIN_TEXT
        _print(vertical, max_text, rule_every=len(columns))
    else:
        outer = _outer_columns(columns, width)
        _print(outer, min(_max_text_width(outer, width) or _MIN_TEXT, _MAX_TEXT))
        return len(columns) - len(outer) + 1
    return 0


def _max_text_width(columns: Sequence[TextColumn], width: int) -> int | None:
    """The largest width of texts with which all columns fit; None if it is below `_MIN_TEXT`."""
    widths = range(width, _MIN_TEXT - 1, -1)
    return next((n for n in widths if _total_width(columns, n) <= width), None)


def _total_width(columns: Sequence[TextColumn], max_text: int) -> int:
    return sum(column.width(max_text) for column in columns) + _GAP * (len(columns) - 1)


def _outer_columns(columns: list[TextColumn], width: int) -> list[TextColumn]:
    """As many of the first and last columns as fit, with a column "…" between them."""
    gap = TextColumn("…", ["…"] * len(columns[0].cells))
    outer = [columns[0], gap]
    for num in range(2, len(columns)):
        more = [*columns[: (num + 1) // 2], gap, *columns[len(columns) - num // 2 :]]
        if _total_width(more, _MIN_TEXT) > width:
            break
        outer = more
    return outer


def _vertical(columns: list[TextColumn]) -> list[TextColumn]:
    """Two columns, names and values, with one line per value, row after row."""
    rows = zip(*(column.cells for column in columns), strict=True)
    names = [column.name for column in columns] * len(columns[0].cells)
    uncut = [text for column in columns for text in column.uncut]
    return [TextColumn("", names), TextColumn("", [text for row in rows for text in row], uncut)]


def _print(columns: list[TextColumn], max_text: int, rule_every: int = 0) -> None:
    """Print a table with texts cut to `max_text`; with `rule_every` it has rules and no header."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False, header_style="bold", show_header=not rule_every)
    widths = [column.width(max_text) for column in columns]
    for column, width in zip(columns, widths, strict=True):
        table.add_column(_cut(column.name, width), no_wrap=True, width=width)
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True), 1):
        ruled = bool(rule_every) and number % rule_every == 0
        table.add_row(*map(_cut, row, widths), end_section=ruled)
    total = max(_total_width(columns, max_text), 1)  # uncut even if wider than the terminal
    Console(width=total, markup=False, emoji=False, highlight=False).print(table)


def _cut(text: str, width: int) -> str:
    """A text cut to a width; in a list or struct, no number is cut in two."""
    if cell_len(text) <= width:
        return text
    kept = set_cell_size(text, width - 1)
    return (_CUT_NUMBER.sub("", kept) if text.startswith(("[", "{")) else kept).rstrip() + "…"
