"""Feature files: what other programs read of them, whatever the batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.exporting.feature_file import KEYS, FeatureFile, Hdf5File, NpyFile, ParquetFile

if TYPE_CHECKING:
    from pathlib import Path

REGIONS = (3, 1, 0, 4)  # of images 0, 1, 2, 3; the image without regions is in no file
WIDTH = 5


def regions() -> tuple[pa.RecordBatch, np.ndarray]:
    """Keys and random features of all regions."""
    rng = np.random.default_rng(3)
    count = sum(REGIONS)
    image = np.repeat(np.arange(len(REGIONS)), REGIONS)
    columns: dict[str, Any] = {
        "image_id": [f"bild/ö{number}" for number in image],
        "region": [k for number in REGIONS for k in range(number)],
        **{side: rng.random(count, np.float32) for side in ("x0", "y0", "x1", "y1")},
        "width": 100 + image,
        "height": 200 + image,
    }
    keys = pa.RecordBatch.from_pydict(columns, schema=KEYS)
    return keys, rng.standard_normal((count, WIDTH)).astype(np.float32)


def write(file: FeatureFile, batch: int) -> None:
    keys, features = regions()
    with file:
        for start in range(0, len(features), batch):
            file.append(keys.slice(start, batch), features[start : start + batch])


def write_and_fail(file: FeatureFile) -> None:
    with file:
        file.append(*regions())
        raise ZeroDivisionError


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_an_npy_file_has_all_features_and_a_parquet_file_all_keys(
    tmp_path: Path, batch: int
) -> None:
    write(NpyFile(tmp_path, WIDTH), batch)
    keys, features = regions()
    actual = np.load(tmp_path / "features.npy")
    assert actual.dtype == np.float32
    np.testing.assert_array_equal(actual, features)
    assert pq.read_table(tmp_path / "keys.parquet").to_pylist() == keys.to_pylist()


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_a_parquet_file_has_keys_and_features_in_one_table(tmp_path: Path, batch: int) -> None:
    write(ParquetFile(tmp_path / "a.parquet", WIDTH), batch)
    keys, features = regions()
    table = pq.read_table(tmp_path / "a.parquet")
    np.testing.assert_array_equal(np.array(table["feature"].to_pylist(), np.float32), features)
    assert table.drop_columns(["feature"]).to_pylist() == keys.to_pylist()


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_an_hdf5_file_has_the_rows_of_each_image_between_its_offsets(
    tmp_path: Path, batch: int
) -> None:
    write(Hdf5File(tmp_path / "a.h5", WIDTH), batch)
    keys, features = regions()
    with h5py.File(tmp_path / "a.h5") as file:
        data = {name: file[name][:] for name in file}
    assert [name.decode() for name in data["image_id"]] == ["bild/ö0", "bild/ö1", "bild/ö3"]
    assert data["offsets"].tolist() == [0, 3, 4, 8]
    assert data["width"].tolist() == [100, 101, 103]
    assert data["height"].tolist() == [200, 201, 203]
    assert data["region"].tolist() == keys["region"].to_pylist()
    np.testing.assert_array_equal(data["features"], features)
    np.testing.assert_array_equal(data["boxes"][:, 2], keys["x1"].to_numpy())


def test_an_hdf5_file_has_no_offsets_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write_and_fail(Hdf5File(tmp_path / "a.h5", WIDTH))
    with h5py.File(tmp_path / "a.h5") as left:
        assert sorted(left) == ["boxes", "features", "region"]


def test_an_npy_file_after_an_error_has_no_rows_in_its_header(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        write_and_fail(NpyFile(tmp_path, WIDTH))
    assert np.load(tmp_path / "features.npy").shape == (0, WIDTH)


def test_equal_rows_make_equal_hdf5_bytes(tmp_path: Path) -> None:
    for name in ("a.h5", "b.h5"):
        write(Hdf5File(tmp_path / name, WIDTH), 3)
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
