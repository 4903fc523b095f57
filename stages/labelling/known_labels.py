"""Which of some labels are among pseudo-labels, as these are streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    Label = tuple[str, int, int]  # image_id, region, concept_id

ABOUT: Final = ("image_id", "region", "concept_id")
_MOST_REGIONS: Final = 1 << 31  # of an image


def first_unknown(labels: Sequence[Label], batches: Iterable[pa.RecordBatch]) -> Label | None:
    """The first of some labels that is not among pseudo-labels; None if all are.

    Args:
        labels: image_id, region and concept_id of each.
        batches: Rows with `ABOUT`.
    """
    if not labels:
        return None
    images, regions, concepts = zip(*labels, strict=True)
    ids = pa.array(images, pa.string()).unique()
    keys = _keys(pc.index_in(pa.array(images, pa.string()), value_set=ids), np.array(regions))
    order = np.argsort(keys, kind="stable")
    keys, wanted = keys[order], np.array(concepts)[order]
    found = np.zeros(len(keys), np.bool_)
    for batch in batches:
        place = pc.index_in(batch.column("image_id"), value_set=ids)
        rows = batch.filter(place.is_valid())
        here = _keys(place.drop_null(), rows.column("region").to_numpy())
        said = rows.column("concept_id").to_numpy()
        sort = np.argsort(here, kind="stable")
        at = np.minimum(np.searchsorted(here[sort], keys), max(len(here) - 1, 0))
        if len(here):
            found |= (here[sort][at] == keys) & (said[sort][at] == wanted)
    return None if found.all() else labels[int(order[~found].min())]


def _keys(places: Any, regions: NDArray[Any]) -> NDArray[np.int64]:
    """A number of each label, from the place of its image and its region."""
    numbers = places.to_numpy(zero_copy_only=False).astype(np.int64)
    return np.asarray(numbers * _MOST_REGIONS + regions)
