"""Rows written to Parquet, in row groups whose borders follow from the rows alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.table import vector_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from schemas.table import Table

_GROUP_ROWS = 65_536  # rows gathered into one Parquet row group ...
_GROUP_BYTES = 64 << 20  # ... or this many bytes, whichever comes first
_STEP_ROWS = 1024  # a row group ends at a multiple of this, wherever batches ended ...
_STEP_FILES = 32  # ... or of this, in a table whose rows may hold whole files


def write_rows(path: Path, table: Table, rows: Iterable[pa.RecordBatch]) -> int:
    """Write rows to a Parquet file, checking every batch against its table; how many there were."""
    groups = _grouped(table, rows)
    first = next(groups, table.empty())
    count = 0
    with pq.ParquetWriter(path, first.schema, **_encoding(first.schema)) as writer:
        for group in _chain(first, groups):
            writer.write_batch(group)
            count += group.num_rows
    return count


def _grouped(table: Table, rows: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Row groups whose borders follow from the rows, not from the batches they came in."""
    waiting: list[pa.RecordBatch] = []
    held = size = 0
    step = _STEP_FILES if any(c.type == pa.binary() for c in table.columns) else _STEP_ROWS
    for batch in rows:
        table.check(batch)
        start = 0
        while start < batch.num_rows:
            piece = batch.slice(start, step - held % step)
            start += piece.num_rows
            waiting.append(piece)
            held += piece.num_rows
            size += sum(map(_payload, piece.columns))
            if held % step == 0 and (held >= _GROUP_ROWS or size >= _GROUP_BYTES):
                yield _concatenate(waiting)
                waiting, held, size = [], 0, 0
    if waiting:
        yield _concatenate(waiting)


def _payload(array: pa.Array) -> int:
    """Bytes of the values in an array, however its buffers are laid out."""
    kind = array.type
    if pa.types.is_list(kind):
        return _payload(array.flatten())
    if pa.types.is_struct(kind):
        return sum(map(_payload, array.flatten()))
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return int(pc.sum(pc.binary_length(array)).as_py() or 0)
    return len(array) * max(int(kind.bit_width) // 8, 1)


def _concatenate(waiting: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(waiting).combine_chunks().to_batches()[0]


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    """Vectors as they are (noise does not compress, and decompression costs); the rest in zstd."""
    plain = {field.name for field in schema if vector_format(field) or field.name == "content"}
    leaves = {field.name: list(_leaves(field.name, field.type)) for field in schema}
    packed = [leaf for name, paths in leaves.items() if name not in plain for leaf in paths]
    return {
        "write_page_checksum": True,
        "compression": dict.fromkeys(packed, "ZSTD") | dict.fromkeys(plain, "NONE"),
        "use_dictionary": packed,
        "write_statistics": packed,
    }


def _leaves(path: str, kind: pa.DataType) -> Iterator[str]:
    """Paths of the Parquet columns behind an Arrow column: captions.list.element."""
    if pa.types.is_list(kind):
        yield from _leaves(f"{path}.list.element", kind.value_type)
    elif pa.types.is_struct(kind):
        for field in kind:
            yield from _leaves(f"{path}.{field.name}", field.type)
    else:
        yield path
