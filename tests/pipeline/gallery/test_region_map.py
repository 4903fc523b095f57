"""The points of a map, and what is known of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from starlette.testclient import TestClient

from pipeline.gallery.connection_pool import ConnectionPool
from pipeline.gallery.region_map import map_page, region_map
from pipeline.gallery.server import make_app
from pipeline.store import catalog
from schemas.errors import ArtifactNotFoundError, OptionError
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.map_regions import MapRegions
from stages.select import Select
from stages.suspect import Suspect
from tests.pipeline.gallery.conftest import HOST
from tests.pipeline.helpers import make, make_all, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipeline.store.artifact import Artifact


@pytest.fixture
def labels(root: Path) -> Artifact:
    return catalog.find(root, PSEUDO_LABELS.name)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "store"
    address = make_all(root, count=20)[PSEUDO_LABELS.name].address
    make(MapRegions(method="pca", where="true"), root, {"pseudo_labels": address})
    return root


@pytest.fixture
def visitor(root: Path) -> Iterator[TestClient]:
    with TestClient(make_app(root, [HOST]), base_url=f"http://{HOST}") as client:
        yield client


def mapped(visitor: TestClient) -> tuple[dict[str, object], np.ndarray]:
    page = visitor.get("/api/map").json()
    given = {"map": page["address"], "labels": page["labels"]}
    content = visitor.get("/map-points", params=given).content
    return page, np.frombuffer(content, "<f4").reshape(5, page["regions"])


def test_points_are_those_of_the_map_with_what_labels_say(
    root: Path, visitor: TestClient, labels: Artifact
) -> None:
    page, points = mapped(visitor)
    rows = {(r["image_id"], r["region"]): r for r in rows_of(labels).to_pylist()}
    positions = rows_of(catalog.find(root, "region_maps")).to_pylist()
    assert (page["regions"], page["left_out"], page["suspicions"]) == (len(rows), 0, False)
    for place, row in enumerate(positions):
        label = rows[row["image_id"], row["region"]]
        expected = [row["x"], row["y"], label["probability"]]
        assert points[:3, place].tolist() == pytest.approx(expected)
        given = {"map": page["address"], "labels": page["labels"], "place": place}
        region = visitor.get("/api/map-region", params=given).json()
        assert (region["image_id"], region["region"]) == (row["image_id"], row["region"])
        assert region["concept"] == page["concepts"][int(points[4, place])]
    counts = np.bincount(points[4].astype(int))
    assert (np.diff(counts) <= 0).all()
    assert np.isnan(points[3]).all()


def test_a_selection_is_shown_on_the_map_of_what_it_was_selected_from(
    root: Path, labels: Artifact
) -> None:
    pool = ConnectionPool(root)
    half = make(Select(called="half", where="region = 0"), root, {"pseudo_labels": labels.address})
    page = map_page(pool, {"labels": half.address})
    rows = rows_of(half)
    assert page["regions"] == rows.num_rows > 0
    assert page["left_out"] == rows_of(labels).num_rows - rows.num_rows
    given = {"map": str(page["address"]), "labels": half.address}
    found = region_map(pool, given)
    assert sorted(found.keys["image_id"].to_pylist()) == sorted(rows["image_id"].to_pylist())
    with pytest.raises(OptionError, match="no such place"):
        found.label(rows.num_rows)
    with pytest.raises(ArtifactNotFoundError, match="reload the page"):
        region_map(pool, {**given, "labels": "pseudo_labels/v1-0"})


@pytest.mark.slow
def test_suspicions_are_those_of_each_region(root: Path, visitor: TestClient) -> None:
    suspicions = rows_of(make(Suspect(), root))
    keys = zip(suspicions["image_id"].to_pylist(), suspicions["region"].to_pylist(), strict=True)
    expected = dict(zip(keys, suspicions["suspicion"].to_pylist(), strict=True))
    page, points = mapped(visitor)
    positions = rows_of(catalog.find(root, "region_maps"))
    regions = zip(positions["image_id"].to_pylist(), positions["region"].to_pylist(), strict=True)
    assert page["suspicions"]
    assert points[3].tolist() == pytest.approx([expected[key] for key in regions])
