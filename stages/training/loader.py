"""Batches of a stream: samples decoded ahead in threads, collated in order, from any position."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeVar

from schemas.errors import StageError
from stages.prefetching import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence, Sized

    from stages.training.dataset import ShuffledDataset
    from stages.training.loop import Position

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class BatchLoader(Generic[T, U]):
    """Satisfies `loop.Loader`: batches of one size, epoch after epoch, without end.

    Attributes:
        stream: Where samples come from.
        load: Decodes and augments a sample, given its epoch; pure, for it runs in threads.
        collate: Makes a batch of loaded samples.
        size: Samples a batch.
        threads: Threads that load ahead; 0 loads in the loop's own thread.
    """

    dataset: ShuffledDataset[T]
    load: Callable[[T, int], U]
    collate: Callable[[Sequence[U]], Sized]
    size: int
    threads: int = 1

    def batches(self, start: Position) -> Iterator[tuple[Sized, Position]]:
        """See `loop.Loader.batches`; a batch may end one epoch and begin the next.

        Raises:
            StageError: If the stream has no sample at all.
        """
        group: list[U] = []
        loaded = in_order(self._places(start), self._load, self.threads, 2 * self.size)
        for position, item in loaded:
            group.append(item)
            if len(group) == self.size:
                yield self.collate(group), position
                group = []

    def _load(self, place: tuple[Position, T]) -> tuple[Position, U]:
        (epoch, used), sample = place
        return (epoch, used), self.load(sample, epoch)

    def _places(self, start: Position) -> Iterator[tuple[Position, T]]:
        for epoch in count(start[0]):
            used = 0
            for used, sample in enumerate(self.dataset.samples(epoch), start=1):
                if epoch > start[0] or used > start[1]:
                    yield (epoch, used), sample
            if used == 0:
                raise StageError(
                    "no image is left to train on; see what the inputs hold, and loosen --where"
                )
