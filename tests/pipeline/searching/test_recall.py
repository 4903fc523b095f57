"""How many of the true nearest neighbours the index finds."""

from __future__ import annotations

from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.searching import measure, recall
from pipeline.searching.recall import sample
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
    """Parts of 300 rows get an inverted file, of which one list is looked at."""
    monkeypatch.setattr(index, "_EXACT_ROWS", 300)
    monkeypatch.setattr(index, "_SMALL_PART", 299)
    monkeypatch.setattr(index, "_PROBES", 1)


@pytest.mark.parametrize("k", [1, 10, 1000])
def test_an_exact_index_finds_everything(root: Path, seed: int, k: int) -> None:
    corpus = plant(root, cloud(seed, 60), [], [[0] * 8], cloud(seed + 1, 31))
    found = measure(corpus.features, 20, k)
    assert (found.recall, found.kind) == (1.0, "exact (flat)")
    assert (found.k, found.rows) == (k, 92)
    assert found.queries in (19, 20)  # the row without direction asks nothing
    assert min(found.index_ms, found.exact_ms) > 0


def test_times_are_milliseconds_of_a_query(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = plant(root, cloud(0, 8), cloud(1, 8), cloud(2, 8))
    seconds = count()
    monkeypatch.setattr(recall, "time", SimpleNamespace(perf_counter=lambda: next(seconds)))
    found = measure(corpus.features, 4, 2)  # by this clock every search takes a second
    assert (found.exact_ms, found.index_ms) == (1000 / 4, 3 * 1000 / 4)


def test_an_inverted_file_finds_what_a_loop_says_it_finds(
    root: Path, seed: int, inverted: None
) -> None:
    corpus = plant(root, cloud(seed, 900), cloud(seed + 1, 20))
    found = measure(corpus.features, 30, 10)
    assert found.kind.startswith("inverted files in 1 of 2 parts")
    everything = np.array(list(stored(corpus).values()))
    asked = sample(corpus.features, 30, 0)
    hits = index.search(corpus.features, asked, 10)
    right = 0
    for number, query in enumerate(asked):
        true = np.sort(everything @ query)[-10]
        scores = hits["score"].to_numpy()[hits["query"].to_numpy() == number]
        right += int((scores >= true - 1e-4).sum())
    assert found.recall == pytest.approx(right / 300, abs=0.004)  # one hit may be a matter of 1e-4
    assert 0.05 < found.recall < 1


def test_equal_vectors_stand_for_each_other(root: Path, inverted: None) -> None:
    corpus = plant(root, np.tile(np.eye(8), (50, 1)))
    assert measure(corpus.features, 20, 5).recall == 1


def test_the_sample_is_decided_by_its_seed(root: Path) -> None:
    features = plant(root, cloud(0, 40), cloud(1, 40)).features
    first, again, other = (sample(features, 10, seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_the_sample_is_of_different_rows_of_all_parts_as_directions(root: Path) -> None:
    corpus = plant(root, cloud(0, 13), [], cloud(1, 9))
    everything = np.array(list(stored(corpus).values()), np.float32)
    for number in (22, 1000):
        np.testing.assert_allclose(sample(corpus.features, number, 5), everything, atol=1e-6)
    some = sample(corpus.features, 7, 5)
    rows = np.isclose(some @ everything.T, 1, atol=1e-6).argmax(axis=1)
    assert np.all(np.diff(rows) > 0)


@pytest.mark.parametrize(("queries", "k"), [(0, 10), (10, 0), (-1, -1)])
def test_no_queries_and_no_hits_measure_nothing(root: Path, queries: int, k: int) -> None:
    told = f"--sample and --k must be at least 1, got {queries} and {k}"
    with pytest.raises(OptionError, match=told):
        measure(plant(root, np.eye(3)).features, queries, k)


@pytest.mark.parametrize("rows", [[], [[0, 0, 0], [np.nan, 1, 1]]])
def test_without_a_direction_there_is_nothing_to_ask(root: Path, rows: list[list[float]]) -> None:
    with pytest.raises(ArtifactError, match="has no vector with a direction to search by"):
        measure(plant(root, rows).features)


def test_what_has_no_vectors_is_a_sentence(root: Path) -> None:
    with pytest.raises(ArtifactError, match="has no vectors to search"):
        measure(make(Ingest(count=3), root))
