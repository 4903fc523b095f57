"""The k regions nearest to a vector, against brute force."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.searching import FeatureCorpus, nearest_regions, region_search
from pipeline.store import exact, index
from schemas.errors import ArtifactError, OptionError, QueryError, SourceError
from tests.pipeline.helpers import Listener
from tests.pipeline.searching.planted import cosines, keys, plant, stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

    from pipeline.store.artifact import Artifact
    from tests.pipeline.searching.planted import Key

SIZES, WIDTH = (23, 0, 1, 41), 7
COLUMNS = ["rank", "score", "image_id", "region", "x0", "y0", "x1", "y1", "objectness"]
COLUMNS += ["concept", "probability"]
AXES = np.eye(3)


def random_parts(seed: int) -> list[NDArray[np.float64]]:
    """Random vectors of four parts, and a few that have no direction."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(size, WIDTH)) for size in SIZES]
    parts[0][4], parts[0][5, 2], parts[3][40, 0] = 0, np.nan, np.inf
    return parts


def query(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng((seed, 1)).normal(size=WIDTH)


def check(hits: pa.Table, expected: dict[Key, float], k: int) -> None:
    """The hits are the k best, up to the order of scores that are equal within rounding."""
    best = sorted(expected.values(), reverse=True)[:k]
    assert hits["rank"].to_pylist() == list(range(1, len(best) + 1))
    assert len(set(keys(hits))) == len(best)
    np.testing.assert_allclose(hits["score"], best, atol=1e-6)
    np.testing.assert_allclose(hits["score"], [expected[key] for key in keys(hits)], atol=1e-6)


@pytest.fixture
def exact_calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The index returns no more than k hits; the list counts the exact searches."""
    monkeypatch.setattr(region_search, "_OVERSAMPLING", 1)
    monkeypatch.setattr(region_search, "_MAX_INDEX_HITS", 1)
    return spy_on_exact_search(monkeypatch)


def spy_on_exact_search(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    search = exact.search

    def spy(*arguments: Any) -> exact.Best:
        calls.append(1)
        return search(*arguments)

    monkeypatch.setattr(exact, "search", spy)
    return calls


@pytest.mark.slow
@pytest.mark.parametrize(
    ("k", "precision"), [(1, "float32"), (9, "float32"), (9, "float16"), (500, "float32")]
)
def test_hits_equal_those_of_brute_force(root: Path, seed: int, k: int, precision: str) -> None:
    corpus = plant(root, *random_parts(seed), precision=precision)
    hits, expected = nearest_regions(corpus, query(seed), k), cosines(corpus, query(seed))
    assert hits.num_rows == min(k, len(expected))
    check(hits, expected, k)


@pytest.mark.slow
def test_hits_of_the_exact_search_equal_those_of_brute_force(
    root: Path, seed: int, exact_calls: list[int]
) -> None:
    corpus = plant(root, *random_parts(seed), regions=3)
    truth = cosines(corpus, query(seed))
    allowed = {key: cosine for key, cosine in truth.items() if key[1] == 2}
    check(nearest_regions(corpus, query(seed), 9, "region = 2"), allowed, 9)
    assert exact_calls


@pytest.mark.slow
def test_the_length_of_the_query_does_not_matter(root: Path, seed: int) -> None:
    corpus = plant(root, *random_parts(seed))
    near = nearest_regions(corpus, query(seed), 5)
    for length in (1e-30, 1e30):
        assert keys(nearest_regions(corpus, query(seed) * length, 5)) == keys(near)


@pytest.mark.slow
def test_unknown_columns_of_a_hit_are_null(root: Path) -> None:
    hits = nearest_regions(plant(root, AXES), AXES[1], 1)
    assert hits.column_names == COLUMNS
    (hit,) = hits.to_pylist()
    assert [hit[name] for name in COLUMNS] == [1, 1.0, "0/1", 0, *[None] * 7]


@pytest.mark.slow
def test_equal_scores_are_ordered_by_part_and_row(root: Path) -> None:
    near, far = [3, 4, 0], [0, 1, 5]
    corpus = plant(root, [far, near, far], [near, near], [far, near])
    hits = nearest_regions(corpus, [1, 1, 0], 6)
    assert [key[0] for key in keys(hits)] == ["0/1", "1/0", "1/1", "2/1", "0/0", "0/2"]


@pytest.mark.slow
def test_among_equal_scores_at_k_the_earlier_part_and_row_are_kept(root: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    same, query_vector = rng.normal(size=WIDTH), rng.normal(size=WIDTH)
    corpus = plant(root, [same] * 30, [same] * 3, [same] * 50)
    for k in (1, 2, 31):
        earliest = [f"0/{row}" for row in range(30)] + ["1/0"]
        assert [key[0] for key in keys(nearest_regions(corpus, query_vector, k))] == earliest[:k]


@pytest.mark.slow
def test_features_without_direction_are_never_hits(root: Path) -> None:
    undirected = [[0, 0, 0], [np.nan, 0, 1], [np.inf, 1, 0]]
    corpus = plant(root, [*undirected, AXES[0]], undirected)
    assert keys(nearest_regions(corpus, [-1, 0, 0], 9)) == [("0/3", 0)]


@pytest.mark.parametrize("vector", [[0, 0, 0], [np.nan, 1, 0], [np.inf, 0, 0]])
def test_a_query_without_direction_is_refused(root: Path, vector: list[float]) -> None:
    with pytest.raises(
        SourceError, match="the query vector has no direction: it is zero or not finite"
    ):
        nearest_regions(plant(root, AXES), np.array(vector))


def test_a_vector_of_another_width_is_refused(root: Path) -> None:
    with pytest.raises(ArtifactError, match="holds vectors of 3 numbers, the query has 4: embed"):
        nearest_regions(plant(root, AXES), np.ones(4))


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one_is_refused(root: Path, k: int) -> None:
    with pytest.raises(OptionError, match=f"--k must be at least 1, got {k}"):
        nearest_regions(plant(root, AXES), AXES[0], k)


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 4, 500])
def test_the_excluded_region_is_no_hit_and_there_are_still_k(root: Path, seed: int, k: int) -> None:
    corpus = plant(root, *random_parts(seed), regions=2)
    vector, truth = random_parts(seed)[3][5], cosines(corpus, random_parts(seed)[3][5])
    assert truth.pop(("3/2", 1)) == pytest.approx(1)
    check(nearest_regions(corpus, vector, k, exclude=("3/2", 1)), truth, k)


@pytest.mark.slow
def test_the_excluded_region_is_no_hit_of_the_exact_search(
    root: Path, seed: int, exact_calls: list[int]
) -> None:
    corpus = plant(root, *random_parts(seed))
    truth = cosines(corpus, random_parts(seed)[3][5])
    del truth["3/5", 0]
    check(nearest_regions(corpus, random_parts(seed)[3][5], 4, exclude=("3/5", 0)), truth, 4)
    assert exact_calls


RARE: list[tuple[str, Callable[[Key], bool]]] = [
    ("image_id IN ('0/7', '2/0', '3/39')", lambda key: key[0] in ("0/7", "2/0", "3/39")),
    ("image_id = '3/1' -- and no other", lambda key: key[0] == "3/1"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("where", "holds"), RARE)
@pytest.mark.parametrize("method", ["index", "exact"])
def test_there_are_k_hits_whenever_k_regions_pass_the_predicate(
    root: Path,
    seed: int,
    where: str,
    holds: Callable[[Key], bool],
    method: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    corpus = plant(root, *random_parts(seed))
    truth = {key: c for key, c in cosines(corpus, query(seed)).items() if holds(key)}
    monkeypatch.setattr(region_search, "_OVERSAMPLING", 1)
    monkeypatch.setattr(region_search, "_MAX_INDEX_HITS", 1 if method == "exact" else 20_000)
    hits = nearest_regions(corpus, query(seed), len(truth), where)
    assert hits.num_rows == len(truth)
    check(hits, truth, len(truth))


@pytest.mark.slow
def test_the_index_is_searched_again_before_the_exact_search(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = plant(root, [[1, 0.01 * row, 0] for row in range(60)])
    calls = spy_on_exact_search(monkeypatch)
    hits = nearest_regions(corpus, [1, 0, 0], 2, "image_id IN ('0/20', '0/30')")
    assert ([key[0] for key in keys(hits)], calls) == (["0/20", "0/30"], [])


@pytest.mark.slow
def test_the_index_is_searched_once_if_that_gives_k_hits(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = plant(root, [[1, 0.01 * row, 0] for row in range(60)])
    search, requested = index.search, []

    def spy(artifact: Artifact, vectors: NDArray[Any], k: int, *how: Any) -> pa.Table:
        requested.append(k)
        return search(artifact, vectors, k, *how)

    monkeypatch.setattr(index, "search", spy)
    assert nearest_regions(corpus, [1, 0, 0], 2, "image_id <> '0/0'").num_rows == 2
    assert requested == [8]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["index", "exact"])
def test_a_predicate_that_nothing_passes_gives_an_empty_table(
    root: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(region_search, "_MAX_INDEX_HITS", 1 if method == "exact" else 20_000)
    corpus = plant(root, np.tile(AXES, (9, 1)))
    hits = nearest_regions(corpus, AXES[0], 1, "image_id = 'nobody'")
    assert (hits.column_names, hits.num_rows) == (COLUMNS, 0)
    assert hits.schema.equals(nearest_regions(corpus, AXES[0], 1).schema)


@pytest.mark.slow
def test_a_predicate_that_is_null_excludes_the_region(root: Path) -> None:
    assert nearest_regions(plant(root, AXES), AXES[0], 1, "concept = 'cup'").num_rows == 0


INVALID_PREDICATES = {
    "concept =": "takes one SQL predicate",
    "": "--where is empty",
    "true) OR (true": "takes one SQL predicate",
    "true ORDER BY region": "takes one SQL predicate",
    "true; DROP VIEW features": "takes one SQL predicate",
    "nosuch > 1": "nosuch",
    "count(*) > 1": "aggregates",
    "image_id::INTEGER > 1": "Conversion Error",
    "random() > 0.5": "must choose the same regions every time",
    "region IN (SELECT size FROM read_text('/etc/hosts'))": "may not use read_text",
    "\udcff": "bytes that are not UTF-8",
    "region = (WITH gone AS (DELETE FROM features RETURNING 1) SELECT 1)": "changes nothing",
    "(INSERT INTO features VALUES (1))": "takes one SQL predicate",
}


@pytest.fixture(scope="module")
def axes(tmp_path_factory: pytest.TempPathFactory) -> FeatureCorpus:
    return plant(tmp_path_factory.mktemp("axes"), AXES)


@pytest.mark.slow
@pytest.mark.parametrize("where", INVALID_PREDICATES)
def test_an_invalid_predicate_or_a_change_of_data_is_refused(
    axes: FeatureCorpus, where: str
) -> None:
    with pytest.raises(QueryError, match=INVALID_PREDICATES[where]):
        nearest_regions(axes, AXES[0], 1, where)


@pytest.mark.slow
@pytest.mark.parametrize("parts", [((),), ((), ())])
def test_an_empty_corpus_gives_an_empty_table(root: Path, parts: tuple[tuple[()], ...]) -> None:
    hits = nearest_regions(plant(root, *parts), AXES[0])
    assert (hits.column_names, hits.num_rows) == (COLUMNS, 0)


@pytest.mark.slow
def test_equal_scores_of_the_exact_search_are_ordered_by_part_and_row(
    root: Path, exact_calls: list[int]
) -> None:
    rng = np.random.default_rng()
    distinct = rng.normal(size=(3, WIDTH))
    corpus = plant(root, *(distinct[rng.integers(0, 3, 40)] for _ in range(4)))
    hit_keys = keys(nearest_regions(corpus, rng.normal(size=WIDTH), 60, "image_id NOT LIKE '0/%'"))
    assert exact_calls
    by_vector: dict[bytes, list[Key]] = {}
    for key, vector in stored(corpus).items():
        by_vector.setdefault(vector.tobytes(), []).append(key)
    for same in by_vector.values():
        allowed = [key for key in same if not key[0].startswith("0/")]
        hits = [key for key in hit_keys if key in allowed]
        assert hits == allowed[: len(hits)]


def test_the_progress_of_a_search_counts_all_rows(root: Path) -> None:
    listener = Listener()
    corpus = replace(plant(root, AXES, AXES), reporter=listener)
    assert nearest_regions(corpus, AXES[0], 1).num_rows == 1
    assert listener.started == [("search", 6, "rows")]
    assert (listener.count, listener.stopped) == (6, 1)
