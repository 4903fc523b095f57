"""Labelled images as a Parquet table of labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.exporting.label_writer import LabelWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.exporting.labelled_images import LabelledImage

_BUFFER_ROWS: Final = 50_000  # rows in memory before they are written


class ParquetFormat(LabelWriter):
    """labels.parquet, one row per label, and categories.parquet."""

    SCHEMA: Final = pa.schema(
        [
            *((name, pa.string()) for name in ("image_id", "split", "file_name", "category")),
            *((name, pa.int64()) for name in ("image", "region", "category_id", "width", "height")),
            *((name, pa.float32()) for name in ("score", "x0", "y0", "x1", "y1")),
        ]
    )

    def __init__(self, folder: Path, names: Sequence[str], images: str) -> None:
        super().__init__(folder, names, images)
        self._writer = pq.ParquetWriter(
            folder / "labels.parquet", self.SCHEMA, compression="zstd", write_page_checksum=True
        )
        self._buffer: list[dict[str, Any]] = []

    def add(self, image: LabelledImage) -> None:
        """See `LabelWriter.add`."""
        image.write(self.folder / "images" / image.split / image.file_name, self.images)
        about = {name: image.row[name] for name in ("image_id", "split", "width", "height")}
        about |= {"image": image.number, "file_name": f"{image.split}/{image.file_name}"}
        for label in image.labels:
            region = {key: label[key] for key in ("region", "score", "x0", "y0", "x1", "y1")}
            category = {
                "category": self.names[label["category"]],
                "category_id": label["category"] + 1,
            }
            self._buffer.append({**about, **category, **region})
        if len(self._buffer) > _BUFFER_ROWS:
            self._flush()

    def close(self) -> None:
        """See `LabelWriter.close`."""
        self._flush()
        self._writer.close()
        ids = list(range(1, len(self.names) + 1))
        rows = pa.table({"category_id": ids, "category": list(self.names)})
        pq.write_table(rows, self.folder / "categories.parquet", write_page_checksum=True)

    def _flush(self) -> None:
        if self._buffer:
            self._writer.write_table(pa.Table.from_pylist(self._buffer, self.SCHEMA))
            self._buffer = []
