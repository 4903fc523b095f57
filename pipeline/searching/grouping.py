"""Grouping: which of N things belong together, when pairs come a block at a time.

Shapes: N things, P pairs of a block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Groups:
    """Union-find over arrays: N integers of memory, however many pairs are shown.

    Attributes:
        root: (N,) the lowest member of the group of each thing, once `settle` was called.
        best: (N,) float32 highest score of a pair each thing is in; -1 without one.
    """

    def __init__(self, count: int) -> None:
        self.root = np.arange(count, dtype=np.int64)
        self.best = np.full(count, -1, np.float32)

    def join(self, a: NDArray[np.int64], b: NDArray[np.int64], score: NDArray[np.float32]) -> None:
        """Put the two things of each pair (P,) into one group."""
        np.maximum.at(self.best, a, score)
        np.maximum.at(self.best, b, score)
        while len(a):
            first, second = self.root[a], self.root[b]
            lower = np.minimum(first, second)
            np.minimum.at(self.root, first, lower)
            np.minimum.at(self.root, second, lower)
            self.settle()
            apart = self.root[a] != self.root[b]
            a, b = a[apart], b[apart]

    def settle(self) -> None:
        """Point every thing at the root of its group."""
        while True:
            higher = self.root[self.root]
            if np.array_equal(higher, self.root):
                return
            self.root = higher

    def of_several(self) -> list[NDArray[np.int64]]:
        """Members of each group of at least two, rising; the largest group first."""
        order = np.argsort(self.root, kind="stable")
        cuts = np.flatnonzero(np.diff(self.root[order])) + 1
        groups = [group for group in np.split(order, cuts) if len(group) > 1]
        return sorted(groups, key=lambda group: (-len(group), group[0]))
