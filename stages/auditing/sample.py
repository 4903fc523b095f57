"""The sample itself: of each stratum the labels with the smallest random numbers, in one pass.

Shapes: R labels, H strata.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray


class StratifiedSample:
    """Collects labels; holds a few times as many as are drawn."""

    def __init__(self, drawn: NDArray[np.int64]) -> None:
        """Draw (H,) labels of each stratum."""
        self._drawn = drawn
        self._limits = np.full(len(drawn), np.iinfo(np.uint64).max)
        self._kept: list[tuple[pa.RecordBatch, NDArray[np.int64], NDArray[np.uint64]]] = []
        self._waiting = 0

    def add(
        self, rows: pa.RecordBatch, strata: NDArray[np.int64], numbers: NDArray[np.uint64]
    ) -> None:
        """Offer R rows, with the stratum and the random number of each."""
        chosen = np.flatnonzero(numbers <= self._limits[strata])
        self._kept.append((rows.take(pa.array(chosen)), strata[chosen], numbers[chosen]))
        self._waiting += len(chosen)
        if self._waiting > 4 * int(self._drawn.sum()) + 65536:
            self._shorten()

    def rows(self) -> tuple[pa.Table, NDArray[np.int64]]:
        """The rows drawn, and their strata, in the order to judge them.

        Any beginning of it has about the same share of every stratum, chosen at random.
        """
        if not self._kept:
            raise ValueError("no label was offered")
        self._shorten()
        rows, strata, numbers = self._kept[0]
        ranks = _ranks(strata, numbers)
        order = np.lexsort((numbers, (ranks + 0.5) / self._drawn[strata]))
        return pa.Table.from_batches([rows]).take(pa.array(order)), strata[order]

    def _shorten(self) -> None:
        """Keep only what is drawn of the labels so far."""
        table = pa.Table.from_batches([rows for rows, _, _ in self._kept])
        strata = np.concatenate([strata for _, strata, _ in self._kept])
        numbers = np.concatenate([numbers for _, _, numbers in self._kept])
        chosen = np.flatnonzero(_ranks(strata, numbers) < self._drawn[strata])
        strata, numbers = strata[chosen], numbers[chosen]
        full = np.bincount(strata, minlength=len(self._drawn)) == self._drawn
        largest = np.zeros(len(self._drawn), np.uint64)
        np.maximum.at(largest, strata, numbers)
        self._limits = np.where(full, largest, np.iinfo(np.uint64).max)
        rows = table.take(pa.array(chosen)).combine_chunks().to_batches()
        self._kept = [(rows[0] if rows else table.schema.empty_table(), strata, numbers)]
        self._waiting = len(chosen)


def _ranks(strata: NDArray[np.int64], numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The place of each number among those of its stratum, from 0."""
    order = np.lexsort((numbers, strata))
    starts = np.searchsorted(strata[order], np.arange(int(strata.max(initial=-1)) + 1))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order)) - starts[strata[order]]
    return ranks
