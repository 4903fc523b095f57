"""Row groups of a Parquet file: where they begin, how large they are, which make a part."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import SourceError
from stages.sources.files import open_file, size_and_mtime
from stages.sources.record import consecutive_ranges

if TYPE_CHECKING:
    from collections.abc import Sequence


def open_parquet(uri: str, file: Any) -> pq.ParquetFile:
    """An open file as Parquet.

    Raises:
        SourceError: If it is none.
    """
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"cannot read {uri} as Parquet: {error}") from error


def row_groups(uri: str) -> tuple[np.ndarray[Any, Any], tuple[int, ...]]:
    """First row of each row group and the end; and the bytes of each row group."""
    return _row_groups_cached(uri, size_and_mtime(uri))


@lru_cache(maxsize=1024)
def _row_groups_cached(
    uri: str, _version: tuple[int, int]
) -> tuple[np.ndarray[Any, Any], tuple[int, ...]]:
    with open_file(uri) as file:
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
