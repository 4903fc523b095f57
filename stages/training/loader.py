"""Batches of a dataset: samples loaded ahead in threads, collated in order, from any position."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

from schemas.errors import StageError
from stages.prefetching import map_in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence, Sized

    from stages.training.dataset import ShuffledDataset
    from stages.training.loop import Position

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class BatchLoader(Generic[T, U]):
    """Satisfies `loop.Loader`: endless batches of one size, epoch after epoch.

    Attributes:
        dataset: Where samples come from.
        load: Decodes and augments a sample of an epoch; pure, because it runs in threads.
        collate: Makes a batch of loaded samples.
        size: Samples per batch.
        threads: Threads that load ahead; 0 loads in the training thread.
    """

    dataset: ShuffledDataset[T]
    load: Callable[[T, int], U]
    collate: Callable[[Sequence[U]], Sized]
    size: int
    threads: int = 1

    def batches(self, start: Position) -> Iterator[tuple[Sized, Position]]:
        """See `loop.Loader.batches`; a batch may end one epoch and begin the next.

        Raises:
            StageError: If the dataset has no sample.
        """
        samples: list[U] = []
        loaded = map_in_order(self._positions(start), self._load, self.threads, 2 * self.size)
        for position, sample in loaded:
            samples.append(sample)
            if len(samples) == self.size:
                yield self.collate(samples), position
                samples = []

    def _load(self, positioned: tuple[Position, T]) -> tuple[Position, U]:
        (epoch, used), sample = positioned
        return (epoch, used), self.load(sample, epoch)

    def _positions(self, start: Position) -> Iterator[tuple[Position, T]]:
        for epoch in count(start[0]):
            used = 0
            for used, sample in enumerate(self.dataset.samples(epoch), start=1):
                if epoch > start[0] or used > start[1]:
                    yield (epoch, used), sample
            if used == 0:
                raise StageError(
                    "no image is left to train on: none of the inputs has what is learned from "
                    "(captions, boxes, or labels that take part); 'rc show' says what they hold"
                )
