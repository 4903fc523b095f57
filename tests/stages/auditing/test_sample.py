"""Samples in one pass, against sorting everything."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from stages.auditing.sample import StratifiedSample
from tests.stages.test_audit_draw import labels


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng()


def test_a_sample_holds_little_more_than_it_needs(rng: np.random.Generator) -> None:
    rows = labels(rng, 5000).combine_chunks().to_batches()[0].select(["region"])
    sample = StratifiedSample(np.array([10]))
    most = 0
    for _ in range(60):
        sample.add(rows, np.zeros(5000, np.int64), rng.integers(0, 1 << 63, 5000).astype(np.uint64))
        most = max(most, sample._waiting)
    assert most <= 70_000  # of 300,000
    assert sample.rows()[0].num_rows == 10


def test_it_is_the_labels_with_the_smallest_numbers_of_each_stratum(
    rng: np.random.Generator,
) -> None:
    strata, numbers = rng.integers(0, 3, 900), rng.permutation(900).astype(np.uint64)
    rows = pa.record_batch({"row": np.arange(900)})
    sample = StratifiedSample(np.array([5, 9, 2]))
    for start in range(0, 900, 100):
        part = slice(start, start + 100)
        sample.add(rows.slice(start, 100), strata[part], numbers[part])
    chosen, places = sample.rows()
    for h, drawn in enumerate((5, 9, 2)):
        members = np.flatnonzero(strata == h)
        expected = members[np.argsort(numbers[members])[:drawn]]
        assert chosen["row"].filter(pa.array(places == h)).to_pylist() == expected.tolist()
