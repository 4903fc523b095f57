"""Which of some labels are among pseudo-labels, as these are streamed.

Shapes: N labels that are looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from numpy.typing import NDArray

ABOUT: Final = ("image_id", "region", "concept_id")
_MOST_REGIONS: Final = 1 << 31  # of an image


def first_unknown(
    images: pa.Array,
    places: NDArray[Any],
    regions: NDArray[Any],
    concepts: NDArray[Any],
    batches: Iterable[pa.RecordBatch],
) -> int | None:
    """The place of the first label that is not among pseudo-labels; None if all are.

    Args:
        images: The image_id of each image of the labels, once each.
        places: (N,) places of their images in `images`.
        regions: (N,) their regions.
        concepts: (N,) their concept_id.
        batches: Rows with `ABOUT`, no region twice.
    """
    if not len(places):
        return None
    keys, of = np.unique(_keys(places, regions), return_inverse=True)
    there = np.full(len(keys), -1, np.int64)  # the concept that each region has
    for batch in batches:
        place = pc.index_in(batch.column("image_id"), value_set=images)
        rows = batch.filter(place.is_valid())
        here = _keys(place.drop_null().to_numpy(), rows.column("region").to_numpy())
        at = np.minimum(np.searchsorted(keys, here), len(keys) - 1)
        same = keys[at] == here
        there[at[same]] = rows.column("concept_id").to_numpy()[same]
    unknown = np.flatnonzero(there[of] != concepts)
    return int(unknown[0]) if len(unknown) else None


def _keys(places: NDArray[Any], regions: NDArray[Any]) -> NDArray[np.int64]:
    """A number of each label, from the place of its image and its region."""
    return np.asarray(places.astype(np.int64) * _MOST_REGIONS + regions)
