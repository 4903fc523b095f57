"""Samples in random order, part by part; at most one part is in memory at a time.

The order follows from the seed and the epoch alone. So a position in it is two numbers, and
returning to a position needs no decoding of the images before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from stages.seeds import generator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stages.base import Part

T = TypeVar("T")


@dataclass(frozen=True)
class ShuffledDataset(Generic[T]):
    """Samples of all parts, shuffled anew each epoch.

    Attributes:
        slices: The parts.
        read: Makes the samples of a part; indexing may be lazy, a sample must own its data.
        seed: Decides the order of every epoch.
        buffer: Size of the shuffle buffer, which mixes samples of several parts.
    """

    slices: Sequence[Part]
    read: Callable[[Part], Sequence[T]]
    seed: int = 0
    buffer: int = 512

    def __len__(self) -> int:
        """Number of samples in an epoch; reads every part once."""
        return sum(len(self.read(part)) for part in self.slices)

    def samples(self, epoch: int) -> Iterator[T]:
        """Every sample once, in the order of this epoch."""
        rng = generator(self.seed, "order", epoch)
        return shuffle_buffered(self._samples(rng), self.buffer, rng)

    def _samples(self, rng: np.random.Generator) -> Iterator[T]:
        for number in rng.permutation(len(self.slices)):
            yield from self._part_samples(self.slices[number], rng)

    def _part_samples(self, part: Part, rng: np.random.Generator) -> Iterator[T]:
        samples = self.read(part)  # a local variable: freed before the next part is read
        for index in rng.permutation(len(samples)):
            yield samples[index]


def shuffle_buffered(items: Iterable[T], size: int, rng: np.random.Generator) -> Iterator[T]:
    """The same items in random order, as far as a buffer of `size` allows."""
    buffer: list[T] = []
    for item in items:
        if len(buffer) < size:
            buffer.append(item)
            continue
        index = int(rng.integers(size))
        yield buffer[index]
        buffer[index] = item
    for index in rng.permutation(len(buffer)):
        yield buffer[index]


def rows_by_key(keys: Any) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    """Row numbers of each key, ascending, of an Arrow column of strings."""
    if not len(keys):
        return {}
    encoded = keys.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy()
    rows = np.argsort(codes, kind="stable")
    names = encoded.dictionary.to_pylist()
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
    return dict(zip(names, np.split(rows, ends), strict=True))
