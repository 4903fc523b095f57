"""Raw region dumps: every box of a localizer, image after image, in one HDF5 file.

The layout, which other programs may write too:

* ``boxes``       (N, 4) float, x0, y0, x1, y1 in pixels of the original image
* ``objectness``  (N,) float; the file's attribute ``objectness`` says ``logit`` or ``score``
* ``offsets``     (I + 1,) integer; boxes offsets[i] to offsets[i + 1] are those of image i
* ``image_id``    (I,) UTF-8
* ``level``       (N,) unsigned 8 bits, optional: the feature map that each box comes from

A file without the attribute holds scores. Equal appends make equal bytes. Files of other programs
are not trusted: links out of the file are not followed, and shapes, types and offsets are checked
on opening.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import h5py
import numpy as np

from schemas.errors import SourceError
from stages.hdf5_files import NewFile, create_fixed, create_growing, create_texts
from stages.sources.files import error_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

ScoreKind = Literal["logit", "score"]

_CHUNK: Final = 4096  # rows: 64 kB of boxes, what a disk reads in one go
_MAX_BOXES: Final = 1_000_000  # of one image; with more, the offsets count as damaged
_MAX_IMAGES: Final = 100_000_000  # of one file: their offsets are in memory, 8 bytes each
_MAX_CHUNK_BYTES: Final = 256 * 2**20  # a chunk is read whole
_DIMENSIONS: Final = {"boxes": 2, "objectness": 1, "offsets": 1, "image_id": 1, "level": 1}
_DTYPES: Final = {
    "boxes": "fiu",
    "objectness": "f",
    "offsets": "iu",
    "image_id": "OS",
    "level": "u",
}
_REQUIRED: Final = ("boxes", "objectness", "offsets", "image_id")


class DumpWriter:
    """Writes a dump image by image; only ids and offsets stay in memory.

    A context manager. After an error the file has no offsets, so that no reader accepts it.

    Args:
        path: File to write; an existing one is replaced.
        kind: Whether objectness is a raw logit or a score.
    """

    def __init__(self, path: Path, kind: ScoreKind) -> None:
        self._file = NewFile(path)
        self._file.attrs["objectness"] = kind
        self._boxes = create_growing(self._file, "boxes", (4,), np.float32, _CHUNK)
        self._objectness = create_growing(self._file, "objectness", (), np.float32, _CHUNK)
        self._ids: list[bytes] = []
        self._offsets = [0]
        self._pending: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        self._pending_levels: list[NDArray[np.uint8]] = []
        self._level: Any = None  # the dataset; made when the first levels arrive

    def append(
        self,
        image_id: str,
        boxes: NDArray[np.float32],
        objectness: NDArray[np.float32],
        levels: NDArray[np.uint8] | None = None,
    ) -> None:
        """Add an image: (R, 4) boxes and their (R,) objectness; R may be 0.

        Either every image has levels (R,), or none has.
        """
        if levels is not None:
            self._pending_levels.append(levels)
            if self._level is None:
                self._level = create_growing(self._file, "level", (), np.uint8, _CHUNK)
        self._ids.append(image_id.encode())
        self._offsets.append(self._offsets[-1] + len(boxes))
        self._pending.append((boxes, objectness))
        if self._offsets[-1] - len(self._boxes) >= _CHUNK:
            self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            if error is None:
                self._flush()
                create_fixed(self._file, "offsets", np.asarray(self._offsets, np.int64))
                create_texts(self._file, "image_id", self._ids)

    def _flush(self) -> None:
        start, stop = len(self._boxes), self._offsets[-1]
        if stop > start:
            self._boxes.resize(stop, axis=0)
            self._objectness.resize(stop, axis=0)
            self._boxes[start:] = np.concatenate([boxes for boxes, _ in self._pending])
            self._objectness[start:] = np.concatenate([scores for _, scores in self._pending])
            if self._level is not None:
                self._level.resize(stop, axis=0)
                self._level[start:] = np.concatenate(self._pending_levels)
        self._pending.clear()
        self._pending_levels.clear()


class DumpReader:
    """Reads a dump image by image; boxes are read from the file when they are needed.

    A context manager, and a sequence of (image_id, (R, 4) boxes, (R,) objectness). Values are
    returned as they are, NaN included; the selection drops those.

    Attributes:
        kind: Whether objectness is a raw logit or a score.
        image_ids: One per image, in the order of the file.

    Raises:
        SourceError: If the file does not have this layout; the message says what is wrong.
    """

    kind: ScoreKind
    image_ids: list[str]

    def __init__(self, path: Path) -> None:
        self._path = path
        with contextlib.ExitStack() as undo:
            try:
                self._file = undo.enter_context(h5py.File(path, "r"))
                self._boxes, self._objectness, offsets, ids = map(self._dataset, _REQUIRED)
                self._level = self._dataset("level") if "level" in self._file else None
                self.kind = self._checked_kind()
                self._offsets = self._checked_offsets(offsets)
                self.image_ids = self._checked_ids(ids)
            except SourceError:
                raise
            except Exception as error:  # what is wrong in a file shows as an error of any kind
                raise SourceError(
                    f"{path}: not a readable HDF5 region dump ({error_line(error)}); write it again"
                ) from error
            undo.pop_all()

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, index: int) -> tuple[str, NDArray[np.float32], NDArray[np.float32]]:
        rows = slice(self._offsets[index], self._offsets[index + 1])
        try:
            boxes, objectness = self._boxes[rows], self._objectness[rows]
        except Exception as error:
            raise self._unreadable(f"the boxes of image {index}", error) from error
        return self.image_ids[index], boxes.astype(np.float32), objectness.astype(np.float32)

    def blocks(
        self, rows: int = 1 << 16
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]]:
        """All boxes, `rows` at a time: indices of their images, boxes, objectness."""
        for first in range(0, len(self._boxes), rows):
            last = min(first + rows, len(self._boxes))
            owners = np.searchsorted(self._offsets, np.arange(first, last), side="right") - 1
            try:
                boxes, objectness = self._boxes[first:last], self._objectness[first:last]
            except Exception as error:
                raise self._unreadable(f"boxes {first} to {last}", error) from error
            yield owners, boxes.astype(np.float32), objectness.astype(np.float32)

    def levels(self, index: int) -> NDArray[np.uint8] | None:
        """The feature map (R,) that each box of an image comes from; None if not in the file."""
        if self._level is None:
            return None
        rows = slice(self._offsets[index], self._offsets[index + 1])
        try:
            return np.asarray(self._level[rows], np.uint8)
        except Exception as error:
            raise self._unreadable(f"the levels of image {index}", error) from error

    def __iter__(self) -> Iterator[tuple[str, NDArray[np.float32], NDArray[np.float32]]]:
        return (self[index] for index in range(len(self)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _damaged(self, what: str) -> SourceError:
        return SourceError(f"{self._path}: not a region dump: {what}")

    def _unreadable(self, what: str, error: Exception) -> SourceError:
        return self._damaged(f"{what} cannot be read ({error_line(error)})")

    def _dataset(self, name: str) -> Any:
        link = self._file.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise self._damaged(f"'{name}' is {'missing' if link is None else 'a link elsewhere'}")
        data = self._file[name]
        if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
            raise self._damaged(f"'{name}' is not a dataset kept in this file")
        if len(data.shape or ()) != _DIMENSIONS[name] or data.dtype.kind not in _DTYPES[name]:
            raise self._damaged(f"'{name}' has shape {data.shape} and type {data.dtype}")
        if data.chunks and math.prod(data.chunks) * data.dtype.itemsize > _MAX_CHUNK_BYTES:
            raise self._damaged(f"'{name}' has chunks of {data.chunks}, too large to read")
        return data

    def _checked_kind(self) -> ScoreKind:
        kind = self._file.attrs.get("objectness", "score")
        if not isinstance(kind, str) or kind not in ("logit", "score"):
            raise self._damaged(f"attribute 'objectness' must be logit or score, got {kind!r}")
        return "logit" if kind == "logit" else "score"

    def _checked_offsets(self, data: Any) -> NDArray[np.int64]:
        boxes, objectness = self._boxes.shape, self._objectness.shape
        if self._level is not None and self._level.shape != objectness:
            raise self._damaged(f"'level' of shape {self._level.shape} does not fit {objectness}")
        if boxes[1] != 4 or objectness[0] != boxes[0]:
            raise self._damaged(f"boxes of shape {boxes} do not fit objectness of {objectness}")
        if not 1 <= data.shape[0] <= _MAX_IMAGES:
            raise self._damaged(f"'offsets' has {data.shape[0]} entries")
        offsets = np.asarray(data[:]).astype(np.int64)
        sizes = np.diff(offsets)
        if offsets[0] != 0 or offsets[-1] != boxes[0] or (sizes < 0).any():
            raise self._damaged(f"'offsets' must rise from 0 to the number of boxes, {boxes[0]}")
        if sizes.max(initial=0) > _MAX_BOXES:
            raise self._damaged(f"image {sizes.argmax()} has {sizes.max()} boxes")
        return offsets

    def _checked_ids(self, data: Any) -> list[str]:
        if data.shape[0] != len(self._offsets) - 1 or h5py.check_string_dtype(data.dtype) is None:
            raise self._damaged(
                f"'image_id' must be one text for each of {len(self._offsets) - 1} images, "
                f"got {data.shape[0]} of type {data.dtype}"
            )
        ids = [value.decode() for value in data[:]]
        if len(set(ids)) != len(ids):
            raise self._damaged("an image_id occurs twice")
        return ids
