"""Features of a sample, wherever they stand."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import ArtifactError
from schemas.features import FEATURES
from stages.labelling.sampled_features import sampled_features


def features(keys: list[tuple[str, int]], matrix: np.ndarray) -> pa.RecordBatch:
    images, regions = zip(*keys, strict=True)
    return FEATURES.batch({"image_id": images, "region": regions, "feature": matrix})


def test_each_region_has_its_own_feature_in_any_order() -> None:
    rng = np.random.default_rng()
    keys = [(f"image {i}", region) for i in range(9) for region in range(-1, 4)]
    matrix = rng.normal(size=(len(keys), 3)).astype(np.float16)
    order = rng.permutation(len(keys))
    shuffled = [keys[place] for place in order]
    batches = [features(shuffled[a : a + 7], matrix[order[a : a + 7]]) for a in range(0, 45, 7)]
    wanted = [keys[place] for place in rng.permutation(len(keys))[:12] if keys[place][1] >= 0]
    sample = pa.table(
        {
            "image_id": [image for image, _ in wanted],
            "region": pa.array([region for _, region in wanted], pa.int32()),
        }
    )
    found = sampled_features(sample, batches)
    np.testing.assert_array_equal(found, [matrix[keys.index(key)] for key in wanted])


def test_what_does_not_belong_together_is_named() -> None:
    sample = pa.table({"image_id": ["a", "b"], "region": pa.array([0, 1], pa.int32())})
    one = features([("a", 0)], np.ones((1, 3), np.float32))
    with pytest.raises(ArtifactError, match="1 labelled regions have no feature"):
        sampled_features(sample, [one])
    with pytest.raises(ArtifactError, match="2 labelled regions have no feature"):
        sampled_features(sample, [])
    with pytest.raises(ArtifactError, match="widths 3 and 4"):
        sampled_features(sample, [one, features([("b", 1)], np.ones((1, 4), np.float32))])
