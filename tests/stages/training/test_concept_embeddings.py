from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import ArtifactError
from stages.training.concept_embeddings import embeddings_by_id


def concepts(ids: list[int], width: int = 3) -> pa.Table:
    rows = np.arange(len(ids) * width, dtype=np.float32).reshape(len(ids), width)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), width)
    return pa.table({"concept_id": pa.array(ids, pa.int32()), "embedding": vectors})


def test_rows_are_in_the_order_of_the_ids() -> None:
    matrix = embeddings_by_id(concepts([2, 0, 1]), 3)
    assert matrix.tolist() == [[3, 4, 5], [6, 7, 8], [0, 1, 2]]


def test_ids_without_gaps_and_the_width_of_the_teacher_are_needed() -> None:
    with pytest.raises(ArtifactError, match="are not 0, 1, 2"):
        embeddings_by_id(concepts([0, 2]), 3)
    with pytest.raises(ArtifactError, match="3 wide, the teacher's space is 4 wide"):
        embeddings_by_id(concepts([0, 1]), 4)
