"""Similar concepts: pairs of embeddings with a high cosine. All pairs are compared, in tiles.

Shapes: C concepts, D embedding width, P pairs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Pairs = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]

_BLOCK: Final = 512  # concepts compared with all later ones at once
_MOST_PAIRS: Final = 2_000_000  # above a minimum; 40 MB, and more than anybody looks at
_ROUNDING: Final = 1e-6  # a cosine may be lower than the minimum by this much
_STEPS: Final = 1000  # steps of a cosine, to say which minimum leaves fewer pairs


def unit_rows(vectors: NDArray[Any]) -> NDArray[np.float32]:
    """Rows (C, D) scaled to length 1; rows without direction become zero."""
    rows = np.nan_to_num(vectors.astype(np.float32))
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return rows


def nearest_pairs(vectors: NDArray[Any], count: int) -> list[tuple[int, int, float]]:
    """The pairs of rows with the highest cosine: (first, second, cosine), highest first.

    Args:
        vectors: (C, D); a row of length 0 has cosine 0 with every other.
        count: Maximal number of pairs.
    """
    firsts, seconds = np.zeros(0, np.int64), np.zeros(0, np.int64)
    cosines, lowest = np.zeros(0, np.float32), -np.inf
    for start, block in _tiles(vectors):
        if start == 0 and block.size > count:
            lowest = float(np.partition(block, -count, axis=None)[-count])
        a, b = np.nonzero((block >= lowest) & (block > -np.inf))
        firsts = np.concatenate([firsts, a + start])
        seconds = np.concatenate([seconds, b + start])
        cosines = np.concatenate([cosines, block[a, b]])
        order = np.lexsort((seconds, firsts, -cosines))[:count]
        firsts, seconds, cosines = firsts[order], seconds[order], cosines[order]
        if len(cosines) == count:
            lowest = float(cosines[-1])
    return [(int(a), int(b), float(c)) for a, b, c in zip(firsts, seconds, cosines, strict=True)]


def similar_concepts(vectors: NDArray[Any], min_cosine: float) -> Pairs:
    """All pairs of rows with a cosine of at least a minimum, highest first.

    Args:
        vectors: (C, D); a row of length 0 has cosine 0 with every other.
        min_cosine: In [-1, 1].

    Returns:
        First and second of each pair, the first below the second, and the cosines; (P,) each.

    Raises:
        OptionError: If there are more than 2,000,000.
    """
    blocks: list[Pairs] = [(*np.zeros((2, 0), np.int64), np.zeros(0, np.float32))]
    counts = np.zeros(_STEPS + 1, np.int64)  # pairs by cosine, rounded down to a step
    for start, block in _tiles(vectors):
        a, b = np.nonzero(block >= min_cosine - _ROUNDING)
        cosines = block[a, b]
        steps = np.clip(np.floor(cosines * _STEPS), 0, _STEPS).astype(np.int64)
        counts += np.bincount(steps, minlength=_STEPS + 1)
        if counts.sum() <= _MOST_PAIRS:
            blocks.append((a + start, b + start, cosines))
    if counts.sum() > _MOST_PAIRS:
        raise OptionError(_too_many(counts, min_cosine))
    firsts, seconds, cosines = (np.concatenate(part) for part in zip(*blocks, strict=True))
    order = np.lexsort((seconds, firsts, -cosines))
    return firsts[order], seconds[order], cosines[order]


def _too_many(counts: NDArray[np.int64], min_cosine: float) -> str:
    above = np.cumsum(counts[::-1])[::-1]  # pairs from each step on
    fits = int(np.argmax(above <= _MOST_PAIRS)) if (above <= _MOST_PAIRS).any() else _STEPS
    return (
        f"{counts.sum():,} pairs of concepts have a cosine of at least {min_cosine:g}, and no more "
        f"than {_MOST_PAIRS:,} are looked at; raise --min-cosine, to {fits / _STEPS:g} or more"
    )


def _tiles(vectors: NDArray[Any]) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Cosines of some rows with these and all later ones; -inf for a pair that is no pair.

    Yields the position of the first row, of which column 0 is the cosine with itself.
    """
    rows = unit_rows(vectors)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK] @ rows[start:].T
        block[np.tri(len(block), block.shape[1], dtype=bool)] = -math.inf  # itself, earlier pairs
        yield start, block
