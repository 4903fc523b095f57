"""Batches come in order and from any position, with any number of threads."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING

import pytest

from schemas.errors import OptionError, StageError
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


@pytest.mark.parametrize(("ranks", "accumulate"), [(1, 3), (2, 1), (2, 2), (3, 1), (4, 1), (7, 1)])
def test_the_same_batches_are_cut_for_any_number_of_ranks_and_micro_batches(
    monkeypatch: pytest.MonkeyPatch, ranks: int, accumulate: int
) -> None:
    expected = list(islice(loader(size=7).batches((0, 3)), 5))
    loaded: list[Counter[int]] = []
    pieces: list[list[list[tuple[int, int]]]] = [[] for _ in expected]
    monkeypatch.setattr("stages.training.loader.num_ranks", lambda: ranks)
    for rank in range(ranks):
        monkeypatch.setattr("stages.training.loader.rank", lambda rank=rank: rank)
        shares = list(islice(loader(size=7, accumulate=accumulate).batches((0, 3)), 5))
        assert [share.position for share in shares] == [share.position for share in expected]
        assert {share.images for share in shares} == {7}
        for share, of_batch in zip(shares, pieces, strict=True):
            of_batch += share.micro_batches
        loaded.append(Counter(len(piece) for share in shares for piece in share.micro_batches))
    for whole, of_batch in zip(expected, pieces, strict=True):
        assert [item for piece in of_batch for item in piece] == list(whole.micro_batches[0])
    sizes = set().union(*loaded)
    assert max(sizes) - min(sizes) <= 1


def test_a_rank_loads_its_own_samples_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[int] = []
    own = replace(loader(), load=lambda sample, epoch: loads.append(sample) or sample)
    monkeypatch.setattr("stages.training.loader.num_ranks", lambda: 2)
    monkeypatch.setattr("stages.training.loader.rank", lambda: 1)
    shares = list(islice(own.batches((0, 0)), 3))
    assert loads == [
        sample for share in shares for piece in share.micro_batches for sample in piece
    ]
    assert len(loads) == 6


def test_a_micro_batch_without_a_sample_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(OptionError, match="4 images cannot be divided into 5 micro-batches"):
        next(loader(accumulate=5).batches((0, 0)))
