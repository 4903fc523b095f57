"""Batches come in order and from any position, with any number of threads."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import pytest

from schemas.errors import StageError
from stages.training.dataset import ShuffledDataset
from stages.training.loader import BatchLoader
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.base import Part

PARTS = [InMemory({}, number=n) for n in range(3)]


def read(part: Part) -> Sequence[int]:
    return range(10 * part.number, 10 * part.number + 5)


def load(sample: int, epoch: int) -> tuple[int, int]:
    return sample, epoch


def loader(
    size: int = 4, threads: int = 0, accumulate: int = 1
) -> BatchLoader[int, tuple[int, int]]:
    dataset = ShuffledDataset(PARTS, read, seed=1, buffer=6)
    return BatchLoader(dataset, load, list, size, threads, accumulate)


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("skip", [0, 1, 3, 4, 9])
def test_batches_continue_from_any_position(threads: int, skip: int) -> None:
    everything = list(islice(loader().batches((0, 0)), 14))
    start = (0, 0) if skip == 0 else everything[skip - 1].position
    rest = list(islice(loader(threads=threads).batches(start), 14 - skip))
    assert rest == everything[skip:]


def test_each_epoch_has_each_sample_once_and_batches_span_epochs() -> None:
    batches = [share.micro_batches[0] for share in islice(loader().batches((0, 0)), 15)]
    loaded = [item for batch in batches for item in batch]
    everything = sorted(s for part in PARTS for s in read(part))
    for epoch in range(4):
        assert sorted(s for s, e in loaded if e == epoch) == everything
    assert all(len(batch) == 4 for batch in batches)
    assert {e for _, e in batches[3]} == {0, 1}


def test_a_batch_may_be_larger_than_an_epoch() -> None:
    share = next(loader(size=40).batches((0, 0)))
    assert [len(batch) for batch in share.micro_batches] == [40]
    assert share.position == (2, 10)


def test_a_dataset_without_samples_is_an_error() -> None:
    empty: BatchLoader[int, int] = BatchLoader(
        ShuffledDataset(PARTS, lambda part: []), lambda s, e: s, list, 2
    )
    with pytest.raises(StageError, match="no image is left to train on"):
        next(empty.batches((0, 0)))
