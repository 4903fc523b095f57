"""Features of a sample of labels, found among all features as these are streamed.

Shapes: N of the sample, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from schemas.errors import ArtifactError
from schemas.table import as_matrix
from stages.labelling.region_index import RegionIndex

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from numpy.typing import NDArray


def sampled_features(sample: pa.Table, features: Iterable[pa.RecordBatch]) -> NDArray[np.float32]:
    """The feature (N, D) of each region of a sample.

    Args:
        sample: (N,) rows with image_id and region.
        features: All features, in batches with image_id, region and feature.

    Raises:
        ArtifactError: If a region has none, or they have several widths.
    """
    index = RegionIndex.of(sample)
    vectors: NDArray[np.float32] | None = None
    found = np.zeros(sample.num_rows, np.bool_)
    for batch in features:
        matrix = as_matrix(batch, "feature")
        if vectors is None:
            vectors = np.zeros((sample.num_rows, matrix.shape[1]), np.float32)
        check_widths(vectors.shape[1], matrix.shape[1])
        places, here = index.find(batch)
        vectors[places] = matrix[here]
        found[places] = True
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
