"""Row groups of a Parquet file: where they begin, which make a part, and their rows.

A few bytes of Parquet can stand for gigabytes: a value that is written once and repeated, or pages
that unpack to thousands of times their size. So rows are read as few at a time as their largest
value demands, and a group whose columns are too large is refused.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import ChangedImageError, SourceError
from stages.sources.files import foreign, open_file, size_and_mtime
from stages.sources.parquet_columns import image_column, images_in_cell, no_image_column
from stages.sources.parquet_metadata import check_columns
from stages.sources.record import consecutive_ranges
from stages.sources.size_limits import allowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MOST_BYTES: Final = 512 << 20  # of rows in memory together, by the largest value of their columns
_MOST_GROUP_BYTES: Final = 4 << 30  # of a column of one row group, unpacked
_MOST_VALUES: Final = 1 << 26  # of a column of one row group; numbers are 8 bytes each


def open_parquet(uri: str, file: Any) -> pq.ParquetFile:
    """An open file as Parquet.

    Raises:
        SourceError: If it is none, or two of its columns have one name.
    """
    with foreign(f"{uri} as Parquet", "write it again"):
        table = pq.ParquetFile(file)
        names = Counter(table.schema_arrow.names)
        check_columns(uri, table.metadata)
    if repeated := [name for name, count in names.items() if count > 1]:
        raise SourceError(
            f"{uri} has several columns called {repeated[0]!a}; give each a name of its own"
        )
    return table


def read_values(
    uri: str, file: Any, groups: Iterable[int], columns: Sequence[str], most: int
) -> Iterator[dict[str, Any] | Exception]:
    """The rows of some groups, in Python's types; what is wrong with a row that has none.

    Args:
        uri: The file, for messages.
        file: The file, open.
        groups: Their numbers.
        columns: To read.
        most: Rows to read at once.

    Raises:
        Exception: Any, if the file is damaged, or a group is too large to be read.
    """
    table = open_parquet(uri, file)
    for group in groups:  # one at a time: Arrow cannot join all nested types over groups
        rows = rows_at_once(file, table.metadata, group, columns, most)
        for batch in table.iter_batches(rows, row_groups=[group], columns=list(columns)):
            yield from _rows_of(batch)


def rows_at_once(
    file: Any, metadata: pq.FileMetaData, group: int, columns: Sequence[str], most: int
) -> int:
    """How many rows of a group may be in memory together, 1 at least and `most` at most.

    Values that are stored once each need no more than the file says. A value of a dictionary can
    be repeated for nothing, so each row counts as the largest of them.

    Raises:
        ValueError: If a column of the group is larger than what is read at once.
    """
    largest = 0
    for chunk, values in _chunks(metadata, group, columns):
        size = chunk.total_uncompressed_size
        if not 0 <= size <= allowed(_MOST_GROUP_BYTES) or values > allowed(_MOST_VALUES):
            raise ValueError(
                f"row group {group} has {values:,} values in {size:,} bytes, more than are read at "
                "once: write it with smaller row groups, or raise --size-limits"
            )
        if size * most > allowed(_MOST_BYTES):
            largest += _largest_repeated(file, group, chunk)
    return int(min(most, max(1, allowed(_MOST_BYTES) // max(largest, 1))))


def are_read_again(uri: str, file: Any, groups: Iterable[int], column: str) -> bool:
    """Whether a column of some groups is within the usual limits, which later stages have."""
    if allowed(1) == 1:  # else it is refused now
        return True
    metadata = open_parquet(uri, file).metadata
    chunks = (chunk for group in groups for chunk in _chunks(metadata, group, [column]))
    return all(
        chunk.total_uncompressed_size <= _MOST_GROUP_BYTES and values <= _MOST_VALUES
        for chunk, values in chunks
    )


def _chunks(
    metadata: pq.FileMetaData, group: int, columns: Sequence[str]
) -> Iterator[tuple[Any, int]]:
    """The chunks of some columns in a group, with how many values they unpack to."""
    chunks = metadata.row_group(group)
    for number in range(chunks.num_columns):
        chunk = chunks.column(number)
        if any(f"{chunk.path_in_schema}.".startswith(f"{name}.") for name in columns):
            yield chunk, max(chunk.num_values, chunks.num_rows)


def _largest_repeated(file: Any, group: int, chunk: Any) -> int:
    """Bytes of the largest value that a column of texts or bytes can repeat; 0 if it has none."""
    if chunk.physical_type != "BYTE_ARRAY":
        return 0
    if "DELTA_BYTE_ARRAY" in chunk.encodings:  # values begin like the ones before them
        return int(chunk.total_uncompressed_size)
    if not any("DICTIONARY" in encoding for encoding in chunk.encodings):
        return 0
    path = chunk.path_in_schema
    table = pq.ParquetFile(file, read_dictionary=[path])
    cells = next(table.iter_batches(1, row_groups=[group], columns=[path])).column(0)
    while not pa.types.is_dictionary(cells.type):
        if not pa.types.is_nested(cells.type):
            return int(chunk.total_uncompressed_size)
        cells = cells.field(0) if pa.types.is_struct(cells.type) else cells.values
    return int(pc.max(pc.binary_length(cells.dictionary)).as_py() or 0)


def _rows_of(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | Exception]:
    try:
        yield from batch.to_pylist()
    except Exception:  # such as text that is not UTF-8, or a date that Python has not
        for row in range(batch.num_rows):
            try:
                yield from batch.slice(row, 1).to_pylist()
            except Exception as error:
                yield error


def row_groups(uri: str) -> tuple[np.ndarray[Any, Any], tuple[int, ...]]:
    """First row of each row group and the end; and the bytes of each row group."""
    return _row_groups_cached(uri, size_and_mtime(uri))


@lru_cache(maxsize=1024)
def _row_groups_cached(
    uri: str, _version: tuple[int, int]
) -> tuple[np.ndarray[Any, Any], tuple[int, ...]]:
    with (
        open_file(uri, in_ranges=True) as file,
        foreign(uri, "run rc ingest with --accept-changed"),
    ):
        metadata = open_parquet(uri, file).metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    starts = np.cumsum([0, *(group.num_rows for group in groups)])
    return starts, tuple(group.total_byte_size for group in groups)


def group_ranges(
    starts: np.ndarray[Any, Any], sizes: Sequence[int], part_bytes: int, part_images: int
) -> list[tuple[int, int]]:
    """Ranges of row groups within the limits; a larger group is a range by itself."""
    by_bytes = [first for first, _ in consecutive_ranges(sizes, part_bytes, len(sizes) or 1)]
    edges = {*by_bytes, len(sizes)}
    start = 0
    for group in range(len(sizes)):
        start = group if group in edges else start
        if starts[group + 1] - starts[start] > part_images and group > start:
            edges.add(group)
            start = group
    return [(a, b) for a, b in pairwise(sorted(edges)) if starts[b] > starts[a]]


def chosen_image(uri: str, wanted: str | None) -> tuple[pa.Schema, str]:
    """The columns of a file, and the one with images.

    Raises:
        SourceError: If it is no Parquet, or has no such column.
    """
    with open_file(uri, in_ranges=True) as file:
        schema = open_parquet(uri, file).schema_arrow
    image = image_column(schema, wanted)
    if image is None:
        raise no_image_column(uri, schema.names, wanted)
    return schema, image


def read_row(uri: str, member: str) -> bytes:
    """The image of a row. Reads a whole row group; the last two stay in memory.

    Args:
        uri: The file.
        member: Number of the row, and `:column` where that is not the usual column.

    Raises:
        ChangedImageError: If there is no such row, or it has no image.
    """
    number, _, column = member.partition(":")
    row = int(number)
    starts, _ = row_groups(uri)
    if not 0 <= row < starts[-1]:
        raise ChangedImageError(
            f"{uri} has no row {row}: it changed since it was ingested; "
            "run rc ingest with --accept-changed"
        )
    group = int(np.searchsorted(starts, row, side="right")) - 1
    cell = _cell(uri, group, row - int(starts[group]), column or None)
    content = next(iter(images_in_cell(cell)), None)
    if not isinstance(content, bytes):
        raise ChangedImageError(
            f"row {row} of {uri} has no image: it changed since it was ingested; "
            "run rc ingest with --accept-changed"
        )
    return content


def _cell(uri: str, group: int, row: int, column: str | None) -> Any:
    """The images in a row of a group; of a group that would fill memory, few rows are kept."""
    version = size_and_mtime(uri)
    rows = _rows_kept(uri, group, column, version)
    return _images(uri, group, column, (row // rows, rows), version)[row % rows].as_py()


@lru_cache(maxsize=4096)
def _rows_kept(uri: str, group: int, column: str | None, _version: tuple[int, int]) -> int:
    starts, _ = row_groups(uri)
    _, image = chosen_image(uri, column)
    with open_file(uri, in_ranges=True) as file:
        metadata = open_parquet(uri, file).metadata
        return rows_at_once(file, metadata, group, [image], int(starts[group + 1] - starts[group]))


@lru_cache(maxsize=2)
def _images(
    uri: str, group: int, column: str | None, batch: tuple[int, int], _version: tuple[int, int]
) -> pa.ChunkedArray | pa.Array:
    """The images of one batch, its number and its rows, of a group; nearly always of all of it."""
    _, image = chosen_image(uri, column)
    number, rows = batch
    with (
        open_file(uri, in_ranges=True) as file,
        foreign(uri, "run rc ingest with --accept-changed"),
    ):
        table = open_parquet(uri, file)
        if rows >= table.metadata.row_group(group).num_rows:
            return table.read_row_group(group, columns=[image]).column(0)
        batches = table.iter_batches(rows, row_groups=[group], columns=[image])
        return next(islice(batches, number, None)).column(0)
