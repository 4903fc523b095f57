"""Features of a sample of labels, found among all features as these are streamed.

Shapes: N of the sample, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import ArtifactError
from schemas.table import as_matrix

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


def sampled_features(sample: pa.Table, features: Iterable[pa.RecordBatch]) -> NDArray[np.float32]:
    """The feature (N, D) of each region of a sample.

    Args:
        sample: (N,) rows with image_id and region.
        features: All features, in batches with image_id, region and feature.

    Raises:
        ArtifactError: If a region has none, or they have several widths.
    """
    images = pc.unique(sample.column("image_id").combine_chunks())
    wanted = _keys(sample, images)
    order = np.argsort(wanted, kind="stable")
    vectors: NDArray[np.float32] | None = None
    found = np.zeros(len(wanted), np.bool_)
    for batch in features:
        keys, matrix = _keys(pa.Table.from_batches([batch]), images), as_matrix(batch, "feature")
        if vectors is None:
            vectors = np.zeros((len(wanted), matrix.shape[1]), np.float32)
        check_widths(vectors.shape[1], matrix.shape[1])
        places = order[np.minimum(np.searchsorted(wanted[order], keys), len(wanted) - 1)]
        here = np.flatnonzero((wanted[places] == keys) & (keys >= 0))
        vectors[places[here]] = matrix[here]
        found[places[here]] = True
    if vectors is None or not found.all():
        raise ArtifactError(
            f"{int((~found).sum()):,} labelled regions have no feature: name the features that the "
            "labels were made from, by --features"
        )
    return vectors


def check_widths(first: int, other: int) -> None:
    """Pass if the features of two parts have one width.

    Raises:
        ArtifactError: If they have not.
    """
    if first != other:
        raise ArtifactError(
            f"features have widths {first} and {other} in different parts; make them again"
        )


def _keys(rows: pa.Table, images: pa.Array) -> NDArray[np.int64]:
    """A number of each region; -1 of those whose image is none of these."""
    codes = pc.index_in(rows.column("image_id"), value_set=images).fill_null(-1).to_numpy()
    regions = rows.column("region").to_numpy().astype(np.int64)
    return np.where(codes < 0, -1, (codes.astype(np.int64) << 32) + regions)
