"""Similar pairs: rows whose vectors have a high cosine. All pairs are compared, tile by tile.

Memory holds the vectors of a few tiles, however many rows there are: one pass over the file
compares the tiles in memory with all later rows, and the next pass continues with the next tiles.

Shapes: N rows compared, R rows of a part, D width, P pairs of two tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from pipeline.store.vectors import directions, vector_column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipeline.progress import Reporter
    from pipeline.store.artifact import Artifact

    Tile = tuple[int, NDArray[np.float32]]  # position of the first row, unit rows
    Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]

_TILE: Final = 4096  # rows compared with as many others at once: 64 MB of cosines
_HELD_BYTES: Final = 256 << 20  # of vectors in memory during one pass over the file
_ROUNDING: Final = 1e-6  # a cosine may be lower than the minimum by this much


@dataclass(frozen=True)
class ComparedRows:
    """The rows that are compared, in order: part, row in it, number of their image, (N,) each."""

    part: NDArray[np.int64]
    row: NDArray[np.int64]
    image: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def mask(self, part: int, rows: int, start: int) -> NDArray[np.bool_]:
        """Which rows (R,) of a part are compared; those before position `start` are left out."""
        selected = np.zeros(rows, np.bool_)
        selected[self.row[start:][self.part[start:] == part]] = True
        return selected


def similar_pairs(
    artifact: Artifact, compared: ComparedRows, min_cosine: float, reporter: Reporter
) -> Iterator[Pairs]:
    """Positions of the two rows of each pair, the first before the second, and their cosines.

    Args:
        artifact: An artifact with vectors.
        compared: Rows of it that have a direction.
        min_cosine: Lowest cosine of a pair.
        reporter: Receives the number of pairs compared.
    """
    start = 0
    while start < len(compared):
        held: list[Tile] = []
        size = 0
        for first, vectors in _tiles(artifact, compared, start):
            if size < _HELD_BYTES:
                held.append((first, vectors))
                size += vectors.nbytes
                start = first + len(vectors)
            for held_first, held_vectors in held:
                cosines = held_vectors @ vectors.T
                a, b = np.nonzero(cosines >= min_cosine - _ROUNDING)
                score = cosines[a, b]
                upper = a + held_first < b + first  # each pair of a tile with itself only once
                yield a[upper] + held_first, b[upper] + first, score[upper]
                reporter.advance(cosines.size // (2 if held_first == first else 1))


def _tiles(artifact: Artifact, compared: ComparedRows, start: int) -> Iterator[Tile]:
    """Unit vectors of the compared rows from position `start` on, tile by tile."""
    buffered: list[NDArray[np.float32]] = []
    num_buffered = 0
    for block in _blocks(artifact, compared, start):
        rest = block
        while num_buffered + len(rest) >= _TILE:
            missing = _TILE - num_buffered
            yield start, np.concatenate([*buffered, rest[:missing]])
            start, buffered, num_buffered, rest = start + _TILE, [], 0, rest[missing:]
        buffered.append(rest)
        num_buffered += len(rest)
    if num_buffered:
        yield start, np.concatenate(buffered)


def _blocks(
    artifact: Artifact, compared: ComparedRows, start: int
) -> Iterator[NDArray[np.float32]]:
    """Unit vectors of the compared rows, in blocks as the files give them."""
    for record in artifact.parts:
        selected = compared.mask(record.number, record.rows, start)
        if selected.any():
            path = artifact.part(record.number)
            for ids, vectors in directions(path, vector_column(artifact, path)[0]):
                yield vectors[selected[ids]]
