"""The order of samples: random, repeatable, with one part in memory at a time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from stages.seeds import generator
from stages.training.dataset import ShuffledDataset, rows_by_key, shuffle_buffered
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.base import Part

PARTS = [InMemory({}, number=n) for n in range(4)]


def read(part: Part) -> Sequence[str]:
    return [f"{part.number}-{i}" for i in range(10 + part.number)]


def test_an_epoch_has_every_sample_once() -> None:
    dataset = ShuffledDataset(PARTS, read, seed=3, buffer=7)
    assert sorted(dataset.samples(0)) == sorted(s for part in PARTS for s in read(part))
    assert len(dataset) == 46


def test_the_order_follows_from_seed_and_epoch() -> None:
    dataset = ShuffledDataset(PARTS, read, seed=3, buffer=7)
    assert list(dataset.samples(0)) == list(
        ShuffledDataset(PARTS, read, seed=3, buffer=7).samples(0)
    )
    assert list(dataset.samples(0)) != list(dataset.samples(1))
    assert list(dataset.samples(0)) != list(
        ShuffledDataset(PARTS, read, seed=4, buffer=7).samples(0)
    )


def test_a_buffer_mixes_neighbouring_parts() -> None:
    first = [s.split("-")[0] for s in ShuffledDataset(PARTS, read, buffer=20).samples(0)][:12]
    assert len(set(first)) > 1


def test_a_part_is_freed_before_the_next_is_read() -> None:
    alive = 0
    most = 0

    class Rows(list[str]):
        def __init__(self, part: Part) -> None:
            nonlocal alive, most
            super().__init__(read(part))
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    assert len(list(ShuffledDataset(PARTS, Rows, buffer=3).samples(0))) == 46
    assert most == 1


@pytest.mark.parametrize("size", [1, 2, 50, 1000])
def test_shuffling_gives_every_item_exactly_once(size: int) -> None:
    assert Counter(shuffle_buffered(range(100), size, generator(size))) == Counter(range(100))


def test_with_a_buffer_of_all_items_each_comes_first_equally_often() -> None:
    firsts = Counter(next(shuffle_buffered(range(4), 4, generator(i))) for i in range(2000))
    assert all(abs(count - 500) < 100 for count in firsts.values())


def test_rows_are_grouped_by_key_in_row_order() -> None:
    column = pa.chunked_array([["b", "a", "b"], ["c", "a"]])
    rows = {key: numbers.tolist() for key, numbers in rows_by_key(column).items()}
    assert rows == {"b": [0, 2], "a": [1, 4], "c": [3]}


def test_an_empty_column_has_no_groups() -> None:
    assert rows_by_key(pa.chunked_array([], type=pa.string())) == {}


def test_grouping_equals_a_search_for_each_key() -> None:
    keys = np.random.default_rng(0).integers(0, 30, 500).astype(str)
    for key, rows in rows_by_key(pa.chunked_array([keys.tolist()])).items():
        assert rows.tolist() == np.flatnonzero(keys == key).tolist()
