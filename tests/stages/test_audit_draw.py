"""Samples for audits: how many, how likely, which contain which."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest

from schemas.audits import AUDITS
from schemas.errors import ArtifactError, OptionError
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.audit_draw import AuditDraw
from stages.outcome import Result
from tests.in_memory import InMemory


def labels(rng: np.random.Generator, count: int) -> pa.Table:
    """Pseudo-labels of five regions an image, with random scores."""
    scores = {n: rng.beta(0.6, 0.4, count) for n in ("probability", "margin", "cosine", "residual")}
    places = rng.uniform(0, 50, (2, count))
    rows = {
        "image_id": [f"image {i // 5}" for i in range(count)],
        "region": np.arange(count) % 5,
        "concept_id": rng.zipf(1.6, count).clip(max=40),
        "entropy": rng.gamma(1.0, 2.0, count),
        "objectness": rng.normal(size=count),
        "kept": np.ones(count, bool),
        "in_caption": [None] * count,
        "reviewed": [None] * count,
        "top_ids": [[1]] * count,
        "top_probabilities": [[0.5]] * count,
        **scores,
        **dict(zip(("x0", "y0", "x1", "y1"), (*places, *(places + 1)), strict=True)),
    }
    return pa.Table.from_batches([PSEUDO_LABELS.batch(rows)])


def drawn(rows: pa.Table, **options: object) -> pa.Table:
    options = {"called": "trial", "size": 60, "strata": 6, **options}
    batches = list(AuditDraw(**options).run(InMemory({"pseudo_labels": rows})))  # type: ignore[arg-type]
    table = pa.Table.from_batches(batches)
    AUDITS.check(table)
    return table


def keys(table: pa.Table) -> list[tuple[str, int]]:
    return list(zip(table["image_id"].to_pylist(), table["region"].to_pylist(), strict=True))


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


@pytest.mark.parametrize(
    "by", ["probability", "margin", "entropy", "cosine", "objectness", "size", "concept"]
)
def test_strata_divide_all_labels_and_each_stands_for_its_own(
    rng: np.random.Generator, by: str
) -> None:
    rows = labels(rng, 3000)
    table = drawn(rows, by=by)
    assert table.num_rows == len(set(keys(table))) == 60
    assert table["place"].to_pylist() == list(range(60))
    strata = {
        stratum: (size, drew)
        for stratum, size, drew in zip(
            *(table[c].to_pylist() for c in ("stratum", "stratum_labels", "stratum_drawn")),
            strict=True,
        )
    }
    assert sum(size for size, _ in strata.values()) == 3000
    assert len(strata) <= 6
    assert Counter(table["stratum"].to_pylist()) == {h: drew for h, (_, drew) in strata.items()}
    inclusion = np.array(table["inclusion"])
    assert (1 / inclusion).sum() == pytest.approx(3000)
    places = {key: row for row, key in enumerate(keys(rows))}
    chosen = rows.take([places[key] for key in keys(table)])
    for column in ("concept_id", "probability", "x0", "y1"):
        assert table[column].equals(chosen[column])


def test_every_label_of_a_stratum_is_drawn_equally_often(rng: np.random.Generator) -> None:
    rows = labels(rng, 100)
    times, expected = Counter[tuple[str, int]](), {}
    for seed in range(150):
        table = drawn(rows, seed=seed, size=30, strata=3)
        times.update(keys(table))
        expected |= dict(zip(keys(table), table["inclusion"].to_pylist(), strict=True))
    assert len(expected) == 100
    deviations = [
        (times[key] - 150 * p) / np.sqrt(150 * p * (1 - p)) for key, p in expected.items() if p < 1
    ]
    assert np.abs(deviations).max() < 5
    assert 0.5 < np.mean(np.square(deviations)) < 1.5  # within strata, 1 - 1/N is expected


def test_a_larger_sample_contains_a_smaller_one(rng: np.random.Generator) -> None:
    rows = labels(rng, 2000)
    smaller, larger = (keys(drawn(rows, size=size)) for size in (50, 170))
    assert set(smaller) < set(larger)
    assert set(keys(drawn(rows, size=50, seed=1))) != set(smaller)


def test_the_sample_does_not_depend_on_how_rows_arrive(rng: np.random.Generator) -> None:
    rows = labels(rng, 500)
    cut = pa.Table.from_batches(rows.to_batches(max_chunksize=7))
    assert drawn(cut).equals(drawn(rows))


def test_any_beginning_has_about_its_share_of_each_stratum(rng: np.random.Generator) -> None:
    table = drawn(labels(rng, 5000), size=200, strata=5)
    for length in (50, 100, 150):
        begun = Counter(table["stratum"].to_pylist()[:length])
        for stratum, drew in zip(
            table["stratum"].to_pylist(), table["stratum_drawn"].to_pylist(), strict=True
        ):
            assert abs(begun[stratum] - drew * length / 200) <= 1


def test_all_are_drawn_where_there_are_fewer(rng: np.random.Generator) -> None:
    table = drawn(labels(rng, 40))
    assert table.num_rows == 40
    assert set(table["inclusion"].to_pylist()) == {1.0}


def test_too_few_for_the_strata_is_refused(rng: np.random.Generator) -> None:
    with pytest.raises(ArtifactError, match="need 12 labels, not 5: raise --size or lower"):
        drawn(labels(rng, 500), size=5)


def test_no_labels_are_an_error() -> None:
    with pytest.raises(ArtifactError, match="no label to draw from: --where kept"):
        drawn(pa.Table.from_batches([PSEUDO_LABELS.empty()]), where="kept")


def test_a_wrong_name_is_refused() -> None:
    with pytest.raises(OptionError, match="rc audit draw: 'First' is no name for an audit"):
        AuditDraw(called="First")


def test_the_outcome_says_what_comes_next() -> None:
    said = AuditDraw(called="first").outcome(Result(400, {}, {"labels": 12000})).summary
    assert said[0] == "400 labels of 12,000 drawn as first"
