"""Feature files: features of regions as NumPy, HDF5 or Parquet.

* npy: a folder of features.npy, one array (N, D), and keys.parquet, their keys row for row.
* h5: the arrays that vision-language code reads as "bottom-up" features, all images in one file:
  ``features`` (N, D), ``boxes`` (N, 4), ``region`` (N,), and for image i of I ``image_id``,
  ``width``, ``height`` and the rows ``offsets[i]`` to ``offsets[i + 1]``.
* parquet: keys and features in one table.

Features are float32 and not normalised; boxes are x0, y0, x1, y1 in pixels of the original image.
Every writer keeps one batch of rows in memory; the HDF5 writer also keeps the image ids.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stages.hdf5_files import NewFile, create_fixed, create_growing, create_texts

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

NPY_NAMES: Final = ("features.npy", "keys.parquet")
BOX: Final = ("x0", "y0", "x1", "y1")
KEYS: Final = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("region", pa.int32(), nullable=False),  # -1 is the whole image
        *(pa.field(side, pa.float32(), nullable=False) for side in BOX),
        pa.field("width", pa.int32(), nullable=False),  # of the image, pixels
        pa.field("height", pa.int32(), nullable=False),
    ]
)
_CHUNK: Final = 256  # rows of an HDF5 chunk: 1 MB at a width of 1024


class FeatureFile(ABC):
    """Writes regions batch by batch; the regions of an image must be consecutive.

    A context manager; after an exit without an error the files are complete.
    """

    @abstractmethod
    def append(self, keys: pa.RecordBatch, features: NDArray[np.float32]) -> None:
        """Append N regions: their `KEYS`, and features (N, D)."""

    @abstractmethod
    def close(self, *, complete: bool) -> None:
        """Close the files; `complete` is False after an error."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(complete=error is None)


class NpyFile(FeatureFile):
    """A .npy file of features (N, D), and a Parquet file of keys.

    Args:
        folder: For the two, `NPY_NAMES`.
        width: D.
    """

    def __init__(self, folder: Path, width: int) -> None:
        path, keys = (folder / name for name in NPY_NAMES)
        self._width, self._rows = width, 0
        self._file = path.open("wb")
        self._keys = pq.ParquetWriter(keys, KEYS, compression="zstd", write_page_checksum=True)
        self._header = self._write_header()

    def append(self, keys: pa.RecordBatch, features: NDArray[np.float32]) -> None:
        """See `FeatureFile.append`."""
        self._keys.write_batch(keys)
        self._file.write(np.ascontiguousarray(features, "<f4").tobytes())
        self._rows += len(features)

    def close(self, *, complete: bool) -> None:
        """See `FeatureFile.close`; the header gets the number of rows."""
        self._keys.close()
        with self._file:
            if complete:
                self._file.seek(0)
                if self._write_header() != self._header:  # NumPy reserves 21 digits
                    raise AssertionError("the longer header of the array would overwrite its rows")

    def _write_header(self) -> int:
        shape = (self._rows, self._width)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, header)
        return self._file.tell()


class ParquetFile(FeatureFile):
    """One table: `KEYS`, and feature as a list of D floats."""

    def __init__(self, path: Path, width: int) -> None:
        self._width = width
        self._schema = KEYS.append(pa.field("feature", pa.list_(pa.float32(), width), False))
        self._writer = pq.ParquetWriter(
            path,
            self._schema,
            compression=dict.fromkeys(KEYS.names, "ZSTD") | {"feature.list.element": "NONE"},
            use_dictionary=["image_id"],
            write_page_checksum=True,
        )

    def append(self, keys: pa.RecordBatch, features: NDArray[np.float32]) -> None:
        """See `FeatureFile.append`."""
        values = pa.array(np.ascontiguousarray(features, np.float32).reshape(-1))
        vectors = pa.FixedSizeListArray.from_arrays(values, self._width)
        columns = [*keys.columns, vectors]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def close(self, *, complete: bool) -> None:
        """See `FeatureFile.close`."""
        del complete  # readers see from the footer whether a Parquet file is complete
        self._writer.close()


class Hdf5File(FeatureFile):
    """One HDF5 file of all images; without `offsets` after an error, so that readers reject it."""

    def __init__(self, path: Path, width: int) -> None:
        self._file = NewFile(path)
        self._features = create_growing(self._file, "features", (width or 1,), np.float32, _CHUNK)
        self._boxes = create_growing(self._file, "boxes", (4,), np.float32, _CHUNK)
        self._region = create_growing(self._file, "region", (), np.int32, _CHUNK)
        self._ids: list[str] = []
        self._sizes: list[tuple[int, int]] = []
        self._offsets = [0]

    def append(self, keys: pa.RecordBatch, features: NDArray[np.float32]) -> None:
        """See `FeatureFile.append`."""
        boxes = np.stack([keys.column(side).to_numpy() for side in BOX], axis=1)
        for data, values in (
            (self._features, features),
            (self._boxes, boxes),
            (self._region, keys.column("region").to_numpy()),
        ):
            data.resize(len(data) + len(values), axis=0)
            data[len(data) - len(values) :] = values
        names = keys.column("image_id").to_pylist()
        sizes = zip(
            keys.column("width").to_pylist(), keys.column("height").to_pylist(), strict=True
        )
        for name, size in zip(names, sizes, strict=True):
            if not self._ids or self._ids[-1] != name:
                self._ids.append(name)
                self._sizes.append(size)
                self._offsets.append(self._offsets[-1])
            self._offsets[-1] += 1

    def close(self, *, complete: bool) -> None:
        """See `FeatureFile.close`."""
        with self._file:
            if complete:
                width, height = np.array(self._sizes, np.int32).reshape(-1, 2).T
                create_texts(self._file, "image_id", [name.encode() for name in self._ids])
                create_fixed(self._file, "width", width)
                create_fixed(self._file, "height", height)
                create_fixed(self._file, "offsets", np.asarray(self._offsets, np.int64))
