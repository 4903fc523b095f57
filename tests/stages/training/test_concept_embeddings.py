from __future__ import annotations

import pyarrow as pa
import pytest
import torch

from schemas.errors import ArtifactError
from stages.training.concept_embeddings import embeddings_by_id
from tests.stages.training import tiny


def test_rows_are_in_the_order_of_the_ids() -> None:
    rows = tiny.embeddings()
    matrix = embeddings_by_id(rows, tiny.WIDTH)
    assert matrix.shape == (3, tiny.WIDTH)
    assert torch.equal(embeddings_by_id(rows.take([2, 0, 1]), tiny.WIDTH), matrix)


def test_ids_without_gaps_and_the_width_of_the_teacher_are_needed() -> None:
    with pytest.raises(ArtifactError, match="concept ids of the embeddings are not 0, 1, 2"):
        embeddings_by_id(tiny.embeddings().take(pa.array([0, 2])), tiny.WIDTH)
    with pytest.raises(ArtifactError, match="embedded 16 wide, the teacher's space is 32 wide"):
        embeddings_by_id(tiny.embeddings(width=16), tiny.WIDTH)
