"""Maps of regions: which are on it, where, and that nothing else decides."""

from __future__ import annotations

import itertools
import sys

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import ArtifactError, OptionError
from schemas.features import FEATURES
from schemas.region_maps import REGION_MAPS
from schemas.table import as_matrix
from stages.auditing import random_order
from stages.map_regions import MapRegions
from stages.outcome import Result
from stages.region_mapping.plane import in_square, principal_components, unit_vectors
from tests.in_memory import InMemory
from tests.stages.test_audit_draw import keys, labels


def features(rows: pa.Table, rng: np.random.Generator) -> pa.Table:
    matrix = rng.normal(size=(rows.num_rows, 6)).astype(np.float16)
    columns = {name: rows[name] for name in ("image_id", "region")}
    return pa.Table.from_batches([FEATURES.batch({**columns, "feature": matrix})])


def parts(rows: pa.Table, vectors: pa.Table, cuts: list[int]) -> InMemory:
    """One task over parts that were cut at these rows."""
    edges = [0, *cuts, rows.num_rows]
    pieces = [
        InMemory({"pseudo_labels": rows[a:b], "features": vectors[a:b]})
        for a, b in itertools.pairwise(edges)
    ]
    return InMemory({"pseudo_labels": rows, "features": vectors}, more=pieces, siblings=pieces)


def mapped(part: InMemory, **options: object) -> pa.Table:
    stage = MapRegions(**{"method": "pca", **options})  # type: ignore[arg-type]
    table = pa.Table.from_batches(list(stage.run(part)))
    REGION_MAPS.check(table)
    return table


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def test_the_sample_is_uniform_by_ids_and_no_matter_how_parts_were_cut(
    rng: np.random.Generator,
) -> None:
    rows = labels(rng, 400)
    vectors = features(rows, rng)
    names, regions = rows["image_id"].to_pylist(), rows["region"].to_numpy()
    order = np.argsort(random_order.numbers(7, names, regions))
    expected = sorted(keys(rows.take(order[:50])))
    found = mapped(parts(rows, vectors, []), most=50, seed=7)
    assert keys(found) == expected
    for cuts in ([100], [5, 10, 335]):
        again = mapped(parts(rows, vectors, cuts), most=50, seed=7)
        assert again.equals(found)
    assert set(keys(mapped(parts(rows, vectors, []), most=20, seed=7))) < set(expected)
    assert keys(mapped(parts(rows, vectors, []), most=50, seed=8)) != expected


def test_principal_components_are_positions(rng: np.random.Generator) -> None:
    rows = labels(rng, 60)
    vectors = features(rows, rng)
    part = parts(rows, vectors, [])
    found = mapped(part)
    order = sorted(range(60), key=keys(rows).__getitem__)
    (batch,) = vectors.to_batches()
    matrix = as_matrix(batch, "feature")[order].astype(np.float32)
    expected = in_square(principal_components(unit_vectors(matrix), 2))
    np.testing.assert_allclose(np.stack([found["x"], found["y"]], axis=1), expected, atol=1e-6)
    assert part.notes == {"labels": 60, "undirected": 0}
    assert part.advanced == 60


def test_features_without_direction_are_left_out_and_told(rng: np.random.Generator) -> None:
    rows = labels(rng, 40)
    matrix = rng.normal(size=(40, 6)).astype(np.float16)
    matrix[3], matrix[8, 2] = 0, np.nan
    columns = {name: rows[name] for name in ("image_id", "region")}
    vectors = pa.Table.from_batches([FEATURES.batch({**columns, "feature": matrix})])
    part = parts(rows, vectors, [])
    found = mapped(part)
    assert set(keys(rows)) - set(keys(found)) == {keys(rows)[3], keys(rows)[8]}
    outcome = MapRegions(method="pca").outcome(Result(found.num_rows, {}, part.notes))
    assert outcome.summary[0].startswith("38 regions of 40 on the map")
    assert "2 regions left out" in outcome.summary[1]


def test_too_few_regions_and_no_features_are_refused(rng: np.random.Generator) -> None:
    rows = labels(rng, 12)
    vectors = features(rows, rng)
    with pytest.raises(ArtifactError, match="a map needs 3 regions, and there are 2"):
        mapped(parts(rows[:2], vectors[:2], []))
    with pytest.raises(ArtifactError, match="1 labelled regions have no feature"):
        mapped(parts(rows, vectors[1:], []))
    with pytest.raises(OptionError, match="--most"):
        MapRegions(method="pca", most=2)


def test_perplexity_is_no_part_of_other_recipes() -> None:
    assert "perplexity" not in MapRegions(method="pca").recipe()


def test_without_the_package_nothing_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)
    with pytest.raises(OptionError, match="install the extra"):
        MapRegions().survey(InMemory({}))
    MapRegions(method="pca").survey(InMemory({}))


@pytest.mark.slow
def test_t_sne_is_the_same_for_parts_cut_otherwise(rng: np.random.Generator) -> None:
    pytest.importorskip("openTSNE", reason="needs the extra map: pip install openTSNE")
    rows = labels(rng, 60)
    vectors = features(rows, rng)
    some, other = (
        mapped(parts(rows, vectors, cuts), method="t-sne", perplexity=5) for cuts in ([], [7, 30])
    )
    assert some.equals(other)
    with pytest.raises(OptionError, match="--perplexity 30 needs 91 regions or more"):
        mapped(parts(rows, vectors, []), method="t-sne")
