"""Where the regions of a table are, for rows about regions that are streamed past it.

Shapes: N regions of the table, R rows of which M are about one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray


class RegionIndex:
    """Finds regions by image and number.

    Args:
        images: The image_id of each image, once each.
        places: (N,) places in `images` of the regions' images.
        regions: (N,) numbers of the regions; no region twice.
    """

    def __init__(self, images: pa.Array, places: NDArray[Any], regions: NDArray[Any]) -> None:
        self._images = images
        keys = region_keys(places, regions)
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]

    @classmethod
    def of(cls, rows: pa.Table) -> RegionIndex:
        """That of N rows with image_id and region."""
        images = pc.unique(rows.column("image_id"))
        places = pc.index_in(rows.column("image_id"), value_set=images).to_numpy()
        return cls(images, places, rows.column("region").to_numpy())

    def find(self, rows: pa.Table | pa.RecordBatch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The regions that R rows with image_id and region are about.

        Returns:
            (M,) places of the regions, and (M,) of the rows, ascending.
        """
        if not len(self._keys):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        images = pc.index_in(rows.column("image_id"), value_set=self._images)
        keys = region_keys(images.fill_null(-1).to_numpy(), rows.column("region").to_numpy())
        at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        here = np.flatnonzero(self._keys[at] == keys)
        return self._order[at[here]], here


def region_keys(places: NDArray[Any], regions: NDArray[Any]) -> NDArray[np.int64]:
    """A number for each image and region, from the place of the image; negative for a place of -1.

    >>> region_keys(np.array([0, 1, -1]), np.array([7, 0, 3])).tolist()
    [7, 4294967296, -4294967293]
    """
    return np.asarray((places.astype(np.int64) << 32) + regions)
