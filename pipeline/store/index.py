"""Search by vector: a FAISS index beside each part, a cache that may be deleted at any time.

Rows are compared by cosine. A part of up to a million rows is searched exactly; a larger one by
an inverted file that looks at the nearest lists only. Pseudo-labels never come from here.

Shapes: Q queries, R rows of a part, D width, K hits.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.store import parts
from pipeline.store.atomic import whole_or_absent
from schemas.errors import ArtifactError, SourceError
from schemas.table import as_matrix, vector_format

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.store.artifact import Artifact
    from pipeline.store.manifest import PartRecord

_EXACT_ROWS = 1_000_000  # above so many rows in a part, an inverted file
_PROBES = 64  # lists of an inverted file looked at per query
_SAMPLE_PER_LIST = 40  # rows that place the centre of each list
_ROUNDS = 10  # of moving the centres


def index_name(number: int) -> str:
    """File name of the index of a part."""
    return f"index-{number:05d}.faiss"


def build(artifact: Artifact) -> None:
    """Write the index of every part that lacks one.

    Raises:
        ArtifactError: If the artifact has no vectors, or a part is damaged.
    """
    for record in artifact.manifest.parts:
        if _saved(artifact, record) is None:
            _write(_make(artifact, record), artifact.path / index_name(record.number))


def search(artifact: Artifact, vectors: NDArray[Any], k: int, device: str = "cpu") -> pa.Table:
    """The k rows of an artifact most similar to each query, best first.

    Args:
        artifact: One whose table has a vector column.
        vectors: (Q, D) queries; of any length, compared by direction alone.
        k: Hits per query; fewer if the artifact has fewer. Of equal scores the earlier part wins.
        device: cpu, or cuda with a faiss made for it.

    Returns:
        Columns query, rank, score (cosine), part and row, and the artifact's own columns but for
        the vector. A query or a row without direction (zero, or not finite) is in no hit.

    Raises:
        ArtifactError: If the artifact has no vectors, or of another width.
    """
    queries, asked = _unit(np.asarray(vectors))
    found = [
        _search_part(artifact, record, queries, k, device) for record in artifact.manifest.parts
    ]
    scores = np.concatenate([np.zeros((len(queries), 0), np.float32), *(f[0] for f in found)], 1)
    rows = np.concatenate([np.zeros((len(queries), 0), np.int64), *(f[1] for f in found)], 1)
    numbers = np.repeat(artifact.numbers, [f[0].shape[1] for f in found]).astype(np.int32)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]  # (Q, K)
    best_rows = np.take_along_axis(rows, order, axis=1)
    best_scores = np.take_along_axis(scores, order, axis=1)
    hit = best_rows >= 0  # FAISS pads with -1
    rank = np.broadcast_to(np.arange(order.shape[1], dtype=np.int32), order.shape)
    query = np.broadcast_to(np.flatnonzero(asked).astype(np.int32)[:, None], order.shape)
    columns = {
        "query": query[hit],
        "rank": rank[hit],
        "score": best_scores[hit],
        "part": numbers[order][hit],
        "row": best_rows[hit],
    }
    return _with_own_columns(artifact, pa.table(columns))


def _search_part(
    artifact: Artifact, record: PartRecord, queries: NDArray[np.float32], k: int, device: str
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Scores and rows, (Q, K) each, of the best rows of one part."""
    index = _saved(artifact, record)
    if index is None:
        index = _make(artifact, record)
        with suppress(OSError):  # a store one may only read, or a full disk: search all the same
            _write(index, artifact.path / index_name(record.number))
    if index.ntotal and queries.shape[1] != index.d:
        raise ArtifactError(
            f"{artifact.address} holds vectors of {index.d} numbers, the query has "
            f"{queries.shape[1]}: embed it with the model the artifact was made with"
        )
    if not index.ntotal or not len(queries):
        none = np.zeros((len(queries), 0))
        return none.astype(np.float32), none.astype(np.int64)
    scores, rows = _on(device, index).search(queries, min(k, index.ntotal))
    return scores, rows


def _make(artifact: Artifact, record: PartRecord) -> Any:
    """The index of one part, in memory."""
    import faiss

    path = artifact.part(record.number)
    column, width = _vector_column(artifact, path)
    index: Any
    if record.rows <= _EXACT_ROWS:
        index = faiss.IndexIDMap(faiss.IndexFlatIP(width))
    else:
        lists = math.isqrt(record.rows)
        index = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT
        )
        index.nprobe, index.cp.niter = _PROBES, _ROUNDS
        every = max(1, record.rows // (lists * _SAMPLE_PER_LIST))
        sample = [rows[ids % every == 0] for ids, rows in _directions(path, column)]
        index.train(np.concatenate(sample))
    for ids, rows in _directions(path, column):
        index.add_with_ids(rows, ids)
    return index


def _directions(path: Path, column: str) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Row numbers (R,) and unit vectors (R, D) of a part, some rows at a time."""
    start = 0
    for batch in parts.batches(path, [column]):
        rows, kept = _unit(as_matrix(batch, column))
        yield start + np.flatnonzero(kept), rows
        start += batch.num_rows


def _unit(vectors: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Unit rows of those vectors that have a direction, and which those are."""
    wide = vectors.astype(np.float64)  # squares of float16 and float32 may overflow
    with np.errstate(invalid="ignore"):
        norms = np.linalg.norm(wide, axis=1)
    kept = np.isfinite(norms) & (norms > 0)
    return (wide[kept] / norms[kept, None]).astype(np.float32), kept


def _vector_column(artifact: Artifact, path: Path) -> tuple[str, int]:
    """Name and width of the vector column."""
    for field in parts.schema(path):
        if found := vector_format(field):
            return str(field.name), found[0]
    raise ArtifactError(f"{artifact.address} has no vectors to search")


def _saved(artifact: Artifact, record: PartRecord) -> Any | None:
    """The index that lies beside a part; None if there is none that fits it."""
    import faiss

    path = artifact.path / index_name(record.number)
    if not path.is_file():
        return None
    try:
        index = faiss.read_index(str(path))
    except RuntimeError:  # damaged: as good as none
        return None
    _, width = _vector_column(artifact, artifact.part(record.number))
    return index if index.d == width and index.ntotal <= record.rows else None


def _write(index: Any, path: Path) -> None:
    import faiss

    with whole_or_absent(path) as draft:
        faiss.write_index(index, str(draft))


def _on(device: str, index: Any) -> Any:
    """The index where it is to be searched."""
    import faiss

    if device == "cpu":
        return index
    if not hasattr(faiss, "StandardGpuResources"):
        raise SourceError(
            "this faiss was made without CUDA: install 'regionclip-toolkit[gpu]' in place of "
            "faiss-cpu, or search with device cpu"
        )
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)


def _with_own_columns(artifact: Artifact, hits: pa.Table) -> pa.Table:
    """Hits with the columns of the rows they point at."""
    if not artifact.manifest.parts:
        return hits
    first = parts.schema(artifact.files()[0])
    names = [field.name for field in first if not vector_format(field)]
    own = [hits.slice(0, 0)]
    for number in sorted(set(hits.column("part").to_pylist())):
        here = hits.filter(pc.equal(hits.column("part"), number))
        rows = pa.Table.from_batches(list(parts.batches(artifact.part(number), names)))
        for name in names:
            here = here.append_column(name, rows.column(name).take(here.column("row")))
        own.append(here)
    found = pa.concat_tables(own[1:] or own)
    return found.sort_by([("query", "ascending"), ("rank", "ascending")])
