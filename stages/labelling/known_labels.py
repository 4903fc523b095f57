"""Which of some labels are among pseudo-labels, as these are streamed.

Shapes: N labels that are looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stages.labelling.region_index import RegionIndex, region_keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from numpy.typing import NDArray

ABOUT: Final = ("image_id", "region", "concept_id")


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
    keys = region_keys(places, regions)
    _, first, of = np.unique(keys, return_index=True, return_inverse=True)
    index = RegionIndex(images, places[first], regions[first])
    there = np.full(len(first), -1, np.int64)  # the concept that each region has
    for batch in batches:
        found, here = index.find(batch)
        there[found] = batch.column("concept_id").to_numpy()[here]
    unknown = np.flatnonzero(there[of] != concepts)
    return int(unknown[0]) if len(unknown) else None
