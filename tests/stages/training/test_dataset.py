"""Order: random, repeatable, and never more than a part in memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from stages.seeds import generator
from stages.training.dataset import ShuffledDataset, groups, shuffled
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.base import Part

PARTS = [InMemory({}, number=n) for n in range(4)]


def read(part: Part) -> Sequence[str]:
    return [f"{part.number}-{i}" for i in range(10 + part.number)]


def test_an_epoch_meets_every_sample_once() -> None:
    dataset = ShuffledDataset(PARTS, read, seed=3, buffer=7)
    assert sorted(dataset.samples(0)) == sorted(s for part in PARTS for s in read(part))
    assert len(dataset) == 46


def test_the_same_epoch_has_the_same_order_and_another_epoch_another() -> None:
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


def test_a_part_is_let_go_before_the_next_is_read() -> None:
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
def test_shuffling_loses_nothing_and_repeats_nothing(size: int) -> None:
    assert Counter(shuffled(range(100), size, generator(size))) == Counter(range(100))


def test_a_large_buffer_shuffles_fairly() -> None:
    firsts = Counter(next(shuffled(range(4), 4, generator(i))) for i in range(2000))
    assert all(abs(count - 500) < 100 for count in firsts.values())


def test_a_generator_follows_from_its_keys_alone() -> None:
    a, b, c = (generator(*keys).random() for keys in ((1, "x"), (1, "x"), (1, "y")))
    assert a == b != c


def test_rows_are_grouped_by_key_in_row_order() -> None:
    column = pa.chunked_array([["b", "a", "b"], ["c", "a"]])
    found = {key: rows.tolist() for key, rows in groups(column).items()}
    assert found == {"b": [0, 2], "a": [1, 4], "c": [3]}


def test_no_rows_make_no_groups() -> None:
    assert groups(pa.chunked_array([], type=pa.string())) == {}


def test_grouping_equals_looking_for_each_key() -> None:
    keys = np.random.default_rng(0).integers(0, 30, 500).astype(str)
    for key, rows in groups(pa.chunked_array([keys.tolist()])).items():
        assert rows.tolist() == np.flatnonzero(keys == key).tolist()
