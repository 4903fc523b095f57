"""Nearest regions, against every cosine in double precision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from pipeline import sql
from pipeline.gallery.folder import neighbours
from pipeline.gallery.folder.neighbours import RegionNeighbours

if TYPE_CHECKING:
    from pathlib import Path


def test_the_regions_of_shown_images_are_compared_and_no_others(root: Path) -> None:
    with sql.connect(root) as connection:
        shown = ["scenes/000001", "scenes/000004"]
        connection.register("_shown", pa.table({"image_id": shown}))
        like = RegionNeighbours(connection, "_shown")
        rows = connection.execute(
            "SELECT image_id, region, feature FROM features JOIN pseudo_labels "
            "USING (image_id, region) WHERE kept"
        ).fetchall()
        names = dict(
            connection.execute("SELECT concept, embedding FROM concept_embeddings").fetchall()
        )
    vectors = {
        (image, region): np.array(v, np.float64) / np.linalg.norm(np.array(v, np.float64))
        for image, region, v in rows
        if image in shown
    }
    assert len(like) == len(vectors)
    for key, vector in vectors.items():
        hits = like.of_region(*key)
        assert hits is not None
        others = sorted((float(vector @ v) for k, v in vectors.items() if k != key), reverse=True)
        assert key not in [hit[:2] for hit in hits]
        assert [hit[2] for hit in hits] == pytest.approx(others[: len(hits)], abs=1e-5)
        for image, region, cosine in hits:
            assert cosine == pytest.approx(float(vector @ vectors[image, region]), abs=1e-5)
    for name, embedding in names.items():
        text = np.array(embedding, np.float64) / np.linalg.norm(np.array(embedding, np.float64))
        best = sorted((float(text @ v) for v in vectors.values()), reverse=True)
        found = [hit[2] for hit in like.of_concept(name)]
        assert found == pytest.approx(best[: len(found)], abs=1e-5)
    assert like.of_region("scenes/000002", 0) is None
    assert like.of_concept("no such thing") == []


def test_blocks_change_nothing_and_ties_go_to_the_earlier(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng()
    rows = rng.normal(size=(41, 6)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    whole = neighbours._nearest(rows, rows, but_itself=True)
    monkeypatch.setattr(neighbours, "_BLOCK", 5)
    cut = neighbours._nearest(rows, rows, but_itself=True)
    np.testing.assert_array_equal(whole[0], cut[0])
    same = np.ones((4, 1), np.float32)
    places, cosines = neighbours._nearest(same[:1], same)
    assert places.tolist() == [[0, 1, 2, 3]]
    assert cosines.tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize(("asking", "found"), [(0, 0), (3, 0), (0, 3), (1, 1)])
def test_of_few_there_are_few(asking: int, found: int) -> None:
    places, cosines = neighbours._nearest(
        np.ones((asking, 2), np.float32), np.ones((found, 2), np.float32)
    )
    assert places.shape == cosines.shape == (asking, min(found, 24))
