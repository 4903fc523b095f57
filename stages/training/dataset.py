"""Samples in random order, part by part, without ever holding more than one part of them.

The order follows from the seed and the epoch alone, so a place in it is two numbers, and
going back to that place replays rows without decoding a single image.
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
        seed: Decides every order.
        buffer: Samples held back to be drawn from, so that neighbours of a part are parted.
    """

    slices: Sequence[Part]
    read: Callable[[Part], Sequence[T]]
    seed: int = 0
    buffer: int = 512

    def __len__(self) -> int:
        """Samples of one epoch; reads every part once."""
        return sum(len(self.read(part)) for part in self.slices)

    def samples(self, epoch: int) -> Iterator[T]:
        """Every sample once, in the order of this epoch."""
        order = generator(self.seed, "order", epoch)
        return shuffled(self._rows(order), self.buffer, order)

    def _rows(self, order: np.random.Generator) -> Iterator[T]:
        for number in order.permutation(len(self.slices)):
            yield from self._part(self.slices[number], order)

    def _part(self, part: Part, order: np.random.Generator) -> Iterator[T]:
        rows = self.read(part)  # a local name: gone before the next part is read
        for index in order.permutation(len(rows)):
            yield rows[index]


def shuffled(items: Iterable[T], size: int, order: np.random.Generator) -> Iterator[T]:
    """The same items in random order, as far as a buffer of `size` allows."""
    held: list[T] = []
    for item in items:
        if len(held) < size:
            held.append(item)
            continue
        place = int(order.integers(size))
        yield held[place]
        held[place] = item
    for place in order.permutation(len(held)):
        yield held[place]


def groups(keys: Any) -> dict[str, np.ndarray[Any, np.dtype[np.int64]]]:
    """Row numbers by key, in row order, of an Arrow column of strings."""
    if not len(keys):
        return {}
    encoded = keys.combine_chunks().dictionary_encode()
    codes = encoded.indices.to_numpy()
    rows = np.argsort(codes, kind="stable")
    names = encoded.dictionary.to_pylist()
    cuts = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
    return dict(zip(names, np.split(rows, cuts), strict=True))
