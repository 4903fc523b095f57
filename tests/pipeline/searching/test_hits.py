"""The k regions nearest to a vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.searching import FeatureCorpus, hits, nearest
from pipeline.store import exact, index
from schemas.errors import ArtifactError, OptionError, QueryError, SourceError
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


def clouds(seed: int) -> list[NDArray[np.float64]]:
    """Vectors in all directions, a part after the other, and some in none."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=(size, WIDTH)) for size in SIZES]
    parts[0][4], parts[0][5, 2], parts[3][40, 0] = 0, np.nan, np.inf
    return parts


def query(seed: int) -> NDArray[np.float64]:
    return np.random.default_rng((seed, 1)).normal(size=WIDTH)


def check(found: pa.Table, truth: dict[Key, float], k: int) -> None:
    """Pass if hits are k of the best; of two within rounding either may be the better one."""
    best = sorted(truth.values(), reverse=True)[:k]
    assert found["rank"].to_pylist() == list(range(1, len(best) + 1))
    assert len(set(keys(found))) == len(best)
    np.testing.assert_allclose(found["score"], best, atol=1e-6)
    np.testing.assert_allclose(found["score"], [truth[key] for key in keys(found)], atol=1e-6)


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The index is asked for k hits and no more; how often rows were compared one by one."""
    monkeypatch.setattr(hits, "_MORE", 1)
    monkeypatch.setattr(hits, "_MOST", 1)
    return spied(monkeypatch)


def spied(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []
    search = exact.search

    def spy(*words: Any) -> exact.Best:
        calls.append(1)
        return search(*words)

    monkeypatch.setattr(exact, "search", spy)
    return calls


@pytest.mark.parametrize(
    ("k", "precision"), [(1, "float32"), (9, "float32"), (9, "float16"), (500, "float32")]
)
def test_hits_are_those_of_brute_force(root: Path, seed: int, k: int, precision: str) -> None:
    corpus = plant(root, *clouds(seed), precision=precision)
    check(nearest(corpus, query(seed), k), cosines(corpus, query(seed)), k)


def test_hits_are_those_of_brute_force_however_they_are_found(
    root: Path, seed: int, compared: list[int]
) -> None:
    corpus = plant(root, *clouds(seed), regions=3)
    truth = cosines(corpus, query(seed))
    allowed = {key: cosine for key, cosine in truth.items() if key[1] == 2}
    check(nearest(corpus, query(seed), 9, "region = 2"), allowed, 9)
    assert compared


def test_the_length_of_what_is_searched_for_does_not_matter(root: Path, seed: int) -> None:
    corpus = plant(root, *clouds(seed))
    near = nearest(corpus, query(seed), 5)
    for length in (1e-30, 1e30):
        assert keys(nearest(corpus, query(seed) * length, 5)) == keys(near)


def test_hits_say_what_is_known_and_null_for_the_rest(root: Path) -> None:
    found = nearest(plant(root, AXES), AXES[1], 1)
    assert found.column_names == COLUMNS
    (hit,) = found.to_pylist()
    assert [hit[name] for name in COLUMNS] == [1, 1.0, "0/1", 0, *[None] * 7]


def test_of_equal_scores_the_earlier_part_and_row_come_first(root: Path) -> None:
    near, far = [3, 4, 0], [0, 1, 5]
    corpus = plant(root, [far, near, far], [near, near], [far, near])
    found = nearest(corpus, [1, 1, 0], 6)
    assert [key[0] for key in keys(found)] == ["0/1", "1/0", "1/1", "2/1", "0/0", "0/2"]


def test_where_k_cuts_equals_the_earlier_part_and_row_are_kept(root: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    same, asked = rng.normal(size=WIDTH), rng.normal(size=WIDTH)
    corpus = plant(root, [same] * 30, [same] * 3, [same] * 50)
    for k in (1, 2, 31):
        earliest = [f"0/{row}" for row in range(30)] + ["1/0"]
        assert [key[0] for key in keys(nearest(corpus, asked, k))] == earliest[:k]


def test_features_without_direction_are_no_hits(root: Path) -> None:
    none = [[0, 0, 0], [np.nan, 0, 1], [np.inf, 1, 0]]
    corpus = plant(root, [*none, AXES[0]], none)
    assert keys(nearest(corpus, [-1, 0, 0], 9)) == [("0/3", 0)]


@pytest.mark.parametrize("vector", [[0, 0, 0], [np.nan, 1, 0], [np.inf, 0, 0]])
def test_what_has_no_direction_cannot_be_searched_for(root: Path, vector: list[float]) -> None:
    with pytest.raises(SourceError, match="has no direction: its vector is zero or not finite"):
        nearest(plant(root, AXES), np.array(vector))


def test_a_vector_of_another_width_is_refused(root: Path) -> None:
    with pytest.raises(ArtifactError, match="holds vectors of 3 numbers, the query has 4: embed"):
        nearest(plant(root, AXES), np.ones(4))


@pytest.mark.parametrize("k", [0, -3])
def test_no_hits_cannot_be_asked_for(root: Path, k: int) -> None:
    with pytest.raises(OptionError, match=f"--k must be at least 1, got {k}"):
        nearest(plant(root, AXES), AXES[0], k)


@pytest.mark.parametrize("k", [1, 4, 500])
def test_the_one_that_asks_is_no_hit_and_costs_none(root: Path, seed: int, k: int) -> None:
    corpus = plant(root, *clouds(seed), regions=2)
    asked, truth = clouds(seed)[3][5], cosines(corpus, clouds(seed)[3][5])
    assert truth.pop(("3/2", 1)) == pytest.approx(1)
    check(nearest(corpus, asked, k, but=("3/2", 1)), truth, k)


def test_the_one_that_asks_is_no_hit_where_rows_are_compared_either(
    root: Path, seed: int, compared: list[int]
) -> None:
    corpus = plant(root, *clouds(seed))
    truth = cosines(corpus, clouds(seed)[3][5])
    del truth["3/5", 0]
    check(nearest(corpus, clouds(seed)[3][5], 4, but=("3/5", 0)), truth, 4)
    assert compared


RARE: list[tuple[str, Callable[[Key], bool]]] = [
    ("image_id IN ('0/7', '2/0', '3/39')", lambda key: key[0] in ("0/7", "2/0", "3/39")),
    ("image_id = '3/1' -- and no other", lambda key: key[0] == "3/1"),
]


@pytest.mark.parametrize(("where", "holds"), RARE)
@pytest.mark.parametrize("way", ["index", "compared"])
def test_k_hits_are_found_wherever_a_predicate_allows_k(
    root: Path,
    seed: int,
    where: str,
    holds: Callable[[Key], bool],
    way: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    corpus = plant(root, *clouds(seed))
    truth = {key: c for key, c in cosines(corpus, query(seed)).items() if holds(key)}
    monkeypatch.setattr(hits, "_MORE", 1)
    monkeypatch.setattr(hits, "_MOST", 1 if way == "compared" else 20_000)
    check(nearest(corpus, query(seed), len(truth), where), truth, len(truth))


def test_the_index_is_asked_for_more_before_rows_are_compared(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = plant(root, [[1, 0.01 * row, 0] for row in range(60)])
    calls = spied(monkeypatch)
    found = nearest(corpus, [1, 0, 0], 2, "image_id IN ('0/20', '0/30')")
    assert ([key[0] for key in keys(found)], calls) == (["0/20", "0/30"], [])


def test_the_index_is_asked_once_if_that_is_enough(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = plant(root, [[1, 0.01 * row, 0] for row in range(60)])
    search, asked = index.search, []

    def spy(artifact: Artifact, vectors: NDArray[Any], k: int, device: str) -> pa.Table:
        asked.append(k)
        return search(artifact, vectors, k, device)

    monkeypatch.setattr(index, "search", spy)
    assert nearest(corpus, [1, 0, 0], 2, "image_id <> '0/0'").num_rows == 2
    assert asked == [8]


@pytest.mark.parametrize("way", ["index", "compared"])
def test_where_a_predicate_allows_nothing_there_are_the_columns_and_no_row(
    root: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hits, "_MOST", 1 if way == "compared" else 20_000)
    corpus = plant(root, np.tile(AXES, (9, 1)))
    found = nearest(corpus, AXES[0], 1, "image_id = 'nobody'")
    assert (found.column_names, found.num_rows) == (COLUMNS, 0)
    assert found.schema.equals(nearest(corpus, AXES[0], 1).schema)


def test_a_predicate_that_is_null_allows_nothing(root: Path) -> None:
    assert nearest(plant(root, AXES), AXES[0], 1, "concept = 'cup'").num_rows == 0


NO_PREDICATES = {
    "concept =": "takes one SQL predicate",
    "": "takes one SQL predicate",
    "true) OR (true": "takes one SQL predicate",
    "true ORDER BY region": "takes one SQL predicate",
    "true; DROP VIEW features": "takes one SQL predicate",
    "nosuch > 1": "nosuch",
    "count(*) > 1": "aggregates",
    "image_id::INTEGER > 1": "Conversion Error",
    "random() > 0.5": "must choose the same regions every time",
    "region IN (SELECT size FROM read_text('/etc/hosts'))": "may not use read_text",
    "\udcff": "no UTF-8 text",
    "region = (WITH gone AS (DELETE FROM features RETURNING 1) SELECT 1)": "changes nothing",
    "(INSERT INTO features VALUES (1))": "takes one SQL predicate",
}


@pytest.fixture(scope="module")
def axes(tmp_path_factory: pytest.TempPathFactory) -> FeatureCorpus:
    return plant(tmp_path_factory.mktemp("axes"), AXES)


@pytest.mark.parametrize("where", NO_PREDICATES)
def test_what_is_no_predicate_or_changes_something_is_refused(
    axes: FeatureCorpus, where: str
) -> None:
    with pytest.raises(QueryError, match=NO_PREDICATES[where]):
        nearest(axes, AXES[0], 1, where)


@pytest.mark.parametrize("parts", [((),), ((), ())])
def test_nothing_is_found_where_nothing_is(root: Path, parts: tuple[tuple[()], ...]) -> None:
    found = nearest(plant(root, *parts), AXES[0])
    assert (found.column_names, found.num_rows) == (COLUMNS, 0)


def test_equals_that_are_compared_one_by_one_come_by_part_and_row(
    root: Path, compared: list[int]
) -> None:
    rng = np.random.default_rng()
    few = rng.normal(size=(3, WIDTH))
    corpus = plant(root, *(few[rng.integers(0, 3, 40)] for _ in range(4)))
    found = keys(nearest(corpus, rng.normal(size=WIDTH), 60, "image_id NOT LIKE '0/%'"))
    assert compared
    alike: dict[bytes, list[Key]] = {}
    for key, vector in stored(corpus).items():
        alike.setdefault(vector.tobytes(), []).append(key)
    for same in alike.values():
        allowed = [key for key in same if not key[0].startswith("0/")]
        hit = [key for key in found if key in allowed]
        assert hit == allowed[: len(hit)]
