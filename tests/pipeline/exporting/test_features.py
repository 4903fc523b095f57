"""Features handed on: the same numbers with their boxes, in three formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.exporting.features import FORMATS, export_features
from schemas.errors import ArtifactError, OptionError, QueryError
from schemas.table import as_matrix
from tests.pipeline.helpers import make_all, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    return make_all(tmp_path_factory.mktemp("features") / "store", count=12)


def read(path: Path, form: str) -> tuple[list[tuple[str, int]], Any, Any]:
    """Keys, boxes (N, 4) and features (N, D) of an exported file."""
    if form == "h5":
        with h5py.File(path) as file:
            offsets = file["offsets"][:]
            ids = [name.decode() for name in file["image_id"][:]]
            names = np.repeat(ids, np.diff(offsets)).tolist()
            keys = list(zip(names, file["region"][:].tolist(), strict=True))
            return keys, file["boxes"][:], file["features"][:]
    table = pq.read_table(path / "keys.parquet" if form == "npy" else path)
    keys = list(zip(table["image_id"].to_pylist(), table["region"].to_pylist(), strict=True))
    boxes = np.stack([table[side].to_numpy() for side in ("x0", "y0", "x1", "y1")], axis=1)
    if form == "npy":
        return keys, boxes, np.load(path / "features.npy")
    return keys, boxes, np.array(table["feature"].to_pylist(), np.float32)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_holds_the_same_features_and_boxes(
    made: dict[str, Artifact], tmp_path: Path, form: str
) -> None:
    root = made["features"].root
    path, count = export_features(root, "features", tmp_path / "out", form, None, force=False)
    keys, boxes, features = read(path, form)
    rows = rows_of(made["features"])
    told = zip(rows["image_id"].to_pylist(), rows["region"].to_pylist(), strict=True)
    assert keys == list(told)
    assert count == len(keys) == made["features"].manifest.rows
    assert features.dtype == np.float32
    assert (features == as_matrix(rows, "feature").astype(np.float32)).all()
    proposals = {
        (r["image_id"], r["region"]): [r[side] for side in ("x0", "y0", "x1", "y1")]
        for r in rows_of(made["proposals"]).to_pylist()
    }
    assert boxes.tolist() == [proposals[key] for key in keys]


@pytest.mark.parametrize("form", FORMATS)
def test_a_predicate_chooses_rows_in_their_order(
    made: dict[str, Artifact], tmp_path: Path, form: str
) -> None:
    root = made["features"].root
    where = "region = 1 AND x1 > 0 OR region = 2"
    path, count = export_features(root, "features", tmp_path / "out", form, where, force=False)
    keys, _, features = read(path, form)
    assert count == len(keys) == len(features) > 0
    assert {region for _, region in keys} == {1, 2}
    assert keys == sorted(keys)
    nothing, none = export_features(root, "features", tmp_path / "no", form, "false", force=False)
    assert none == 0
    assert read(nothing, form)[0] == []


def test_files_are_replaced_only_if_asked_and_left_whole(
    made: dict[str, Artifact], tmp_path: Path
) -> None:
    root = made["features"].root
    export_features(root, "features", tmp_path / "out", "npy", None, force=False)
    before = (tmp_path / "out" / "features.npy").read_bytes()
    with pytest.raises(OptionError, match="--force"):
        export_features(root, "features", tmp_path / "out", "npy", "region = 0", force=False)
    with pytest.raises(QueryError):
        export_features(root, "features", tmp_path / "out", "npy", "random() > 0.5", force=True)
    assert (tmp_path / "out" / "features.npy").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"out"}
    export_features(root, "features", tmp_path / "out", "npy", "region = 0", force=True)
    assert len(np.load(tmp_path / "out" / "features.npy")) < made["features"].manifest.rows
    with pytest.raises(OptionError, match=r"a folder of several files, got '.*out\.npy'"):
        export_features(root, "features", tmp_path / "out.npy", "npy", None, force=False)


def test_what_holds_no_features_is_a_sentence(made: dict[str, Artifact], tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds no features"):
        export_features(made["images"].root, "images", tmp_path / "out", "h5", None, force=False)


def test_an_empty_artifact_makes_an_empty_file(tmp_path: Path) -> None:
    root = tmp_path / "store"
    made = make_all(root, count=0)
    name = made["features"].address
    for form in FORMATS:
        _, count = export_features(root, name, tmp_path / form, form, None, force=False)
        assert count == 0
