"""Boxes of regions: looks up the proposal of each row by its image and region."""

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
    """The proposals of a part, for lookup by image and region.

    Args:
        proposals: Rows of `proposals`, in any order, each image and region once.
    """

    def __init__(self, proposals: pa.Table) -> None:
        self._images = pc.unique(proposals.column("image_id"))
        keys = self._keys(proposals)
        order = np.argsort(keys, kind="stable")
        self._proposal_keys = keys[order]
        self._values = {name: proposals.column(name).to_numpy()[order] for name in COLUMNS}

    def of(self, rows: pa.Table) -> dict[str, NDArray[np.float32]]:
        """Box and objectness of R rows with an image_id and a region: (R,) of each column.

        Raises:
            ArtifactError: If a row is about a region that was not proposed.
        """
        keys = self._keys(rows)
        positions = np.searchsorted(self._proposal_keys, keys)
        matched = positions < len(self._proposal_keys)
        matched[matched] = self._proposal_keys[positions[matched]] == keys[matched]
        if not matched.all():
            row = int(np.flatnonzero(~matched)[0])
            image, region = rows.column("image_id")[row], rows.column("region")[row]
            raise ArtifactError(
                f"region {region} of image {image} was not proposed: the features were made from "
                f"other proposals; name those"
            )
        return {name: values[positions] for name, values in self._values.items()}

    def _keys(self, rows: pa.Table) -> NDArray[np.int64]:
        """A number for each image and region; negative for images without proposals."""
        images = pc.index_in(rows.column("image_id"), value_set=self._images)
        codes = images.fill_null(-1).to_numpy().astype(np.int64)
        return np.asarray((codes << 32) + rows.column("region").to_numpy())
