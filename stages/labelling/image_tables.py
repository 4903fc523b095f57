"""Image tables: rows of regions in tables that hold whole images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_STEP: Final = 1024  # rows taken at a time, wherever batches ended


def whole_images(
    batches: Iterable[pa.RecordBatch], about: int, step: int = _STEP
) -> Iterator[pa.Table]:
    """The same rows in tables of about as many rows, none of which ends inside an image.

    Which rows are in a table follows from the rows alone, not from the batches that they came in:
    what is compared together decides the last bits.

    Args:
        batches: Rows with an image_id, those of an image one after the other.
        about: Rows of a table: at least so many, less those of an image that goes on.
        step: A table may end after so many rows, after twice as many, and so on; or at the end.
    """
    waiting: list[pa.RecordBatch] = []
    count = 0
    for pieces in _steps(batches, step):
        waiting += pieces
        count += sum(piece.num_rows for piece in pieces)
        if count < about:
            continue
        rows = pa.Table.from_batches(waiting)
        images = rows.column("image_id")
        rest = _tail(images, images[-1])
        if rest < count:
            yield rows.slice(0, count - rest)
        waiting, count = rows.slice(count - rest).to_batches(), rest
    if waiting:
        yield pa.Table.from_batches(waiting)


def _steps(batches: Iterable[pa.RecordBatch], step: int) -> Iterator[list[pa.RecordBatch]]:
    """The same rows, `step` at a time and the rest at last, in pieces of their batches."""
    pieces: list[pa.RecordBatch] = []
    left = step
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            pieces.append(batch.slice(start, left))
            start += pieces[-1].num_rows
            left -= pieces[-1].num_rows
            if not left:
                yield pieces
                pieces, left = [], step
    if pieces:
        yield pieces


def _tail(images: pa.ChunkedArray, last: pa.Scalar) -> int:
    """How many rows at the end belong to the image `last`."""
    others = np.flatnonzero(pa.compute.not_equal(images, last).to_numpy())
    return len(images) - (int(others[-1]) + 1 if len(others) else 0)
