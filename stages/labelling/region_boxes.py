"""Where regions are: the boxes of any rows that name an image and one of its proposals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow.compute as pc

from schemas.errors import ArtifactError

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

COLUMNS: Final = ("x0", "y0", "x1", "y1", "objectness")


class RegionBoxes:
    """The proposals of a part, found by image and region.

    Args:
        proposals: Rows of `proposals`, in any order, each image and region once.
    """

    def __init__(self, proposals: pa.Table) -> None:
        self._images = pc.unique(proposals.column("image_id"))
        keys = self._keys(proposals)
        order = np.argsort(keys, kind="stable")
        self._known = keys[order]
        self._values = {name: proposals.column(name).to_numpy()[order] for name in COLUMNS}

    def of(self, rows: pa.Table) -> dict[str, NDArray[np.float32]]:
        """Box and objectness, by column, each (R,), of R rows with an image_id and a region.

        Raises:
            ArtifactError: If a row is about a region that was not proposed.
        """
        wanted = self._keys(rows)
        places = np.searchsorted(self._known, wanted)
        found = places < len(self._known)
        found[found] = self._known[places[found]] == wanted[found]
        if not found.all():
            lost = int(np.flatnonzero(~found)[0])
            image, region = rows.column("image_id")[lost], rows.column("region")[lost]
            raise ArtifactError(
                f"region {region} of image {image} was not proposed: the features were made from "
                f"other proposals; name those"
            )
        return {name: values[places] for name, values in self._values.items()}

    def _keys(self, rows: pa.Table) -> NDArray[np.int64]:
        """One number for each image and region; that of an unknown image is in no proposal."""
        images = pc.index_in(rows.column("image_id"), value_set=self._images)
        codes = images.fill_null(-1).to_numpy().astype(np.int64)
        return np.asarray((codes << 32) + rows.column("region").to_numpy())
