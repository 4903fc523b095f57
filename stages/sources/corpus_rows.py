"""Rows of one file of a caption corpus, with or without a header, and which columns to read.

A TSV or text without header is read too: its columns have numbers, counted from 0, and the one
with most words holds the captions. All of a JSON document is read at once; other files stream.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SourceError
from stages.sources.files import open_file
from stages.sources.json_tables import document_rows
from stages.sources.table_columns import (
    CAPTION_COLUMNS,
    KEY_COLUMNS,
    caption_columns,
    caption_remarks,
    find_column,
    listed,
    named_column,
    no_captions,
)
from stages.sources.table_encoding import text_lines
from stages.sources.table_rows import (
    KNOWN_NAMES,
    BadRow,
    Cells,
    SourceRow,
    fitted_rows,
    json_rows,
    separated_rows,
    suffix_of,
    table_columns,
    table_rows,
    unique_columns,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

SUFFIXES: Final = (".tsv", ".txt", ".csv", ".jsonl", ".ndjson", ".json", ".parquet")
_HEAD_ROWS: Final = 100  # read first, to find the caption column of a text without header
_NO_CAPTIONS: Final = frozenset(("caption", "captions", "filename", "filepath", "url"))
_WORD: Final = re.compile(r"\W*[^\W\d_]+(?:['\u2019-][^\W\d_]+)*\W*")


@dataclass(frozen=True)
class CorpusRows:
    """A file of captions, opened.

    Attributes:
        names: Of the columns; of JSON lines, of the first 100 rows; numbers if there is no header.
        captions: Columns that hold captions.
        key: Column that says which captions belong together; None if there is none.
        remarks: Sentences on the choice of the columns.
        rows: What is to come.
    """

    names: tuple[str, ...]
    captions: tuple[str, ...]
    key: str | None
    remarks: tuple[str, ...]
    rows: Iterator[SourceRow | BadRow]


@contextmanager
def opened(file: Path, caption: str | None, key: str | None) -> Iterator[CorpusRows]:
    """Open a file of captions and choose its columns.

    Args:
        file: Its suffix, `.gz` aside, is one of `SUFFIXES`.
        caption: Column of the captions: name, or number from 0; None: by its name, or by words.
        key: Column of the key, likewise; None: by its name, else there is none.

    Raises:
        SourceError: If no column holds captions, or one that is asked for is not there.
    """
    suffix = suffix_of(str(file))
    wanted = [name for name in (caption, key) if name is not None]
    if suffix == ".parquet":
        names = table_columns(str(file))
        with closing(_closable(table_rows(str(file), _named(names, wanted)))) as rows:
            yield _with_columns(file.name, names, rows, caption, key)
        return
    with open_file(str(file)) as stream:
        if suffix in (".jsonl", ".ndjson", ".json"):
            read = document_rows if suffix == ".json" else json_rows
            with closing(_closable(read(stream, file.name))) as rows:
                head = list(islice(rows, _HEAD_ROWS))
                good = [row.values for row in head if isinstance(row, SourceRow)]
                names = tuple(dict.fromkeys(name for values in good for name in values))
                rest = chain(head, rows)
                yield _with_columns(file.name, names, rest, caption, key)
        else:
            with closing(_closable(separated_rows(text_lines(stream, str(file)), suffix))) as rows:
                yield _text(file.name, suffix, rows, caption, key)


def _closable(rows: Iterator[Any]) -> Any:
    return rows  # a generator, which closes what it holds open


def _named(names: tuple[str, ...], wanted: Sequence[str]) -> list[str]:
    """Columns by name, where some are given by number."""
    return [
        names[int(name)]
        if name not in names and name.isdecimal() and int(name) < len(names)
        else name
        for name in wanted
    ]


def _with_columns(
    name: str,
    names: tuple[str, ...],
    rows: Iterator[SourceRow | BadRow],
    caption: str | None,
    key: str | None,
) -> CorpusRows:
    """A table whose columns have names: those of captions and key are chosen by them."""
    first = next(rows, None)
    if first is None:
        return CorpusRows(names, (), None, (), iter(()))
    rows = chain([first], rows)
    if caption is not None:
        (caption,) = _named(names, [caption])
    if key is not None:
        key = named_column(name, names, *_named(names, [key]))
    captions = caption_columns(names, caption)
    remarks = caption_remarks(name, names, caption)
    if not captions:
        raise SourceError(f"captions: {no_captions(name, names)}")
    return CorpusRows(names, captions, key or find_column(names, KEY_COLUMNS), tuple(remarks), rows)


def _text(
    name: str,
    suffix: str,
    rows: Iterator[Cells | BadRow],
    caption: str | None,
    key: str | None,
) -> CorpusRows:
    head = list(islice(rows, _HEAD_ROWS))
    cells = [row for row in head if isinstance(row, Cells)]
    if not cells:
        return CorpusRows((), (), None, (), fitted_rows(chain(head, rows), ("0",)))
    if isinstance(head[0], BadRow):
        raise SourceError(f"the header of {name} cannot be read: {head[0].detail}")
    header = unique_columns(cells[0].cells)
    wanted = [column for column in (caption, key) if column is not None]
    if _is_header(header, wanted) or (suffix == ".csv" and not any(map(str.isdecimal, wanted))):
        rest = (row for row in chain(head, rows) if row is not cells[0])
        return _with_columns(name, header, fitted_rows(rest, header), caption, key)
    return _without_header(name, cells, chain(head, rows), caption, key)


def _is_header(names: Sequence[str], wanted: Sequence[str]) -> bool:
    """Whether a first line names columns: one that the user gave, or enough usual names.

    A single name that could be a caption of one word, such as "text" or "title", is not enough.
    """
    lower = [name.lower() for name in names]
    if {column.strip().lower() for column in wanted} & set(lower):
        return True
    if len(names) == 1:
        return lower[0] in CAPTION_COLUMNS
    known = [name for name in lower if name in KNOWN_NAMES]
    return len(known) > 1 or any("_" in name or name in _NO_CAPTIONS for name in known)


def _without_header(
    name: str,
    cells: Sequence[Cells],
    rows: Iterator[Cells | BadRow],
    caption: str | None,
    key: str | None,
) -> CorpusRows:
    width = Counter(len(row.cells) for row in cells).most_common(1)[0][0]
    names = tuple(map(str, range(width)))
    for column in (caption, key):
        if column is not None and column not in names:
            raise SourceError(
                f"captions {name} have no column {column!r}: the first line is "
                f"{listed(cells[0].cells)}; a column can also be given by its number, counted "
                "from 0"
            )
    chosen = caption if caption is not None else _wordiest_column(cells, width)
    remarks: tuple[str, ...] = ()
    if width > 1 and caption is None:
        remarks = (
            f"the first line of {name} names no columns, so captions are read from column "
            f"{chosen}, which has most words; --caption-column decides",
        )
    return CorpusRows(names, (chosen,), key, remarks, fitted_rows(rows, names))


def _wordiest_column(rows: Iterable[Cells], width: int) -> str:
    """The column with most letters in words; names of files, addresses and numbers are none."""
    letters = [0] * width
    for row in rows:
        for index, cell in enumerate(row.cells[:width]):
            words = (word for word in cell[:10_000].split() if len(word) < 1000)
            letters[index] += sum(len(word) for word in words if _WORD.fullmatch(word))
    return str(letters.index(max(letters)))
