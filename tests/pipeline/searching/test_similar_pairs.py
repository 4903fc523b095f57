"""Pairs of rows with a high cosine, against brute force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.progress import Silent
from pipeline.searching import similar_pairs as module
from pipeline.searching.similar_pairs import ComparedRows, similar_pairs
from tests.pipeline.helpers import Listener
from tests.pipeline.searching.planted import plant

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.searching import FeatureCorpus

    Pair = tuple[int, int]

SIZES = (13, 0, 21, 6)


def random_parts(seed: int) -> list[NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(size, 3)) for size in SIZES]


def rows_to_compare(*, every: int = 1) -> ComparedRows:
    """Every so-many-th row of all parts."""
    part = np.repeat(np.arange(len(SIZES)), SIZES)
    row = np.concatenate([np.arange(size) for size in SIZES])
    return ComparedRows(part[::every], row[::every], np.arange(len(row))[::every])


def pairs_of(
    corpus: FeatureCorpus, compared: ComparedRows, min_cosine: float
) -> list[tuple[int, int, float]]:
    blocks = similar_pairs(corpus.features, compared, min_cosine, Silent())
    return [
        (int(a), int(b), float(cosine))
        for block in blocks
        for a, b, cosine in zip(*block, strict=True)
    ]


def brute_force(vectors: NDArray[np.float64], min_cosine: float) -> dict[Pair, float]:
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units.T
    return {
        (a, b): float(cosines[a, b])
        for a in range(len(units))
        for b in range(a + 1, len(units))
        if cosines[a, b] >= min_cosine
    }


@pytest.mark.slow
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize(("tile", "held"), [(4096, 256 << 20), (8, 1), (5, 100), (1, 1)])
def test_pairs_equal_those_of_brute_force_each_once(
    root: Path, seed: int, every: int, tile: int, held: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TILE", tile)
    monkeypatch.setattr(module, "_HELD_BYTES", held)
    parts = random_parts(seed)
    pairs = pairs_of(plant(root, *parts), rows_to_compare(every=every), 0.5)
    expected = brute_force(np.concatenate(parts)[::every], 0.5)
    assert len(pairs) == len({(a, b) for a, b, _ in pairs})
    cosines = {(a, b): cosine for a, b, cosine in pairs}
    difference = cosines.keys() ^ expected.keys()  # only pairs at the threshold, by rounding
    assert all(abs({**cosines, **expected}[pair] - 0.5) < 1e-5 for pair in difference)
    common = cosines.keys() & expected.keys()
    assert common
    for pair in common:
        assert cosines[pair] == pytest.approx(expected[pair], abs=1e-6)


def test_a_cosine_lower_by_rounding_still_counts(root: Path) -> None:
    corpus = plant(root, [[1, 0], [3, 4]])
    compared = ComparedRows(np.zeros(2, np.int64), np.arange(2), np.arange(2))
    assert [pair[:2] for pair in pairs_of(corpus, compared, 0.6)] == [(0, 1)]
    assert pairs_of(corpus, compared, 0.60001) == []


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_rows_have_no_pair(root: Path, count: int) -> None:
    corpus = plant(root, [[1, 0], [1, 0]])
    compared = ComparedRows(np.zeros(count, np.int64), np.arange(count), np.arange(count))
    assert pairs_of(corpus, compared, -1) == []


@pytest.mark.parametrize("tile", [4096, 10])
def test_the_progress_of_all_blocks_is_half_the_square_of_the_rows(
    root: Path, seed: int, tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_TILE", tile)
    listener = Listener()
    compared = rows_to_compare()
    list(similar_pairs(plant(root, *random_parts(seed)).features, compared, 0.9, listener))
    assert listener.count == len(compared) ** 2 // 2


def test_the_mask_of_a_part_has_its_rows_from_a_position_on() -> None:
    part, row = np.array([0, 0, 2, 2]), np.array([1, 3, 0, 4])
    compared = ComparedRows(part, row, np.zeros(4, np.int64))
    assert compared.mask(0, 5, 0).tolist() == [False, True, False, True, False]
    assert compared.mask(0, 5, 1).tolist() == [False, False, False, True, False]
    assert compared.mask(1, 2, 0).tolist() == [False, False]
    assert compared.mask(2, 5, 3).tolist() == [False, False, False, False, True]
