"""Parquet with image bytes: a column `image` of {bytes, path}, or a column of plain bytes.

Parts end at row groups. The key of an image is its row number: every file has it, and it is
unique.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.caption_fields import captions_of, distinct
from stages.sources.files import digest_of, file_digest, open_file, size_and_mtime, unique_names
from stages.sources.record import (
    DEFAULTS,
    Inventory,
    Problem,
    Record,
    Refusal,
    Slice,
    SourceOptions,
    consecutive_ranges,
)
from stages.sources.table_columns import CAPTION_COLUMNS, find_column

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BYTES_COLUMNS: Final = ("image", "bytes", "jpg", "jpeg", "png", "webp", "image_bytes", "content")
_ROWS: Final = 32  # read at once


@dataclass(frozen=True)
class ParquetSource:
    """Files in the order given, images in order of their rows."""

    files: tuple[str, ...]
    options: SourceOptions = DEFAULTS
    kind: str = "parquet"

    def digest(self) -> str:
        """Hash of the name and content of each file."""
        pairs = zip(unique_names(list(self.files)), self.files, strict=True)
        return digest_of(*(f"{name} {file_digest(uri)}" for name, uri in pairs))

    def slices(self) -> Sequence[Slice]:
        """Consecutive row groups of about `part_bytes` together, of one file."""
        return self._slices

    def count(self, part_slice: Slice) -> int:
        """Rows of the slice."""
        return part_slice.last - part_slice.first

    def total(self) -> int | None:
        """Rows of all files."""
        return sum(self.count(part_slice) for part_slice in self._slices)

    def inventory(self) -> Inventory:
        """Nothing is left out."""
        return Inventory()

    def records(self, part_slice: Slice) -> Iterator[Record | Problem]:
        """One record per row."""
        uri = self.files[part_slice.file]
        name = unique_names(list(self.files))[part_slice.file]
        row = part_slice.first
        try:
            for batch in _batches(uri, part_slice.first, part_slice.last):
                for values in batch.to_pylist():
                    yield _record(f"{name}/{row:09d}", uri, row, values)
                    row += 1
        except (pa.ArrowException, OSError) as error:
            detail = f"rows {row} to {part_slice.last - 1} cannot be read: {error}"
            yield Problem(f"{name}/{row:09d}", Reason.UNREADABLE, detail)

    @cached_property
    def _slices(self) -> list[Slice]:
        limits = self.options.part_bytes, self.options.part_images
        slices: list[Slice] = []
        for number, uri in enumerate(self.files):
            starts, sizes = _row_groups(uri)
            for first, last in _group_ranges(starts, sizes, *limits):
                slices.append(Slice(number, int(starts[first]), int(starts[last])))
        return slices


def image_column(schema: pa.Schema) -> str | None:
    """Name of the column with image bytes; None if there is none."""
    name = find_column(schema.names, BYTES_COLUMNS)
    return name if name and _is_binary(schema.field(name).type) else None


def has_image_bytes(uri: str) -> bool:
    """Whether a Parquet file has a column with image bytes."""
    with open_file(uri) as file:
        return image_column(_open_parquet(uri, file).schema_arrow) is not None


def read_row(uri: str, row: int) -> bytes:
    """The image of a row. Reads a whole row group; the last two stay in memory.

    Raises:
        SourceError: If there is no such row, or it has no image.
    """
    starts, _ = _row_groups(uri)
    if not 0 <= row < starts[-1]:
        raise SourceError(
            f"{uri} has no row {row}: it changed since it was ingested; run rc ingest --force"
        )
    group = int(np.searchsorted(starts, row, side="right")) - 1
    images = _group_images(uri, group, size_and_mtime(uri))
    content = _image_bytes(images[row - int(starts[group])].as_py())
    if content is None:
        raise SourceError(
            f"row {row} of {uri} has no image: it changed since it was ingested; "
            "run rc ingest --force"
        )
    return content


def _record(image_id: str, uri: str, row: int, values: dict[str, Any]) -> Record:
    texts: list[str] = []
    problems: tuple[Problem, ...] = ()
    try:
        texts = captions_of(values.get("captions"))
    except Refusal as refusal:
        problems = (Problem(image_id, refusal.reason, refusal.detail),)
    return Record(
        image_id=image_id,
        uri=uri,
        load=_ParquetLoader(values["image"]),
        member=str(row),
        captions=distinct(texts),
        problems=problems,
    )


@dataclass(frozen=True, slots=True)
class _ParquetLoader:
    """Gives the bytes of one cell."""

    value: Any

    def __call__(self) -> bytes:
        content = _image_bytes(self.value)
        if content is None:
            raise Refusal(Reason.MISSING_IMAGE, "the row holds no bytes")
        return content


def _image_bytes(value: Any) -> bytes | None:
    content = value.get("bytes") if isinstance(value, dict) else value
    return content if isinstance(content, bytes) else None


def _is_binary(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        position = kind.get_field_index("bytes")
        return position >= 0 and _is_binary(kind.field(position).type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _batches(uri: str, first: int, last: int) -> Iterator[pa.RecordBatch]:
    """Rows `first` to `last`, whole row groups, as columns `image` and `captions`."""
    starts, _ = _row_groups(uri)
    groups = [g for g in range(len(starts) - 1) if first <= starts[g] < last]
    with open_file(uri) as file:
        table = _open_parquet(uri, file)
        sources = {"image": image_column(table.schema_arrow)}
        sources["captions"] = find_column(table.schema_arrow.names, CAPTION_COLUMNS)
        used = {name: source for name, source in sources.items() if source}
        columns = list(used.values())
        for batch in table.iter_batches(_ROWS, row_groups=groups, columns=columns):
            arrays = [batch.column(source) for source in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(used))


def _row_groups(uri: str) -> tuple[np.ndarray[Any, Any], tuple[int, ...]]:
    """First row of each row group and the end; and the bytes of each row group."""
    return _row_groups_cached(uri, size_and_mtime(uri))


@lru_cache(maxsize=1024)
def _row_groups_cached(
    uri: str, _version: tuple[int, int]
) -> tuple[np.ndarray[Any, Any], tuple[int, ...]]:
    with open_file(uri) as file:
        metadata = _open_parquet(uri, file).metadata
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    starts = np.cumsum([0, *(group.num_rows for group in groups)])
    return starts, tuple(group.total_byte_size for group in groups)


def _group_ranges(
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


@lru_cache(maxsize=2)
def _group_images(uri: str, group: int, _version: tuple[int, int]) -> pa.ChunkedArray:
    with open_file(uri) as file:
        table = _open_parquet(uri, file)
        return table.read_row_group(group, columns=[image_column(table.schema_arrow)]).column(0)


def _open_parquet(uri: str, file: Any) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"cannot read {uri} as Parquet: {error}") from error
