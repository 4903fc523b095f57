"""Encoded images on disk while the rows of a part are sorted, and the batches these become."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from schemas.images import IMAGES
from stages.sources.record import consecutive_ranges

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

_BATCH_ROWS: Final = 1000
_BATCH_BYTES: Final = 16 << 20  # of packed content; keeps memory flat whatever the images weigh


class ImageSpool:
    """Encoded images on disk until their rows are sorted; so memory holds none of them."""

    def __init__(self, folder: Path) -> None:
        self.file = cast("BinaryIO", tempfile.TemporaryFile(dir=folder))  # noqa: SIM115 - in __exit__

    def __enter__(self) -> ImageSpool:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def add(self, content: bytes) -> int:
        """Write an image; returns where it begins."""
        position = self.file.seek(0, os.SEEK_END)
        self.file.write(content)
        return position

    def get(self, position: int, size: int) -> bytes:
        """Read an image back."""
        self.file.seek(position)
        return self.file.read(size)


def batches(rows: list[dict[str, Any]], spool: ImageSpool) -> Iterator[pa.RecordBatch]:
    """Rows of `images` in batches, with the content of those that have a position in the spool."""
    weights = [0 if row["content"] is None else int(row["num_bytes"]) for row in rows]
    for first, last in consecutive_ranges(weights, _BATCH_BYTES, _BATCH_ROWS):
        batch = [_with_content(row, spool) for row in rows[first:last]]
        yield IMAGES.batch({c.name: [row[c.name] for row in batch] for c in IMAGES.columns})


def _with_content(row: dict[str, Any], spool: ImageSpool) -> dict[str, Any]:
    if row["content"] is None:
        return row
    return {**row, "content": spool.get(row["content"], row["num_bytes"])}
