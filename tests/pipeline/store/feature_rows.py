"""Rows of features, made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from schemas.features import FEATURES

if TYPE_CHECKING:
    import pyarrow as pa


def features(count: int, width: int = 8, precision: str = "float16") -> pa.RecordBatch:
    """So many, three of each image; the same for the same number."""
    rng = np.random.default_rng(count)
    return FEATURES.batch(
        {
            "image_id": [f"a/{i // 3}" for i in range(count)],
            "region": [i % 3 for i in range(count)],
            "feature": rng.normal(size=(count, width)).astype(precision),
        }
    )
