"""The embeddings of a concept pool as one matrix, the classes that a student learns.

Shapes: C concepts, D embedding width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from schemas.errors import ArtifactError
from schemas.table import as_matrix

if TYPE_CHECKING:
    import pyarrow as pa


def embeddings_by_id(concepts: pa.Table, width: int) -> torch.Tensor:
    """Embeddings (C, D) float32 in order of concept_id.

    Raises:
        ArtifactError: If ids have gaps, or D is not `width`.
    """
    ids = concepts["concept_id"].to_numpy()
    order = np.argsort(ids)
    if not np.array_equal(ids[order], np.arange(len(ids))):
        raise ArtifactError("concept ids of the embeddings are not 0, 1, 2, ...: embed them again")
    matrix = as_matrix(concepts, "embedding")
    if matrix.shape[1] != width:
        raise ArtifactError(
            f"concepts are embedded {matrix.shape[1]} wide, the teacher's space is {width} wide: "
            f"name the embeddings made with this teacher, or the teacher they were made with"
        )
    return torch.from_numpy(matrix[order].astype(np.float32))
