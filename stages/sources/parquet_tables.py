"""Rows of a table in Parquet, of which a few bytes can unpack to more than a machine can hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from schemas.errors import SourceError
from stages.sources.files import error_line, size_of
from stages.sources.json_tables import BadRow, SourceRow
from stages.sources.parquet_rows import open_parquet, read_values
from stages.sources.size_limits import allowed
from stages.sources.table_columns import caption_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import BinaryIO

_MOST_TIMES: Final = 100  # that the texts may be longer than the file, from here on:
_SMALL_TEXT: Final = 64 << 20  # characters
_SMALL_ROWS: Final = 1_000_000  # from here on, a row has a byte at least


def parquet_rows(file: BinaryIO, uri: str, wanted: Collection[str]) -> Iterator[SourceRow | BadRow]:
    """Rows in their order, with the columns of captions and those that are wanted.

    Args:
        file: The table, open.
        uri: Its name.
        wanted: Names of columns in lower case.

    Raises:
        SourceError: If it is no Parquet, or unpacks to more than a table of captions does.
    """
    names = tuple(open_parquet(uri, file).schema_arrow.names)
    captions = caption_columns(names)
    columns = [name for name in names if name.lower() in wanted or name in captions]
    groups = range(open_parquet(uri, file).num_row_groups)
    size, text = size_of(uri), 0
    longest = max(_SMALL_TEXT, _MOST_TIMES * size)
    for number, row in enumerate(read_values(uri, file, groups, columns, most=1000), 1):
        text += 0 if isinstance(row, Exception) else sum(map(_characters, row.values()))
        if number > allowed(max(_SMALL_ROWS, size)) or text > allowed(longest):
            raise SourceError(
                f"the {size:,} bytes of {uri} unpack to more than {number:,} rows of {text:,} "
                "characters: no table of captions does, see --size-limits"
            )
        if isinstance(row, Exception):
            yield BadRow(number, f"row {number} cannot be read: {error_line(row)}")
        else:
            yield SourceRow(number, row)


def _characters(cell: object) -> int:
    """The length of the texts in a cell."""
    if isinstance(cell, str | bytes):
        return len(cell)
    items = cell.values() if isinstance(cell, dict) else cell if isinstance(cell, list) else ()
    return sum(map(_characters, items))
