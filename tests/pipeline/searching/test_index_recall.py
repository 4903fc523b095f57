"""Recall of the index against exact search."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.searching import index_recall, measure_recall
from pipeline.searching.index_recall import sample_vectors
from pipeline.store import index
from schemas.errors import ArtifactError, OptionError
from tests.pipeline.helpers import make
from tests.pipeline.searching.planted import plant, stored
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def cloud(seed: int, rows: int) -> NDArray[np.float64]:
    return np.random.default_rng(seed).normal(size=(rows, 8))


@pytest.fixture
def inverted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 300 rows get an inverted file, and a search reads one list of it."""
    monkeypatch.setattr(index, "_EXACT_ROWS", 300)
    monkeypatch.setattr(index, "_SMALL_PART", 299)
    monkeypatch.setattr(index, "_PROBES", 1)


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 10, 1000])
def test_an_exact_index_has_recall_one(root: Path, seed: int, k: int) -> None:
    corpus = plant(root, cloud(seed, 60), [], [[0] * 8], cloud(seed + 1, 31))
    result = measure_recall(corpus.features, 20, k)
    assert (result.recall, result.kind) == (1.0, "exact (flat)")
    assert (result.k, result.rows) == (k, 92)
    assert result.queries in (19, 20)  # a row without direction is no query
    assert min(result.index_ms, result.exact_ms) > 0


def test_times_are_milliseconds_per_query(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = plant(root, cloud(0, 8), cloud(1, 8), cloud(2, 8))
    seconds = count()
    monkeypatch.setattr(index_recall, "time", SimpleNamespace(perf_counter=lambda: next(seconds)))
    result = measure_recall(corpus.features, 4, 2)  # with this clock every search takes a second
    assert (result.exact_ms, result.index_ms) == (1000 / 4, 3 * 1000 / 4)


def test_the_recall_of_an_inverted_file_equals_that_of_a_loop(
    root: Path, seed: int, inverted: None
) -> None:
    corpus = plant(root, cloud(seed, 900), cloud(seed + 1, 20))
    result = measure_recall(corpus.features, 30, 10)
    assert result.kind.startswith("inverted files in 1 of 2 parts")
    everything = np.array(list(stored(corpus).values()))
    queries = sample_vectors(corpus.features, 30, 0)
    hits = index.search(corpus.features, queries, 10)
    right = 0
    for number, query in enumerate(queries):
        true = np.sort(everything @ query)[-10]
        scores = hits["score"].to_numpy()[hits["query"].to_numpy() == number]
        right += int((scores >= true - 1e-4).sum())
    one_hit = 1 / 300  # one may lie exactly at the tolerance
    assert result.recall == pytest.approx(right / 300, abs=1.2 * one_hit)
    assert 0.05 < result.recall < 1


def test_equal_vectors_are_interchangeable(root: Path, inverted: None) -> None:
    corpus = plant(root, np.tile(np.eye(8), (50, 1)))
    assert measure_recall(corpus.features, 20, 5).recall == 1


def test_equal_seeds_give_equal_samples(root: Path) -> None:
    features = plant(root, cloud(0, 40), cloud(1, 40)).features
    first, again, other = (sample_vectors(features, 10, seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_sample_has_unit_vectors_of_distinct_rows_of_all_parts(root: Path) -> None:
    corpus = plant(root, cloud(0, 13), [], cloud(1, 9))
    everything = np.array(list(stored(corpus).values()), np.float32)
    for number in (22, 1000):
        np.testing.assert_allclose(
            sample_vectors(corpus.features, number, 5), everything, atol=1e-6
        )
    sampled = sample_vectors(corpus.features, 7, 5)
    rows = np.isclose(sampled @ everything.T, 1, atol=1e-6).argmax(axis=1)
    assert np.all(np.diff(rows) > 0)


@pytest.mark.parametrize(("queries", "k"), [(0, 10), (10, 0), (-1, -1)])
def test_fewer_than_one_query_or_hit_is_refused(root: Path, queries: int, k: int) -> None:
    message = f"--sample and --k must be at least 1, got {queries} and {k}"
    with pytest.raises(OptionError, match=message):
        measure_recall(plant(root, np.eye(3)).features, queries, k)


@pytest.mark.parametrize("rows", [[], [[0, 0, 0], [np.nan, 1, 1]]])
def test_vectors_without_direction_cannot_be_queries(root: Path, rows: list[list[float]]) -> None:
    with pytest.raises(ArtifactError, match="has no vector with a direction to search by"):
        measure_recall(plant(root, rows).features)


def test_an_artifact_without_vectors_is_refused(root: Path) -> None:
    with pytest.raises(ArtifactError, match="has no vectors to search"):
        measure_recall(make(Ingest(count=3), root))
