"""Rows of a table: CSV, TSV, JSON lines or Parquet, streamed; a row that cannot be read is told.

A CSV has quotes (RFC 4180). A TSV has none: a cell is what stands between two tabs. A CSV whose
header is separated by tabs, semicolons or bars is recognised by that header. A table whose first
row names an image file has no header.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from itertools import chain, islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple

from schemas.errors import SourceError
from stages.sources.files import foreign, is_image, open_file
from stages.sources.json_tables import BadRow, SourceRow, image_rows, json_rows
from stages.sources.parquet_rows import open_parquet
from stages.sources.parquet_tables import parquet_rows
from stages.sources.size_limits import allowed
from stages.sources.table_columns import (
    CAPTION_COLUMNS,
    IMAGE_COLUMNS,
    KEY_COLUMNS,
)
from stages.sources.table_encoding import text_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

__all__ = [
    "BadRow",
    "Cells",
    "SourceRow",
    "columns_without_header",
    "fitted",
    "json_rows",
    "separated_rows",
    "suffix_of",
    "table_columns",
    "table_rows",
    "unique_columns",
]

TABLE_SUFFIXES: Final = (".csv", ".tsv", ".jsonl", ".parquet")
KNOWN_NAMES: Final = frozenset((*CAPTION_COLUMNS, *IMAGE_COLUMNS, *KEY_COLUMNS, "split"))
_DELIMITERS: Final = (",", "\t", ";", "|")
_NUMBERED: Final = re.compile(r"#\w+$")  # Flickr's `1.jpg#0`: caption 0 of 1.jpg
_LONGEST_FIELD: Final = 1 << 24  # csv refuses fields over 131,072 characters by default
_LONGEST_QUOTE: Final = 1000  # lines; what is longer is a quote that nobody closed
_HEAD_ROWS: Final = 100
_ADVICE: Final = "give it in UTF-8 and in the format that its suffix says, or leave it out"


class Cells(NamedTuple):
    """The cells of a row of a text table, and the line where it begins."""

    number: int
    cells: list[str]


def table_rows(uri: str, also: Sequence[str] = ()) -> Iterator[SourceRow | BadRow]:
    """Rows of a CSV, TSV, JSON, JSONL or Parquet table in their order; blank lines are no rows.

    Args:
        uri: The table; `.txt` is separated as its header is. Text may be gzipped.
        also: Columns that the user named; of Parquet, only these and columns with a usual name
            for captions, images, keys and splits are read.

    Raises:
        SourceError: If the table cannot be opened, has no header, or is in another format or
            encoding than its suffix says.
    """
    suffix = suffix_of(uri)
    with open_file(uri) as file, foreign(f"the table {uri}", _ADVICE):
        if suffix == ".parquet":
            yield from parquet_rows(file, uri, KNOWN_NAMES | {n.strip().lower() for n in also})
        elif suffix in (".jsonl", ".ndjson"):
            yield from json_rows(file, uri)
        elif suffix == ".json":
            yield from image_rows(file, uri)
        else:
            yield from _named_rows(file, uri, suffix)


def table_columns(uri: str) -> tuple[str, ...]:
    """Names of the columns; of JSON, those of the first 100 rows.

    Raises:
        SourceError: As `table_rows` does.
    """
    with open_file(uri) as file, foreign(f"the table {uri}", _ADVICE):
        if suffix_of(uri) == ".parquet":
            return tuple(open_parquet(uri, file).schema_arrow.names)
        if suffix_of(uri) not in (".jsonl", ".ndjson", ".json"):
            return _header(_text_rows(file, uri, suffix_of(uri)), uri)[0]
    head = (row for row in islice(table_rows(uri), _HEAD_ROWS) if isinstance(row, SourceRow))
    return tuple(dict.fromkeys(name for row in head for name in row.values))


def suffix_of(uri: str) -> str:
    """The suffix that tells the format, in lower case, `.gz` removed."""
    path = PurePosixPath(uri)
    return PurePosixPath(path.stem if path.suffix.lower() == ".gz" else path.name).suffix.lower()


def separated_rows(lines: Iterable[str], suffix: str) -> Iterator[Cells | BadRow]:
    r"""Rows of a CSV, or of a TSV or text; the first line tells what separates cells.

    >>> list(separated_rows(['image;caption', 'a.jpg;"a;b"'], ".csv"))[1].cells
    ['a.jpg', 'a;b']
    >>> list(separated_rows(['a.jpg\t"never closed'], ".tsv"))[0].cells
    ['a.jpg', '"never closed']
    """
    lines = iter(lines)
    first = next((line for line in lines), None)
    if first is None:
        return
    delimiter = _delimiter(first, suffix)
    numbered = enumerate(chain([first], lines), 1)
    if delimiter == "\t" and suffix != ".csv":
        for number, line in numbered:
            if line.strip():
                yield Cells(number, line.rstrip("\r\n").split("\t"))
    else:
        yield from _quoted_rows(numbered, delimiter)


def fitted(row: Cells, width: int) -> Cells | BadRow:
    """The row, if it has as many cells as there are columns, empty ones at its end aside."""
    cells = row.cells
    if len(cells) > width and not any(cell.strip() for cell in cells[width:]):
        cells = cells[:width]
    if len(cells) == width:
        return Cells(row.number, cells)
    return BadRow(
        row.number, f"line {row.number} has {len(cells)} cells, but there are {width} columns"
    )


def unique_columns(cells: Sequence[str]) -> tuple[str, ...]:
    """Names in a header, each once: one that is repeated gets a number.

    >>> unique_columns(["image", "caption", "caption"])
    ('image', 'caption', 'caption.1')
    """
    names: list[str] = []
    for cell in cells:
        name, number = cell.strip(), 0
        while name in names:
            number += 1
            name = f"{cell.strip()}.{number}"
        names.append(name)
    return tuple(names)


def columns_without_header(cells: Sequence[str]) -> tuple[str, ...] | None:
    """Columns of a table whose first row is one of data: it has one cell that names an image file.

    The only other cell that is no number holds the caption. None if the row is a header.

    >>> columns_without_header(["1.jpg#0", "a dog"]), columns_without_header(["image", "caption"])
    (('image', 'caption'), None)
    >>> columns_without_header(["1.jpg", "0", "a dog"])
    ('image', '1', 'caption')
    """
    images = [n for n, cell in enumerate(cells) if is_image(_NUMBERED.sub("", cell.strip()))]
    others = [n for n, cell in enumerate(cells) if n not in images and not cell.strip().isdecimal()]
    if len(images) != 1 or len(cells) < 2:
        return None
    names = {images[0]: "image"} | ({others[0]: "caption"} if len(others) == 1 else {})
    return tuple(names.get(number, str(number)) for number in range(len(cells)))


def _text_rows(file: BinaryIO, uri: str, suffix: str) -> Iterator[Cells | BadRow]:
    return separated_rows(text_lines(file, uri), suffix)


def _header(rows: Iterator[Cells | BadRow], uri: str) -> tuple[tuple[str, ...], Cells | None]:
    """Names of the columns, and the first row, if that is one of data."""
    first = next(rows, None)
    if first is None:
        return (), None
    if isinstance(first, BadRow):
        raise SourceError(f"the header of {uri} cannot be read: {first.detail}")
    cells = first.cells
    while cells and not cells[-1].strip():
        cells = cells[:-1]
    names = columns_without_header(cells)
    return (unique_columns(cells), None) if names is None else (names, first)


def _named_rows(file: BinaryIO, uri: str, suffix: str) -> Iterator[SourceRow | BadRow]:
    rows = _text_rows(file, uri, suffix)
    names, first = _header(rows, uri)
    if first is not None:
        rows = chain([first], rows)
    yield from fitted_rows(rows, names)


def fitted_rows(
    rows: Iterable[Cells | BadRow], names: Sequence[str]
) -> Iterator[SourceRow | BadRow]:
    """Rows with a cell for each name; a row of missing or extra cells is a bad one."""
    for row in rows:
        whole = fitted(row, len(names)) if isinstance(row, Cells) else row
        if isinstance(whole, BadRow):
            yield whole
        else:
            yield SourceRow(whole.number, dict(zip(names, whole.cells, strict=True)))


def _delimiter(header: str, suffix: str) -> str:
    """What separates the names in a header: the one that gives most usual names."""
    usual = "," if suffix == ".csv" else "\t"

    def rank(delimiter: str) -> tuple[int, int, bool]:
        names = [cell.strip().strip('"').lower() for cell in header.split(delimiter)]
        known = sum(name in KNOWN_NAMES for name in names) if len(names) > 1 else 0
        return known, len(names), delimiter == usual

    best = max(_DELIMITERS, key=rank)
    # the first line of a text without header may have any signs in it
    return best if suffix == ".csv" or rank(best)[0] > 1 else usual


def _quoted_rows(numbered: Iterator[tuple[int, str]], delimiter: str) -> Iterator[Cells | BadRow]:
    csv.field_size_limit(allowed(_LONGEST_FIELD))
    again: deque[tuple[int, str]] = deque()  # lines that an unclosed quote took are read once more

    def take() -> tuple[int, str] | None:
        return again.popleft() if again else next(numbered, None)

    while line := take():
        number, text = line
        taken: list[tuple[int, str]] = []
        cells = _cells(text, delimiter)
        is_open = cells is None and _is_open(text, delimiter)
        while is_open and _may_grow(text, taken) and (more := take()):
            taken.append(more)
            text += more[1]
            if more[1].count('"') % 2:  # only such a line can close the quote
                cells = _cells(text, delimiter)
                is_open = cells is None and _is_open(text, delimiter)
        if cells:
            yield Cells(number, cells)
        elif cells is None:
            again.extendleft(reversed(taken))
            fault = "a quote that is not closed" if is_open else "text after a closing quote"
            yield BadRow(
                number, f"line {number} has {fault}; a quote inside quotes is written twice"
            )


def _may_grow(text: str, taken: Sequence[object]) -> bool:
    return len(taken) < allowed(_LONGEST_QUOTE) and len(text) < allowed(_LONGEST_FIELD)


def _cells(text: str, delimiter: str) -> list[str] | None:
    """The cells of one row; none for a blank line; None if its quotes are wrong."""
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


def _is_open(text: str, delimiter: str) -> bool:
    return _cells(text + '"', delimiter) is not None
