from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
import torch

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.errors import ArtifactError
from stages.labelling.concept_pool import ConceptPool
from stages.labelling.label_similarity import LabelSimilarity

SCALE = LabelSimilarity(0.1, None, given=True)


def pool_of(vectors: list[list[float]]) -> ConceptPool:
    rows = {
        "concept_id": range(len(vectors)),
        "concept": [f"c{n}" for n in range(len(vectors))],
        "prompts": [1] * len(vectors),
        "embedding": np.float32(vectors),
    }
    table = pa.Table.from_batches([CONCEPT_EMBEDDINGS.batch(rows)])
    return ConceptPool.read(table.take(list(reversed(range(len(vectors))))), torch.device("cpu"))


def test_embeddings_are_unit_rows_in_the_order_of_their_ids() -> None:
    pool = pool_of([[3, 4], [0, 2]])
    assert pool.names == ["c0", "c1"]
    np.testing.assert_allclose(pool.embeddings.numpy(), [[0.6, 0.8], [0, 1]], rtol=1e-6)


def test_features_of_any_length_are_compared_in_blocks_of_any_size() -> None:
    pool = pool_of([[1, 0], [0, 1], [-1, 0]])
    features = np.float32([[5, 1], [-0.1, 0.2]])
    matches = [pool.match(features, SCALE, 2, block) for block in ((None, 100), (1, 1))]
    assert [m.indices.tolist() for m in matches] == [[[0, 1], [1, 2]]] * 2
    torch.testing.assert_close(matches[0].probabilities, matches[1].probabilities)


def test_a_region_is_only_compared_with_what_its_captions_mention() -> None:
    pool = pool_of([[1, 0], [0, 1], [-1, 0]])
    rows = pa.table({"image_id": ["a", "b"], "region": [0, 0]})
    mentioned = {"a": {"c1", "c2", "unknown"}}
    features = np.float32([[5, 1], [1, 0]])
    kept, used, matches = pool.match_mentioned(rows, features, mentioned, SCALE, 1)
    assert kept.to_pylist() == [{"image_id": "a", "region": 0}]
    assert used.tolist() == [[5, 1]]
    assert matches.indices.tolist() == [[1]]


def test_features_of_another_width_are_refused() -> None:
    with pytest.raises(ArtifactError, match="features have width 3, concept embeddings 2"):
        pool_of([[1, 0]]).match(np.ones((1, 3), np.float32), SCALE, 1, (None, 9))
    pool_of([[1, 0]]).check_width(2)
    with pytest.raises(ArtifactError, match="features have width 3, concept embeddings 2"):
        pool_of([[1, 0]]).check_width(3)
