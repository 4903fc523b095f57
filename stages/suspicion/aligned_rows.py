"""Aligned rows: what another table has about the regions of some labels, as both are streamed.

Both tables have their images in one order, that of the part; either may lack some.

Shapes: R labels.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from stages.labelling.image_tables import whole_images

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

_ROWS: Final = 4096  # about as many rows at a time


class AlignedRows:
    """Rows with image_id and region, found by those of labels.

    Args:
        batches: Rows, those of an image one after the other.
        order: Place of each image of the labels in their part.
    """

    def __init__(self, batches: Iterable[pa.RecordBatch], order: Mapping[str, int]) -> None:
        self._order = order
        self._tables = whole_images(batches, _ROWS)
        self._held: deque[tuple[pa.Table, NDArray[np.int64], NDArray[np.int64]]] = deque()
        self._reached = -1  # place of the last image that was read

    def of(self, labels: pa.Table) -> tuple[pa.Table | None, NDArray[np.bool_]]:
        """The row of each of R labels, and whether there is one; rows that are not there are any.

        The labels are those after the labels of the last call. None in place of rows if there is
        not one.
        """
        places = self._places(labels)
        while self._held and self._held[0][2].max(initial=-1) < places.min():
            self._held.popleft()
        while self._reached < places.max() and (table := next(self._tables, None)) is not None:
            found = self._places(table)
            self._reached = max(self._reached, int(found.max(initial=-1)))
            if found.max(initial=-1) >= places.min():
                self._held.append((table, _keys(found, table), found))
        if not self._held:
            return None, np.zeros(labels.num_rows, np.bool_)
        rows = pa.concat_tables([table for table, _, _ in self._held])
        keys = np.concatenate([keys for _, keys, _ in self._held])
        return _matched(rows, keys, _keys(places, labels))

    def _places(self, rows: pa.Table) -> NDArray[np.int64]:
        """Place of the image of each row; -1 if no label is about it."""
        images = rows.column("image_id").combine_chunks().dictionary_encode()
        if isinstance(images, pa.ChunkedArray):
            images = images.combine_chunks()
        known = [self._order.get(image, -1) for image in images.dictionary.to_pylist()]
        return np.asarray(np.array(known, np.int64)[images.indices.to_numpy()])


def image_order(images: Iterable[pa.RecordBatch]) -> dict[str, int]:
    """The place of each image of a part, in the order of its rows."""
    order: dict[str, int] = {}
    for rows in images:
        for image in rows.column("image_id").unique().to_pylist():
            order.setdefault(image, len(order))
    return order


def _keys(places: NDArray[np.int64], rows: pa.Table) -> NDArray[np.int64]:
    regions = rows.column("region").to_numpy().astype(np.int64)
    return np.where(places < 0, -1, (places << 32) + regions)


def _matched(
    rows: pa.Table, keys: NDArray[np.int64], wanted: NDArray[np.int64]
) -> tuple[pa.Table | None, NDArray[np.bool_]]:
    order = np.argsort(keys, kind="stable")
    places = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    chosen = order[places]
    found = keys[chosen] == wanted
    return (rows.take(pa.array(chosen)), found) if found.any() else (None, found)
