"""Boxes of regions: looks up the proposal of each row by its image and region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from schemas.errors import ArtifactError
from stages.labelling.region_index import RegionIndex

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
        self._index = RegionIndex.of(proposals)
        self._values = {name: proposals.column(name).to_numpy() for name in COLUMNS}

    def of(self, rows: pa.Table) -> dict[str, NDArray[np.float32]]:
        """Box and objectness of R rows with an image_id and a region: (R,) of each column.

        Raises:
            ArtifactError: If a row is about a region that was not proposed.
        """
        places, here = self._index.find(rows)
        if len(here) < rows.num_rows:
            row = int(np.setdiff1d(np.arange(rows.num_rows), here)[0])
            image, region = rows.column("image_id")[row], rows.column("region")[row]
            raise ArtifactError(
                f"region {region} of image {image} was not proposed: the features were made from "
                f"other proposals; name those"
            )
        return {name: values[places] for name, values in self._values.items()}
