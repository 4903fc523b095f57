"""Parts: rows in Parquet, files beside them, and the receipts that make a killed run resumable.

A part is written under `.work/`, flushed, renamed; its receipt is renamed last. A part without
a receipt whose hashes hold does not exist for the next run. The bytes of a part follow from its
rows alone: how a stage happened to cut them into batches leaves no trace.

Arrow is imported where rows are read: commands that only list artifacts import this module too.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict

from pipeline.store import own_hash
from pipeline.store.atomic import flush_folder, flush_tree, sha256
from pipeline.store.part_records import FileRecord, PartRecord
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from numpy.typing import NDArray


class Receipt(BaseModel):
    """What a finished part reports: its record, and the facts that it noted."""

    model_config = ConfigDict(frozen=True)

    part: PartRecord
    notes: dict[str, Any]


@dataclass(frozen=True)
class Report:
    """What a task says of its part, beside the rows; see `PartRecord`."""

    recipe: str | None = None
    dropped: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)


def part_name(number: int) -> str:
    """File name of the rows of a part."""
    return f"part-{number:05d}.parquet"


def work_folder(folder: Path, number: int) -> Path:
    """An empty folder in which part `number` is prepared; no two attempts share one."""
    work = attempt_folder(folder, f"part-{number:05d}.{uuid4().hex}")
    work.mkdir(parents=True)
    return work


def attempt_folder(folder: Path, attempt: str) -> Path:
    """Where an attempt at a part prepares it, by the attempt's name."""
    return folder / ".work" / attempt


def prepare(work: Path, number: int, rows: int, report: Report) -> Receipt:
    """The receipt of a part whose files lie flushed in `work`, where nobody but it looks.

    Who gives them their names, `publish` or nobody, need not be who prepared them.
    """
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
        recipe=report.recipe,
        dropped=dict(sorted(report.dropped.items())),
        counts=dict(report.counts),
        facts=tuple(sorted(report.notes)),
    )
    flush_tree(work)
    return Receipt(part=part, notes=dict(report.notes))


def link(folder: Path, source: Path, part: PartRecord, notes: Mapping[str, Any]) -> Receipt:
    """Take a part that another folder has, by links to its files; copies where there are none.

    Args:
        folder: Where it goes.
        source: Where it is.
        part: Its record there.
        notes: The facts that it noted.
    """
    work = work_folder(folder, part.number)
    for name in (part_name(part.number), *(file.name for file in part.files)):
        link_file(source / name, work / name)
    flush_tree(work)
    return publish(folder, work, Receipt(part=part, notes=dict(notes)))


def link_file(source: Path, target: Path) -> None:
    """Make `target` the same file; a copy where there are no links."""
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copyfile(source, target)


def publish(folder: Path, work: Path, receipt: Receipt) -> Receipt:
    """Move a prepared part from `work` to its final names; the receipt goes last.

    Returns:
        What a resumed run would find: tuples are lists.
    """
    number = receipt.part.number
    for name in [*(record.name for record in receipt.part.files), part_name(number)]:
        (work / name).replace(folder / name)
    flush_folder(folder)
    (folder / ".receipts").mkdir(exist_ok=True)
    own_hash.write(_receipt_path(folder, number), receipt.model_dump(mode="json"))
    shutil.rmtree(work)
    return _read_receipt(folder, number)


def receipt(folder: Path, number: int) -> Receipt | None:
    """The receipt of a part that an earlier run finished and whose files are still what it says."""
    try:
        recorded = _read_receipt(folder, number)
    except (OSError, ValueError, RecursionError):  # not there, or damaged: as good as none
        return None
    return None if damaged(folder, recorded.part) else recorded


def damaged(folder: Path, part: PartRecord) -> list[str]:
    """Names of the files of a part that are missing, or differ from their record."""
    rows = part_name(part.number)
    expected = {rows: part.sha256, **{f.name: f.sha256 for f in part.files}}
    broken = [
        name
        for name, digest in expected.items()
        if not (folder / name).is_file() or sha256(folder / name) != digest
    ]
    return broken if rows in broken or count(folder / rows) == part.rows else [rows, *broken]


def batches(path: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Rows of a part in file order, about a thousand at a time.

    Raises:
        ArtifactError: If the file is damaged.
    """
    with _readable(path), _open(path) as file:
        yield from file.iter_batches(batch_size=1024, columns=columns)


def take(path: Path, rows: NDArray[np.int64], columns: list[str] | None = None) -> pa.Table:
    """Some rows of a part, in the order asked for; row groups without any are not read.

    Raises:
        ArtifactError: If the file is damaged.
    """
    import numpy as np
    import pyarrow as pa

    with _readable(path), _open(path) as file:
        sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
        ends = np.cumsum(sizes, dtype=np.int64)
        group = np.searchsorted(ends, rows, side="right")  # of each row
        read, at = np.unique(group, return_inverse=True)
        rows_read = file.read_row_groups(read.tolist(), columns=columns)
        before = np.cumsum([0, *(sizes[n] for n in read)], dtype=np.int64)  # rows read
        starts = ends - np.array(sizes, np.int64)
        return rows_read.take(pa.array(rows - starts[group] + before[at]))


def schema(path: Path) -> pa.Schema:
    """Columns of a part.

    Raises:
        ArtifactError: If the file is damaged.
    """
    import pyarrow.parquet as pq

    with _readable(path):
        return pq.read_schema(path)


def count(path: Path) -> int:
    """Rows of a part.

    Raises:
        ArtifactError: If the file is damaged.
    """
    import pyarrow.parquet as pq

    with _readable(path):
        return int(pq.read_metadata(path).num_rows)


def _open(path: Path) -> pq.ParquetFile:
    import pyarrow.parquet as pq

    return pq.ParquetFile(path, pre_buffer=False, page_checksum_verification=True)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what a damaged file makes the reader say into a sentence."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise ArtifactError(
            f"{path} cannot be read: {' '.join(str(error).split())}. 'rc verify' shows what is "
            "damaged; recompute the artifact with its stage and --force."
        ) from None


def _read_receipt(folder: Path, number: int) -> Receipt:
    content = own_hash.read(_receipt_path(folder, number))
    return Receipt.model_validate_json(json.dumps(content))  # a part's tuples are lists in JSON


def _receipt_path(folder: Path, number: int) -> Path:
    return folder / ".receipts" / f"part-{number:05d}.json"
