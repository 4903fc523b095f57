"""Parts: rows in Parquet, files beside them, and the receipts that make a killed run resumable.

A part is written under `.work/`, flushed, renamed; its receipt is renamed last. A part without
a receipt whose hashes hold does not exist for the next run.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field

from pipeline.store.atomic import publish, sha256, whole_or_absent
from pipeline.store.manifest import FileRecord, PartRecord
from schemas.table import vector_format

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from schemas.table import Table

_GROUP_ROWS = 65_536  # rows gathered into one Parquet row group ...
_GROUP_BYTES = 64 << 20  # ... or this many bytes, whichever comes first


class Receipt(BaseModel):
    """What a finished part reports: its record, what it refused, what it noted."""

    model_config = ConfigDict(frozen=True)

    part: PartRecord
    dropped: dict[str, int] = Field(default_factory=dict)
    notes: dict[str, Any] = Field(default_factory=dict)


def part_name(number: int) -> str:
    """File name of the rows of a part."""
    return f"part-{number:05d}.parquet"


def work_folder(folder: Path, number: int) -> Path:
    """An empty folder in which part `number` is prepared."""
    work = folder / ".work" / f"part-{number:05d}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    return work


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


def finish(folder: Path, work: Path, number: int, rows: int, report: dict[str, Any]) -> Receipt:
    """Move a prepared part from `work` to its final names; the receipt goes last."""
    name = part_name(number)
    files = sorted(path for path in work.iterdir() if path.name != name)
    records = [
        FileRecord(name=path.name, bytes=path.stat().st_size, sha256=sha256(path)) for path in files
    ]
    draft = work / name
    part = PartRecord(
        number=number,
        rows=rows,
        bytes=draft.stat().st_size,
        sha256=sha256(draft),
        files=tuple(records),
    )
    for path in [*files, draft]:
        publish(path, folder / path.name)
    receipt = Receipt(part=part, **report)
    (folder / ".receipts").mkdir(exist_ok=True)
    with whole_or_absent(_receipt_path(folder, number)) as target:
        target.write_text(receipt.model_dump_json())
    shutil.rmtree(work)
    return receipt


def receipt(folder: Path, number: int) -> Receipt | None:
    """The receipt of a part that an earlier run finished and whose files are still what it says."""
    path = _receipt_path(folder, number)
    if not path.exists():
        return None
    found = Receipt.model_validate_json(path.read_bytes())
    return found if not damaged(folder, found.part) else None


def damaged(folder: Path, part: PartRecord) -> list[str]:
    """Names of the files of a part that are missing or differ from their recorded hash."""
    expected = {part_name(part.number): part.sha256, **{f.name: f.sha256 for f in part.files}}
    return [
        name
        for name, digest in expected.items()
        if not (folder / name).is_file() or sha256(folder / name) != digest
    ]


def batches(path: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Rows of a part in file order, about a thousand at a time."""
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(batch_size=1024, columns=columns)


def _receipt_path(folder: Path, number: int) -> Path:
    return folder / ".receipts" / f"part-{number:05d}.json"


def _grouped(table: Table, rows: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    waiting: list[pa.RecordBatch] = []
    for batch in rows:
        table.check(batch)
        if batch.num_rows == 0:
            continue
        waiting.append(batch)
        if sum(b.num_rows for b in waiting) >= _GROUP_ROWS or _size(waiting) >= _GROUP_BYTES:
            yield _concatenate(waiting)
            waiting = []
    if waiting:
        yield _concatenate(waiting)


def _size(waiting: list[pa.RecordBatch]) -> int:
    return sum(batch.nbytes for batch in waiting)


def _concatenate(waiting: list[pa.RecordBatch]) -> pa.RecordBatch:
    return pa.Table.from_batches(waiting).combine_chunks().to_batches()[0]


def _chain(first: pa.RecordBatch, rest: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from rest


def _encoding(schema: pa.Schema) -> dict[str, Any]:
    """Vectors as they are (noise does not compress, and decompression costs); the rest in zstd."""
    plain = {field.name for field in schema if vector_format(field) or field.name == "content"}
    return {
        "compression": {f.name: "NONE" if f.name in plain else "ZSTD" for f in schema},
        "use_dictionary": [f.name for f in schema if f.name not in plain],
        "write_statistics": [f.name for f in schema if f.name not in plain],
    }
