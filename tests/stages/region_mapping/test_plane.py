"""Positions in a plane: against brute force, and what of neighbourhoods they keep."""

from __future__ import annotations

import hashlib
import sys

import numpy as np
import pytest

from schemas.errors import ArtifactError, OptionError
from stages.region_mapping.plane import (
    check_perplexity,
    import_open_tsne,
    in_square,
    nearest,
    principal_components,
    t_sne,
    unit_vectors,
)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


@pytest.fixture
def open_tsne() -> None:
    pytest.importorskip("openTSNE", reason="needs the extra map: pip install openTSNE")


def planted(rng: np.random.Generator, clusters: int, each: int, width: int) -> np.ndarray:
    """Unit vectors of clusters, each of them a sheet of two dimensions in its own direction."""
    centres = rng.normal(size=(clusters, width))
    sheets = rng.normal(size=(clusters, 2, width)) * 0.4
    places = rng.uniform(-1, 1, (clusters, each, 2))
    rows = centres[:, None] + np.einsum("cnk,ckd->cnd", places, sheets)
    return unit_vectors(rows.reshape(-1, width).astype(np.float32))


def kept(vectors: np.ndarray, positions: np.ndarray, count: int = 10) -> float:
    """Share of the nearest neighbours of each vector that are among those of its position."""
    there, here = (nearest(np.asarray(p, np.float64), count)[0] for p in (vectors, positions))
    shares = [len(set(a) & set(b)) / count for a, b in zip(there, here, strict=True)]
    return float(np.mean(shares))


def test_unit_vectors_have_length_one_unless_they_have_no_direction(
    rng: np.random.Generator,
) -> None:
    features = rng.normal(size=(6, 4)).astype(np.float32) * 1e30
    features[1], features[2, 0], features[3, 1] = 0, np.nan, np.inf
    vectors = unit_vectors(features)
    assert (np.linalg.norm(vectors, axis=1) > 0.5).tolist() == [
        True,
        False,
        False,
        False,
        True,
        True,
    ]
    np.testing.assert_allclose(np.linalg.norm(vectors[[0, 4, 5]], axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize(("rows", "width", "most"), [(40, 7, 3), (5, 30, 50), (2000, 6, 6)])
def test_principal_components_are_those_of_a_singular_value_decomposition(
    rng: np.random.Generator, rows: int, width: int, most: int
) -> None:
    vectors = (rng.normal(size=(rows, width)) * np.arange(1, width + 1)).astype(np.float32)
    found = principal_components(vectors, most)
    centred = vectors.astype(np.float64) - vectors.astype(np.float64).mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    expected = (left * values)[:, : found.shape[1]]
    assert found.shape == (rows, min(most, rows, width))
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4 * values[0])


def test_equal_features_are_no_map() -> None:
    with pytest.raises(ArtifactError, match="all these regions have one feature"):
        principal_components(np.full((9, 3), 0.5, np.float32), 2)


@pytest.mark.parametrize("rows", [2, 30, 1500])
def test_nearest_are_those_of_all_distances(rng: np.random.Generator, rows: int) -> None:
    points = rng.integers(0, 4 if rows < 100 else 1000, (rows, 3)).astype(np.float64)  # with ties
    count = min(rows - 1, 7)
    places, distances = nearest(points, count)
    for row in {0, rows // 2, rows - 1}:
        all_distances = np.sqrt(((points - points[row]) ** 2).sum(axis=1))
        all_distances[row] = np.inf
        np.testing.assert_allclose(distances[row], np.sort(all_distances)[:count], atol=1e-9)
        np.testing.assert_allclose(all_distances[places[row]], distances[row], atol=1e-9)
        assert row not in places[row]
        assert len(set(places[row])) == count


@pytest.mark.parametrize(
    ("perplexity", "regions", "sentence"),
    [
        (30, 90, "needs 91 regions or more, and there are 90; give --perplexity 29 or lower, or"),
        (30, 6, "and there are 6; give --method pca"),
        (2.5, 8, "needs 9 regions or more, and there are 8; give --perplexity 2 or lower"),
    ],
)
def test_too_few_regions_are_named(perplexity: float, regions: int, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        check_perplexity(perplexity, regions)
    check_perplexity(perplexity, int(np.ceil(3 * perplexity)) + 1)


def test_a_square_has_one_scale_and_its_middle_at_zero(rng: np.random.Generator) -> None:
    positions = rng.normal(size=(50, 2)) * (30, 5) + (7, -90)
    square = in_square(positions)
    assert np.abs(square).max() == 1
    np.testing.assert_allclose(square.max(axis=0) + square.min(axis=0), 0, atol=1e-6)
    ratio = np.ptp(positions[:, 0]) / np.ptp(positions[:, 1])
    assert np.ptp(square[:, 0]) / np.ptp(square[:, 1]) == pytest.approx(ratio, rel=1e-4)
    assert in_square(np.ones((3, 2))).tolist() == [[0, 0]] * 3


def test_without_the_package_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(
        OptionError, match=r"install the extra: pip install .*\[map\].*--method pca"
    ):
        import_open_tsne()


@pytest.mark.slow
def test_t_sne_keeps_more_neighbours_than_principal_components_or_chance(
    open_tsne: None, rng: np.random.Generator
) -> None:
    vectors = planted(rng, clusters=12, each=40, width=32)
    by_tsne = kept(vectors, t_sne(vectors, 15, 0))
    by_components = kept(vectors, principal_components(vectors, 2))
    by_chance = kept(vectors, rng.normal(size=(len(vectors), 2)))
    shares = by_tsne, by_components, by_chance
    assert by_tsne > max(0.7, by_components + 0.1) > by_components > by_chance, shares


@pytest.mark.slow
def test_t_sne_is_the_same_bits_each_time_and_parts_equal_features(open_tsne: None) -> None:
    vectors = planted(np.random.default_rng(5), clusters=3, each=20, width=8)
    vectors[10:13] = vectors[9]
    first, second, other = (t_sne(vectors, 5, seed) for seed in (0, 0, 1))
    digests = [hashlib.sha256(p.tobytes()).hexdigest() for p in (first, second, other)]
    assert digests[0] == digests[1] != digests[2]
    assert np.isfinite(first).all()
