"""Feature files: what regions look like, for programs that read NumPy, HDF5 or Parquet.

* npy: the features (N, D) in one array; the keys, row for row, in a Parquet file of its own.
* h5: what vision-language code reads of "bottom-up" features, all images in one file:
  ``features`` (N, D), ``boxes`` (N, 4), ``region`` (N,), and for image i of I ``image_id``,
  ``width``, ``height`` and the rows ``offsets[i]`` to ``offsets[i + 1]``.
* parquet: keys and features in one table.

Features are float32 and not normalised; boxes are x0, y0, x1, y1 in pixels of the original image.
Every writer holds one batch of rows, and of an HDF5 file the ids.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Final, Self

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

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
_FORMAT: Final = ("v110", "v110")  # of HDF5: read by every release since 2017


class FeatureFile(ABC):
    """Takes regions batch by batch; those of an image must stand together.

    A context manager; the files are complete when it is left without an error.
    """

    @abstractmethod
    def append(self, keys: pa.RecordBatch, features: NDArray[np.float32]) -> None:
        """Add N regions: their `KEYS`, and features (N, D)."""

    @abstractmethod
    def close(self, *, whole: bool) -> None:
        """Let go of the files; `whole` says that nothing more was to come."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(whole=error is None)


class NpyFile(FeatureFile):
    """A .npy of features (N, D), beside a Parquet of keys.

    Args:
        path: The array.
        keys: The Parquet.
        width: D.
    """

    def __init__(self, path: Path, keys: Path, width: int) -> None:
        self._width, self._rows = width, 0
        self._file = path.open("wb")
        self._keys = pq.ParquetWriter(keys, KEYS, compression="zstd")
        self._header = self._write_header()

    def append(self, keys: pa.RecordBatch, features: NDArray[np.float32]) -> None:
        """See `FeatureFile.append`."""
        self._keys.write_batch(keys)
        self._file.write(np.ascontiguousarray(features, "<f4").tobytes())
        self._rows += len(features)

    def close(self, *, whole: bool) -> None:
        """See `FeatureFile.close`: the header says how many rows there were."""
        self._keys.close()
        with self._file:
            if whole:
                self._file.seek(0)
                if self._write_header() != self._header:  # NumPy leaves room for 21 digits
                    raise AssertionError("the header of the array grew into its rows")

    def _write_header(self) -> int:
        shape = (self._rows, self._width)
        described = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, described)
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
        )

    def append(self, keys: pa.RecordBatch, features: NDArray[np.float32]) -> None:
        """See `FeatureFile.append`."""
        values = pa.array(np.ascontiguousarray(features, np.float32).reshape(-1))
        vectors = pa.FixedSizeListArray.from_arrays(values, self._width)
        columns = [*keys.columns, vectors]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=self._schema))

    def close(self, *, whole: bool) -> None:
        """See `FeatureFile.close`."""
        del whole  # a table is always as whole as its footer says
        self._writer.close()


class Hdf5File(FeatureFile):
    """One HDF5 file of all images; if left by an error without `offsets`, so no reader takes it."""

    def __init__(self, path: Path, width: int) -> None:
        self._file = h5py.File(path, "w", libver=_FORMAT)
        self._features = self._growing("features", (width or 1,), np.float32)
        self._boxes = self._growing("boxes", (4,), np.float32)
        self._region = self._growing("region", (), np.int32)
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

    def close(self, *, whole: bool) -> None:
        """See `FeatureFile.close`."""
        with self._file:
            if whole:
                encoded = [name.encode() for name in self._ids]
                text = h5py.string_dtype("utf-8", max(map(len, encoded), default=0) or 1)
                width, height = np.array(self._sizes, np.int32).reshape(-1, 2).T
                self._fixed("image_id", np.asarray(encoded, text))
                self._fixed("width", width)
                self._fixed("height", height)
                self._fixed("offsets", np.asarray(self._offsets, np.int64))

    def _growing(self, name: str, width: tuple[int, ...], kind: Any) -> Any:
        return self._file.create_dataset(
            name,
            shape=(0, *width),
            maxshape=(None, *width),
            chunks=(_CHUNK, *width),
            dtype=kind,
            track_times=False,
        )

    def _fixed(self, name: str, values: NDArray[Any]) -> None:
        self._file.create_dataset(name, data=values, track_times=False)
