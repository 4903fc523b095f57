"""How a table is laid out on a terminal: a row a line, numbers whole, the middle gives way."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from rich.cells import cell_len, set_cell_size

if TYPE_CHECKING:
    from collections.abc import Sequence

_BETWEEN: Final = 3  # signs between two columns
_NARROW: Final = 16  # signs a text keeps; rather than less, columns give way
_WIDE: Final = 40  # signs a text has at most where columns gave way
_FEW: Final = 3  # rows whose values are put below each other if they do not fit beside each other
_BROKEN: Final = re.compile(r"(?<![\w.])[-+]?\d[-+.\de]*$")  # the start of a number in a list


@dataclass(frozen=True)
class TextColumn:
    """A column of a table: its name, its values as text, and those that may not be cut."""

    name: str
    cells: list[str]
    whole: Sequence[str] = ()

    @cached_property
    def needed(self) -> int:
        """Signs of the widest value that is no text, such as a number."""
        return max(map(cell_len, self.whole), default=0)

    @cached_property
    def wanted(self) -> int:
        """Signs of the widest value, or of the name."""
        return max(map(cell_len, [self.name, *self.cells]))

    def width(self, most: int) -> int:
        """Signs it takes where a text may take `most`."""
        return max(self.needed, min(self.wanted, most))


def _room() -> int:
    from rich.console import Console

    return Console().width if sys.stdout.isatty() else 200


def show(columns: list[TextColumn]) -> int:
    """Print columns beside each other, a row a line; how many of them gave way to others.

    Those in the middle give way; of a few rows none does, their values are put below each other.
    """
    room = _room()
    most, num_rows = _most(columns, room), len(columns[0].cells)
    if most:
        _draw(columns, most)
    elif 0 < num_rows <= _FEW:
        below = _below(columns)
        _draw(below, _most(below, room) or _NARROW, rule_every=len(columns))
    else:
        ends = _ends(columns, room)
        _draw(ends, min(_most(ends, room) or _NARROW, _WIDE))
        return len(columns) - len(ends) + 1
    return 0


def _most(columns: Sequence[TextColumn], room: int) -> int | None:
    """Signs a text may take for all columns to fit; None if not even narrow texts do."""
    return next((n for n in range(room, _NARROW - 1, -1) if _total(columns, n) <= room), None)


def _total(columns: Sequence[TextColumn], most: int) -> int:
    return sum(column.width(most) for column in columns) + _BETWEEN * (len(columns) - 1)


def _ends(columns: list[TextColumn], room: int) -> list[TextColumn]:
    """As many of the first and last columns as fit, and one that stands for those between."""
    gap = TextColumn("…", ["…"] * len(columns[0].cells))
    found = [columns[0], gap]
    for num in range(2, len(columns)):
        more = [*columns[: (num + 1) // 2], gap, *columns[len(columns) - num // 2 :]]
        if _total(more, _NARROW) > room:
            break
        found = more
    return found


def _below(columns: list[TextColumn]) -> list[TextColumn]:
    """Two columns, of names and of values, row after row."""
    rows = zip(*(column.cells for column in columns), strict=True)
    names = [column.name for column in columns] * len(columns[0].cells)
    whole = [text for column in columns for text in column.whole]
    return [TextColumn("", names), TextColumn("", [text for row in rows for text in row], whole)]


def _draw(columns: list[TextColumn], most: int, rule_every: int = 0) -> None:
    """Print a table in which texts take up to `most` signs; with rules, it has no header."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(show_edge=False, pad_edge=False, header_style="bold", show_header=not rule_every)
    widths = [column.width(most) for column in columns]
    for column, width in zip(columns, widths, strict=True):
        shown.add_column(_cut(column.name, width), no_wrap=True, width=width)
    for number, row in enumerate(zip(*(column.cells for column in columns), strict=True), 1):
        ruled = bool(rule_every) and number % rule_every == 0
        shown.add_row(*map(_cut, row, widths), end_section=ruled)
    wide = max(_total(columns, most), 1)  # a number wider than the terminal is not cut either
    Console(width=wide, markup=False, emoji=False, highlight=False).print(shown)


def _cut(text: str, width: int) -> str:
    """A text on so many signs; of numbers in a list, those that are there are whole."""
    if cell_len(text) <= width:
        return text
    kept = set_cell_size(text, width - 1)
    return (_BROKEN.sub("", kept) if text.startswith(("[", "{")) else kept).rstrip() + "…"
