"""The nearest regions, against all cosines in float64."""

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

    from pipeline.store.artifact import Artifact


@pytest.mark.slow
def test_only_regions_of_shown_images_are_hits(root: Path) -> None:
    with sql.connect(root) as connection:
        shown = ["scenes/000001", "scenes/000004"]
        connection.register("_shown", pa.table({"image_id": shown}))
        neighbours_of = RegionNeighbours(connection, "_shown")
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
    assert len(neighbours_of) == len(vectors)
    for key, vector in vectors.items():
        hits = neighbours_of.of_region(*key)
        assert hits is not None
        others = sorted((float(vector @ v) for k, v in vectors.items() if k != key), reverse=True)
        assert key not in [hit[:2] for hit in hits]
        assert [hit[2] for hit in hits] == pytest.approx(others[: len(hits)], abs=1e-5)
        for image, region, cosine in hits:
            assert cosine == pytest.approx(float(vector @ vectors[image, region]), abs=1e-5)
    for name, embedding in names.items():
        text = np.array(embedding, np.float64) / np.linalg.norm(np.array(embedding, np.float64))
        best = sorted((float(text @ v) for v in vectors.values()), reverse=True)
        cosines = [hit[2] for hit in neighbours_of.of_concept(name)]
        assert cosines == pytest.approx(best[: len(cosines)], abs=1e-5)
    assert neighbours_of.of_region("scenes/000002", 0) is None
    assert neighbours_of.of_concept("no such thing") == []


@pytest.mark.slow
def test_only_the_regions_of_highest_probability_are_compared(
    toys: dict[str, Artifact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "REGIONS", 5)
    with sql.connect(toys["images"].root) as connection:
        connection.execute("CREATE TEMP VIEW _shown AS SELECT image_id FROM images")
        compared = RegionNeighbours(connection, "_shown")
        keys = connection.execute(
            "SELECT image_id, region FROM pseudo_labels WHERE kept "
            "ORDER BY probability DESC, image_id, region"
        ).fetchall()
    assert len(compared) == 5
    assert all(len(compared.of_region(*key) or []) == 4 for key in keys[:5])
    assert all(compared.of_region(*key) is None for key in keys[5:])


def test_the_block_size_changes_nothing_and_ties_are_ordered_by_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(17)
    rows = rng.normal(size=(41, 6)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    complete = neighbours._nearest(rows, rows, exclude_self=True)
    monkeypatch.setattr(neighbours, "_BLOCK", 5)
    in_blocks = neighbours._nearest(rows, rows, exclude_self=True)
    np.testing.assert_array_equal(complete[0], in_blocks[0])
    same = np.ones((4, 1), np.float32)
    rows_of_hits, cosines = neighbours._nearest(same[:1], same)
    assert rows_of_hits.tolist() == [[0, 1, 2, 3]]
    assert cosines.tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize(("queries", "vectors"), [(0, 0), (3, 0), (0, 3), (1, 1)])
def test_there_are_at_most_as_many_hits_as_vectors(queries: int, vectors: int) -> None:
    rows_of_hits, cosines = neighbours._nearest(
        np.ones((queries, 2), np.float32), np.ones((vectors, 2), np.float32)
    )
    assert rows_of_hits.shape == cosines.shape == (queries, min(vectors, 24))
