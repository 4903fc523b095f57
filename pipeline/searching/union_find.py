"""Union-find: groups of N items from pairs that arrive in blocks.

Shapes: N items, P pairs of a block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class UnionFind:
    """Union-find over arrays: the memory is N integers, however many pairs arrive.

    Attributes:
        root: (N,) the lowest member of the group of each item, after `settle`.
        best: (N,) float32 highest score among the pairs of each item; -1 without a pair.
    """

    def __init__(self, count: int) -> None:
        self.root = np.arange(count, dtype=np.int64)
        self.best = np.full(count, -1, np.float32)

    def join(self, a: NDArray[np.int64], b: NDArray[np.int64], score: NDArray[np.float32]) -> None:
        """Put the two items of each pair (P,) into one group."""
        np.maximum.at(self.best, a, score)
        np.maximum.at(self.best, b, score)
        while len(a):
            first, second = self.root[a], self.root[b]
            lower = np.minimum(first, second)
            np.minimum.at(self.root, first, lower)
            np.minimum.at(self.root, second, lower)
            self.settle()
            separate = self.root[a] != self.root[b]
            a, b = a[separate], b[separate]

    def settle(self) -> None:
        """Point every item at the root of its group."""
        while True:
            parents = self.root[self.root]
            if np.array_equal(parents, self.root):
                return
            self.root = parents

    def groups(self) -> list[NDArray[np.int64]]:
        """Members of each group of at least two, in ascending order; the largest group first."""
        order = np.argsort(self.root, kind="stable")
        cuts = np.flatnonzero(np.diff(self.root[order])) + 1
        groups = [group for group in np.split(order, cuts) if len(group) > 1]
        return sorted(groups, key=lambda group: (-len(group), group[0]))
