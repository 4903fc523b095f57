"""Usable features: those of regions that have a direction; others are refused.

Shapes: R regions, D embedding width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from schemas.quarantine import Reason
from schemas.table import as_matrix
from stages.featurizing.image_regions import WHOLE_IMAGE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stages.base import Part


def usable_features(rows: pa.Table, part: Part) -> tuple[pa.Table, NDArray[np.float32]]:
    """Rows of regions, and their features (R, D), finite and of some length; others are refused."""
    rows = rows.filter(pa.compute.not_equal(rows.column("region"), WHOLE_IMAGE))
    features = as_matrix(rows, "feature").astype(np.float32)
    squares = np.einsum("rd,rd->r", features, features)  # not finite if any value is not
    fine = np.asarray(np.isfinite(squares) & (squares > 0))
    if fine.all():
        return rows, features
    for index in np.flatnonzero(~fine):
        image, region = rows.column("image_id")[index], rows.column("region")[index]
        none = not features[index].any()
        what = "has length 0" if none else "has values that are not finite"
        reason = Reason.ZERO_FEATURE if none else Reason.NAN_FEATURE
        part.refuse(f"{image}#{region}", reason, f"the feature of region {region} {what}")
    return rows.filter(pa.array(fine)), features[fine]
