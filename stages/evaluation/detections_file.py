"""The detections of an evaluation on disk: one Parquet file of rows as `EVALUATED_DETECTIONS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.evaluated_detections import EVALUATED_DETECTIONS

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from stages.evaluation.scores import Detections
    from stages.evaluation.vocabulary import Vocabulary

_ROWS_PER_GROUP = 50_000


class DetectionsFile:
    """Receives rows image by image and writes them in row groups."""

    def __init__(self, path: Path, vocabulary: Vocabulary) -> None:
        self._writer = pq.ParquetWriter(
            path, EVALUATED_DETECTIONS.arrow, compression="zstd", write_page_checksum=True
        )
        self._names = pa.array(vocabulary.names, pa.string())
        self._pending: list[pa.RecordBatch] = []

    def __enter__(self) -> DetectionsFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._flush()
        self._writer.close()

    def add(
        self,
        image_id: str,
        boxes: NDArray[np.float32],
        detections: Detections,
        *,
        truth: NDArray[np.int64] | None = None,
        rank: NDArray[np.int64] | None = None,
    ) -> None:
        """Add the rows of one image, in their order.

        Args:
            image_id: As in images.
            boxes: (M, 4).
            detections: What each box is; `region` becomes the column `detection`.
            truth: (M,) ids of the true categories, if known.
            rank: (M,) ranks of the true categories, if known.
        """
        count = len(boxes)
        nothing: list[Any] = [None] * count
        corners = zip(("x0", "y0", "x1", "y1"), boxes.T, strict=True)
        rows = {
            "image_id": [image_id] * count,
            "detection": detections.region.astype(np.int32),
            "category_id": detections.category.astype(np.int32),
            "category": self._names.take(pa.array(detections.category)),
            "score": detections.score.astype(np.float32),
            **{name: np.ascontiguousarray(values) for name, values in corners},
            "truth": nothing if truth is None else self._names.take(pa.array(truth)),
            "rank": nothing if rank is None else rank.astype(np.int32),
        }
        self._pending.append(EVALUATED_DETECTIONS.batch(rows))
        if sum(batch.num_rows for batch in self._pending) >= _ROWS_PER_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.Table.from_batches(self._pending).combine_chunks())
            self._pending = []
