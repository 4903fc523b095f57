"""The detections of an evaluation on disk: one Parquet file of rows as `DETECTIONS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.detections import DETECTIONS

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from stages.evaluation.scores import Detections
    from stages.evaluation.vocabulary import Vocabulary

_GROUP = 50_000  # rows of a row group


class DetectionsFile:
    """Takes the rows image by image and writes them in groups."""

    def __init__(self, path: Path, vocabulary: Vocabulary) -> None:
        self._writer = pq.ParquetWriter(path, DETECTIONS.arrow, compression="zstd")
        self._names = pa.array(vocabulary.names, pa.string())
        self._waiting: list[pa.RecordBatch] = []

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
        said: Detections,
        *,
        truth: NDArray[np.int64] | None = None,
        rank: NDArray[np.int64] | None = None,
    ) -> None:
        """Add the rows of one image, in their order.

        Args:
            image_id: As in images.
            boxes: (M, 4).
            said: Of each box, its number in `region`.
            truth: (M,) ids of the true categories, if known.
            rank: (M,) places of the true categories, if known.
        """
        count = len(boxes)
        nothing: list[Any] = [None] * count
        corners = zip(("x0", "y0", "x1", "y1"), boxes.T, strict=True)
        rows = {
            "image_id": [image_id] * count,
            "detection": said.region.astype(np.int32),
            "category_id": said.category.astype(np.int32),
            "category": self._names.take(pa.array(said.category)),
            "score": said.score.astype(np.float32),
            **{name: np.ascontiguousarray(values) for name, values in corners},
            "truth": nothing if truth is None else self._names.take(pa.array(truth)),
            "rank": nothing if rank is None else rank.astype(np.int32),
        }
        self._waiting.append(DETECTIONS.batch(rows))
        if sum(batch.num_rows for batch in self._waiting) >= _GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting).combine_chunks())
            self._waiting = []
