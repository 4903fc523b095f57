"""Search by vector: a FAISS index beside each part, a cache that may be deleted at any time.

Rows are compared by cosine. An artifact of up to a million rows is searched exactly; in a larger
one each large part gets an inverted file of half-precision vectors, of which a search reads the
nearest lists only, straight from disk; `rc search --check` measures what that costs. Pseudo-labels
never come from here.

Shapes: Q queries, R rows of a part, D width, K hits.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from pipeline.store.atomic import sha256, sweep_drafts, whole_or_absent
from pipeline.store.integrity import is_whole
from pipeline.store.vectors import check_width, directions, own_columns, unit, vector_column
from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.store.artifact import Artifact
    from pipeline.store.part_records import PartRecord

    Searcher = Callable[[NDArray[np.float32]], tuple[NDArray[np.float32], NDArray[np.int64]]]

_EXACT_ROWS = 1_000_000  # rows of an artifact that are compared one by one: 16 ms at width 128
_SMALL_PART = 50_000  # rows of a part that are, however large the artifact
_PROBES = 128  # lists of an inverted file looked at per query
_SAMPLE_PER_LIST = 40  # rows that place the centre of each list
_ROUNDS = 10  # of moving the centres
_HASH_BYTES = 32  # behind an index: the hash of its part, and that of all before
_GPU_HITS = 2048  # per query; FAISS finds no more on a GPU


def index_name(number: int) -> str:
    """File name of the index of a part."""
    return f"index-{number:05d}.faiss"


def build(artifact: Artifact) -> None:
    """Write the index of every part that lacks one.

    Raises:
        ArtifactError: If the artifact has no vectors, or a part is damaged.
    """
    sweep_drafts(artifact.path)
    for record in artifact.parts:
        if _saved(artifact, record) is None:
            _write(artifact, record, _make(artifact, record))


def search(
    artifact: Artifact,
    vectors: NDArray[Any],
    k: int,
    device: str = "cpu",
    advance: Callable[[int], None] = lambda rows: None,
) -> pa.Table:
    """The k rows of an artifact most similar to each query, best first.

    Args:
        artifact: One whose table has a vector column.
        vectors: (Q, D) queries; of any length, compared by direction alone.
        k: Hits per query; fewer if the artifact has fewer. Of equal scores the earlier part wins.
        device: cpu; cuda with a faiss made for it; or auto, which is cuda where it can be.
        advance: Called with the number of rows of each part that was searched.

    Returns:
        Columns query, rank, score (cosine), part and row, and the artifact's own columns but for
        the vector. A query or a row without direction (zero, or not finite) is in no hit.

    Raises:
        ArtifactError: If the artifact has no vectors, or of another width.
    """
    queries, directed = unit(np.asarray(vectors))
    results = []
    for record, find in zip(artifact.parts, searchers(artifact, k, device), strict=True):
        results.append(find(queries))
        advance(record.rows)
    scores = np.concatenate([np.zeros((len(queries), 0), np.float32), *(f[0] for f in results)], 1)
    rows = np.concatenate([np.zeros((len(queries), 0), np.int64), *(f[1] for f in results)], 1)
    numbers = np.repeat(artifact.numbers, [f[0].shape[1] for f in results]).astype(np.int32)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]  # (Q, K)
    best_rows = np.take_along_axis(rows, order, axis=1)
    best_scores = np.take_along_axis(scores, order, axis=1)
    hit = best_rows >= 0  # FAISS pads with -1
    rank = np.broadcast_to(np.arange(order.shape[1], dtype=np.int32), order.shape)
    query = np.broadcast_to(np.flatnonzero(directed).astype(np.int32)[:, None], order.shape)
    columns = {
        "query": query[hit],
        "rank": rank[hit],
        "score": best_scores[hit],
        "part": numbers[order][hit],
        "row": best_rows[hit],
    }
    return own_columns(artifact, pa.table(columns))


def best_device() -> str:
    """Name of the device to search on: cuda if faiss was made for it and one is there, or cpu."""
    import faiss

    return "cuda" if _made_for_gpu(faiss) and faiss.get_num_gpus() else "cpu"


def kind(artifact: Artifact) -> str:
    """How an artifact is searched, in a few words."""
    inverted = sum(_inverted(artifact, record) for record in artifact.parts)
    if not inverted:
        return "exact (flat)"
    parts = f"{inverted} of {len(artifact.numbers)} parts"
    return f"inverted files in {parts}, {_PROBES} lists a query"


def searchers(artifact: Artifact, k: int, device: str = "cpu") -> Iterator[Searcher]:
    """For each part what searches it; the index of one part is in memory at a time.

    Each takes unit queries (Q, D) and returns scores and rows, (Q, K) each, best first; rows that
    are missing are -1.

    Raises:
        ArtifactError: If the artifact has no vectors, or, when searched, of another width.
        SourceError: If the device is cuda and faiss was not made for it.
    """
    chosen = best_device() if device == "auto" else device
    sweep_drafts(artifact.path)
    for record in artifact.parts:
        yield _searcher(artifact, _load(artifact, record), k, chosen)


def _load(artifact: Artifact, record: PartRecord) -> Any:
    """The FAISS index of a part: what lies beside it, or made now and laid there."""
    index = _saved(artifact, record)
    if index is None:
        index = _make(artifact, record)
        with suppress(OSError):  # a store one may only read, or a full disk: search all the same
            _write(artifact, record, index)
    return index


def _searcher(artifact: Artifact, index: Any, k: int, device: str) -> Searcher:
    k = min(k, index.ntotal)
    placed = _on(device if k <= _GPU_HITS else "cpu", index)

    def find(queries: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        if index.ntotal:
            check_width(artifact, index.d, queries.shape[1])
        if not index.ntotal or not len(queries):
            none = np.zeros((len(queries), 0))
            return none.astype(np.float32), none.astype(np.int64)
        scores, rows = placed.search(queries, k)
        return scores, rows

    return find


def _make(artifact: Artifact, record: PartRecord) -> Any:
    """The index of one part, in memory."""
    import faiss

    path = artifact.part(record.number)
    column, width = vector_column(artifact, path)
    index: Any
    if not _inverted(artifact, record):
        index = faiss.IndexIDMap(faiss.IndexFlatIP(width))
    else:
        lists = math.isqrt(record.rows)
        half = faiss.ScalarQuantizer.QT_fp16
        index = faiss.IndexIVFScalarQuantizer(
            faiss.IndexFlatIP(width), width, lists, half, faiss.METRIC_INNER_PRODUCT
        )
        index.nprobe, index.cp.niter = _PROBES, _ROUNDS
        every = max(1, record.rows // (lists * _SAMPLE_PER_LIST))
        sample = [rows[ids % every == 0] for ids, rows in directions(path, column)]
        index.train(np.concatenate(sample))
    for ids, rows in directions(path, column):
        index.add_with_ids(rows, ids)
    return index


def _inverted(artifact: Artifact, record: PartRecord) -> bool:
    """Whether a part gets an inverted file rather than a flat index."""
    return artifact.manifest.rows > _EXACT_ROWS and record.rows > _SMALL_PART


def _saved(artifact: Artifact, record: PartRecord) -> Any | None:
    """The index that lies beside a part; None if there is none that fits it."""
    import faiss

    path = artifact.path / index_name(record.number)
    if not path.is_file() or not _is_of(path, record):
        return None
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)  # lists stay on disk until read
    except RuntimeError:  # of another FAISS: as good as none
        return None
    _, width = vector_column(artifact, artifact.part(record.number))
    return index if index.d == width and index.ntotal <= record.rows else None


def _write(artifact: Artifact, record: PartRecord, index: Any) -> None:
    import faiss

    with whole_or_absent(artifact.path / index_name(record.number)) as draft:
        faiss.write_index(index, str(draft))
        with draft.open("ab") as file:
            file.write(bytes.fromhex(record.sha256))
        digest = bytes.fromhex(sha256(draft))
        with draft.open("ab") as file:
            file.write(digest)


def _is_of(path: Path, record: PartRecord) -> bool:
    """Whether an index is as `_write` left it, and of this part; FAISS itself would not see it."""
    end = max(0, path.stat().st_size - _HASH_BYTES)
    with path.open("rb") as file:
        file.seek(max(0, end - _HASH_BYTES))
        part, digest = file.read(_HASH_BYTES).hex(), file.read(_HASH_BYTES).hex()
    return part == record.sha256 and is_whole(path, digest, end)


def _on(device: str, index: Any) -> Any:
    """The index where it is to be searched."""
    import faiss

    if device == "cpu":
        return index
    if not _made_for_gpu(faiss):
        raise SourceError(
            "this faiss was made without CUDA: install faiss-gpu-cu12 in place of faiss-cpu, "
            "or search with device cpu"
        )
    return faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)


def _made_for_gpu(faiss: Any) -> bool:
    return hasattr(faiss, "StandardGpuResources")
