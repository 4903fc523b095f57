"""HDF5 files as we write them: equal content makes equal bytes.

No times are stored, nothing is compressed, and the file format is pinned. A full disk is an error
when the file is closed: HDF5 itself would end the process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np

from stages.late_errors import LateErrorFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import DTypeLike, NDArray

_FORMAT: Final = ("v110", "v110")  # of HDF5: read by every release since 2017


class NewFile(h5py.File):  # type: ignore[misc]
    """A new HDF5 file; an existing one is replaced."""

    def __init__(self, path: Path) -> None:
        self._disk = LateErrorFile(path)
        super().__init__(self._disk, "w", libver=_FORMAT)

    def close(self) -> None:
        """Close the file.

        Raises:
            OSError: If something could not be written.
        """
        if self.id:
            super().close()
            self._disk.finish()


def create_growing(
    file: Any, name: str, width: tuple[int, ...], kind: DTypeLike, chunk: int
) -> Any:
    """A dataset (0, *width) that can be resized along its rows, stored `chunk` rows together."""
    return file.create_dataset(
        name,
        shape=(0, *width),
        maxshape=(None, *width),
        chunks=(chunk, *width),
        dtype=kind,
        track_times=False,
    )


def create_fixed(file: Any, name: str, values: NDArray[Any]) -> None:
    """A dataset of values that are all there."""
    file.create_dataset(name, data=values, track_times=False)


def create_texts(file: Any, name: str, texts: Sequence[bytes]) -> None:
    """A dataset of UTF-8 texts, each in as many bytes as the longest takes."""
    kind = h5py.string_dtype("utf-8", max(map(len, texts), default=0) or 1)
    create_fixed(file, name, np.asarray(texts, kind))
