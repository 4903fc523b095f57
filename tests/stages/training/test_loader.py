"""Batches: in order, from any position, whatever the threads do."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from schemas.errors import StageError
from stages.prefetching import in_order
from stages.training.dataset import ShuffledDataset
from stages.training.loader import BatchLoader
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stages.base import Part

PARTS = [InMemory({}, number=n) for n in range(3)]


def read(part: Part) -> Sequence[int]:
    return range(10 * part.number, 10 * part.number + 5)


def load(sample: int, epoch: int) -> tuple[int, int]:
    return sample, epoch


def loader(size: int = 4, threads: int = 0) -> BatchLoader[int, tuple[int, int]]:
    return BatchLoader(ShuffledDataset(PARTS, read, seed=1, buffer=6), load, list, size, threads)


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("skip", [0, 1, 3, 4, 9])
def test_batches_go_on_from_any_position(threads: int, skip: int) -> None:
    everything = list(islice(loader().batches((0, 0)), 14))
    start = (0, 0) if skip == 0 else everything[skip - 1][1]
    rest = list(islice(loader(threads=threads).batches(start), 14 - skip))
    assert rest == everything[skip:]


def test_each_epoch_meets_each_sample_once_and_batches_span_epochs() -> None:
    batches = [batch for batch, _ in islice(loader().batches((0, 0)), 15)]
    seen = [item for batch in batches for item in batch]
    everything = sorted(s for part in PARTS for s in read(part))
    for epoch in range(4):
        assert sorted(s for s, e in seen if e == epoch) == everything
    assert all(len(batch) == 4 for batch in batches)
    assert {e for _, e in batches[3]} == {0, 1}


def test_a_batch_may_be_larger_than_an_epoch() -> None:
    batch, position = next(loader(size=40).batches((0, 0)))
    assert len(batch) == 40
    assert position == (2, 10)


def test_no_sample_at_all_is_an_error_not_an_endless_wait() -> None:
    empty: BatchLoader[int, int] = BatchLoader(
        ShuffledDataset(PARTS, lambda part: []), lambda s, e: s, list, 2
    )
    with pytest.raises(StageError, match="no image is left to train on"):
        next(empty.batches((0, 0)))


@pytest.mark.parametrize("threads", [0, 2])
def test_results_come_in_order_however_long_each_takes(threads: int) -> None:
    def slow(i: int) -> int:
        time.sleep(0.01 * (i % 3 == 0))
        return -i

    assert list(in_order(range(20), slow, threads, ahead=5)) == [-i for i in range(20)]


def test_no_more_is_taken_than_may_be_ahead() -> None:
    taken = 0

    def counted() -> Iterator[int]:
        nonlocal taken
        for i in range(100):
            taken += 1
            yield i

    results = in_order(counted(), lambda i: i, 2, ahead=5)
    assert next(results) == 0
    assert taken == 6


def test_an_error_in_a_thread_reaches_the_loop() -> None:
    def fails(i: int) -> int:
        raise ValueError(i)

    with pytest.raises(ValueError, match="0"):
        next(in_order(range(3), fails, 2, ahead=2))
