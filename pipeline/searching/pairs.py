"""Pairs: rows whose vectors are near each other, found by comparing all, a tile at a time.

Memory holds the vectors of some tiles, however many rows there are: the file is read past them,
then again past the next ones.

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

    Tile = tuple[int, NDArray[np.float32]]  # place of the first row, unit rows
    Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]

_TILE: Final = 4096  # rows compared with so many others at once: 64 MB of cosines
_HELD_BYTES: Final = 256 << 20  # of vectors held while the file is read past them
_ROUNDING: Final = 1e-6  # a cosine this much too low is high enough


@dataclass(frozen=True)
class Chosen:
    """The rows that are compared, in order: part, row in it, number of their image, (N,) each."""

    part: NDArray[np.int64]
    row: NDArray[np.int64]
    image: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def within(self, part: int, rows: int, start: int) -> NDArray[np.bool_]:
        """Which rows (R,) of a part they are, those before place `start` left out."""
        found = np.zeros(rows, np.bool_)
        found[self.row[start:][self.part[start:] == part]] = True
        return found


def near_pairs(
    artifact: Artifact, chosen: Chosen, min_cosine: float, reporter: Reporter
) -> Iterator[Pairs]:
    """Places of the rows of each pair, the first before the second, and their cosines.

    Args:
        artifact: With vectors.
        chosen: Rows of it that have a direction.
        min_cosine: Of a pair.
        reporter: Told of the pairs compared.
    """
    start = 0
    while start < len(chosen):
        held: list[Tile] = []
        size = 0
        for first, vectors in _tiles(artifact, chosen, start):
            if size < _HELD_BYTES:
                held.append((first, vectors))
                size += vectors.nbytes
                start = first + len(vectors)
            for before, others in held:
                cosines = others @ vectors.T
                a, b = np.nonzero(cosines >= min_cosine - _ROUNDING)
                score = cosines[a, b]
                upper = a + before < b + first  # of a tile with itself, each pair once
                yield a[upper] + before, b[upper] + first, score[upper]
                reporter.advance(cosines.size // (2 if before == first else 1))


def _tiles(artifact: Artifact, chosen: Chosen, start: int) -> Iterator[Tile]:
    """Unit vectors of the chosen rows from place `start` on, a tile at a time."""
    waiting: list[NDArray[np.float32]] = []
    held = 0
    for piece in _pieces(artifact, chosen, start):
        rest = piece
        while held + len(rest) >= _TILE:
            room = _TILE - held
            yield start, np.concatenate([*waiting, rest[:room]])
            start, waiting, held, rest = start + _TILE, [], 0, rest[room:]
        waiting.append(rest)
        held += len(rest)
    if held:
        yield start, np.concatenate(waiting)


def _pieces(artifact: Artifact, chosen: Chosen, start: int) -> Iterator[NDArray[np.float32]]:
    for record in artifact.manifest.parts:
        wanted = chosen.within(record.number, record.rows, start)
        if wanted.any():
            path = artifact.part(record.number)
            for ids, vectors in directions(path, vector_column(artifact, path)[0]):
                yield vectors[wanted[ids]]
