from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from stages.hdf5_files import NewFile, create_fixed, create_growing, create_texts
from tests.small_disk import small_disk

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ["a", "größer", ""]


def write(path: Path) -> bytes:
    with NewFile(path) as file:
        rows = create_growing(file, "rows", (2,), np.float32, 3)
        for start in (0, 2):
            rows.resize(start + 2, axis=0)
            rows[start:] = np.float32([[start, 1], [start, 2]])
        create_fixed(file, "fixed", np.arange(3))
        create_texts(file, "texts", [text.encode() for text in TEXTS])
        create_texts(file, "none", [])
    return path.read_bytes()


def test_what_is_written_is_read_by_h5py(tmp_path: Path) -> None:
    write(tmp_path / "a.h5")
    with h5py.File(tmp_path / "a.h5") as file:
        assert file["rows"][:].tolist() == [[0, 1], [0, 2], [2, 1], [2, 2]]
        assert (file["rows"].dtype, file["rows"].chunks) == (np.float32, (3, 2))
        assert file["fixed"][:].tolist() == [0, 1, 2]
        assert file["texts"].asstr()[:].tolist() == TEXTS
        assert file["texts"].dtype.itemsize == len("größer".encode())
        assert file["none"].shape == (0,)


def test_equal_content_makes_equal_bytes_over_whatever_was_there(tmp_path: Path) -> None:
    (tmp_path / "b.h5").write_bytes(b"something else" * 1000)
    assert write(tmp_path / "a.h5") == write(tmp_path / "b.h5")


def write_long(path: Path) -> None:
    rows = np.arange(50_000, dtype=np.float64)
    with NewFile(path) as file:
        create_growing(file, "rows", (), np.float64, 100).resize(len(rows), axis=0)
        for start in range(0, len(rows), 1000):
            file["rows"][start : start + 1000] = rows[start : start + 1000]


@pytest.mark.parametrize("size", [0, 1000, 100_000, 300_000])
def test_a_full_disk_is_an_error_when_the_file_is_closed(tmp_path: Path, size: int) -> None:
    with small_disk(size), pytest.raises(OSError, match=r"File too large.*a\.h5"):
        write_long(tmp_path / "a.h5")
