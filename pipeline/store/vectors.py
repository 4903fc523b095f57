"""The vectors of an artifact as directions: unit rows, part by part, a block at a time.

Shapes: R rows of a block, D width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.store import parts
from schemas.errors import ArtifactError
from schemas.table import as_matrix, vector_format

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.store.artifact import Artifact


def unit(vectors: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Unit rows of those vectors that have a direction, and which those are."""
    wide = vectors.astype(np.float64)  # squares of float16 and float32 may overflow
    with np.errstate(invalid="ignore"):
        norms = np.linalg.norm(wide, axis=1)
    kept = np.isfinite(norms) & (norms > 0)
    return (wide[kept] / norms[kept, None]).astype(np.float32), kept


def directions(path: Path, column: str) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Row numbers (R,) and unit vectors (R, D) of a part; rows without direction are left out."""
    start = 0
    for batch in parts.batches(path, [column]):
        rows, kept = unit(as_matrix(batch, column))
        yield start + np.flatnonzero(kept), rows
        start += batch.num_rows


def vector_column(artifact: Artifact, path: Path) -> tuple[str, int]:
    """Name and width of the vector column of a part.

    Raises:
        ArtifactError: If there is none.
    """
    for field in parts.schema(path):
        if known := vector_format(field):
            return str(field.name), known[0]
    raise ArtifactError(f"{artifact.address} has no vectors to search")


def check_width(artifact: Artifact, width: int, query_width: int) -> None:
    """Pass if queries are as wide as the vectors.

    Raises:
        ArtifactError: If not.
    """
    if width != query_width:
        raise ArtifactError(
            f"{artifact.address} holds vectors of {width} numbers, the query has {query_width}: "
            "embed it with the model the artifact was made with"
        )


def own_columns(artifact: Artifact, hits: pa.Table) -> pa.Table:
    """Hits (columns part and row) with the columns of the rows they point at, but the vectors."""
    if not artifact.manifest.parts.count:
        return hits
    own = [field for field in parts.schema(artifact.files()[0]) if not vector_format(field)]
    names = [field.name for field in own]
    empty = pa.schema([*hits.schema, pa.field("_order", pa.int64()), *own]).empty_table()
    hits = hits.append_column("_order", pa.array(np.arange(hits.num_rows)))
    numbers, tables = hits.column("part").to_numpy(), [empty]
    for number in np.unique(numbers).tolist():
        here = hits.filter(pa.array(numbers == number))
        rows = parts.take(artifact.part(number), here.column("row").to_numpy(), names)
        for name in names:
            here = here.append_column(name, rows.column(name))
        tables.append(here)
    together = pa.concat_tables(tables, promote_options="permissive")
    return together.sort_by("_order").drop_columns(["_order"])
