"""Batches of a dataset, cut into micro-batches of ranks: loaded ahead in threads, in order.

The batches of a run follow from the dataset alone. With W ranks and K micro-batches on each, a
batch is cut into W K pieces, in order and as equal as they can be; rank r has pieces r K to
r K + K - 1, and loads the images of those alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, pairwise
from typing import TYPE_CHECKING, Generic, TypeVar

from schemas.errors import OptionError, StageError
from stages.prefetching import map_in_order
from stages.training.distributed import num_ranks, rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence, Sized

    from stages.training.dataset import ShuffledDataset
    from stages.training.loop import Position

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class BatchShare:
    """What a rank has of a batch.

    Attributes:
        micro_batches: Those of this rank, none without an image.
        images: Number of images of the whole batch.
        position: In the dataset, after the whole batch.
    """

    micro_batches: Sequence[Sized]
    images: int
    position: Position


@dataclass(frozen=True)
class BatchLoader(Generic[T, U]):
    """Satisfies `loop.Loader`: endless batches of one size, epoch after epoch.

    Attributes:
        dataset: Where samples come from.
        load: Decodes and augments a sample of an epoch; pure, because it runs in threads.
        collate: Makes micro-batches of the loaded samples of each; all ranks call it together.
        size: Samples per batch, of all ranks.
        threads: Threads that load ahead; 0 loads in the training thread.
        accumulate: Micro-batches of each rank.
    """

    dataset: ShuffledDataset[T]
    load: Callable[[T, int], U]
    collate: Callable[[Sequence[Sequence[U]]], Sequence[Sized]]
    size: int
    threads: int = 1
    accumulate: int = 1

    def batches(self, start: Position) -> Iterator[BatchShare]:
        """See `loop.Loader.batches`; a batch may end one epoch and begin the next.

        Raises:
            OptionError: If a micro-batch would have no sample.
            StageError: If the dataset has no sample.
        """
        ends = self._ends()
        own = range(ends[0], ends[-1])
        samples: list[U] = []
        items = ((i % self.size in own, p, s) for i, (p, s) in enumerate(self._positions(start)))
        loaded = map_in_order(items, self._load, self.threads, 2 * self.size)
        for index, (position, of_rank) in enumerate(loaded, start=1):
            samples += of_rank
            if index % self.size == 0:
                groups = [samples[a - own.start : b - own.start] for a, b in pairwise(ends)]
                yield BatchShare(self.collate(groups), self.size, position)
                samples = []

    def _ends(self) -> list[int]:
        """Where in a batch each micro-batch of this rank begins, and where the last one ends."""
        pieces = num_ranks() * self.accumulate
        if pieces > self.size:
            raise OptionError(
                f"{self.size} images cannot be divided into {pieces} micro-batches (ranks times "
                f"--accumulate): give --images-per-batch {pieces} or more"
            )
        first = rank() * self.accumulate
        numbers = range(first, first + self.accumulate + 1)
        return [self.size * number // pieces for number in numbers]

    def _load(self, item: tuple[bool, Position, T]) -> tuple[Position, list[U]]:
        """The position after a sample; and the sample, loaded, if it is of this rank."""
        own, (epoch, used), sample = item
        return (epoch, used), [self.load(sample, epoch)] if own else []

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
