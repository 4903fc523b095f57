"""Picture set: the grey pictures of a set of images in memory, and which of them others may show.

A candidate is a pair of pictures whose low frequencies agree: whole with whole, or whole with one
of the windows of the other that a crop to 90 per cent leaves; as they are or mirrored. All pairs
are compared, by products of matrices.

Shapes: N pictures of the set, Q pictures looked up, S side, W windows, D frequencies compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Final

import numpy as np

from stages.near_duplicates.alignment import Hypothesis
from stages.near_duplicates.grey_pictures import SIDE
from stages.near_duplicates.spectra import WHOLE, Window, is_plain, mirroring, spectra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

FREQUENCIES: Final = 8  # of each axis; finer ones would need more windows
MOST: Final = 100  # candidates of a picture that are kept
# Lowest product of two spectra of a candidate: on the seed that it was chosen on, 77, copies had
# 0.82 at least, and one of twenty thousand unrelated pairs of photographs had 0.75 or more.
CANDIDATE: Final = 0.75
_BLOCK: Final = 1024  # pictures of the set compared at once, with all that are looked up
_SIDE: Final = 0.9  # of a window, as a share of the picture's
_OFFSETS: Final = (0.0, 0.05, 0.1)
WINDOWS: Final = (
    WHOLE,
    *(
        Window(x, y, round(x + _SIDE, 4), round(y + _SIDE, 4))
        for y, x in product(_OFFSETS, repeat=2)
    ),
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A picture of the set that may show what another shows: its number, where, how likely."""

    number: int
    hypothesis: Hypothesis
    product: float


class PictureSet:
    """Pictures to be found again.

    Attributes:
        pictures: (N, S, S) uint8.
    """

    def __init__(self, pictures: Sequence[NDArray[np.uint8]]) -> None:
        self.pictures = np.stack([*pictures]) if pictures else _no_pictures()
        self._spectra = np.zeros((len(WINDOWS), len(self.pictures), FREQUENCIES**2 - 1), np.float32)
        for start in range(0, len(self.pictures), _BLOCK):
            block = slice(start, start + _BLOCK)
            self._spectra[:, block] = _window_spectra(self.pictures[block])

    def __len__(self) -> int:
        return len(self.pictures)

    def candidates(
        self, pictures: NDArray[np.uint8], before: NDArray[np.int64]
    ) -> list[list[Candidate]]:
        """What each of some pictures may show, the likeliest first; none if it is plain.

        Args:
            pictures: (Q, S, S).
            before: (Q,) how many pictures of the set each is compared with, from the first on.

        Returns:
            For each picture at most `MOST` candidates.
        """
        own = _window_spectra(pictures)  # (W, Q, D)
        found: list[list[Candidate]] = [[] for _ in pictures]
        for start in range(0, int(before.max(initial=0)), _BLOCK):
            others = self._spectra[:, start : start + _BLOCK]
            best = _best_products(own, others)  # (Q, block)
            best[start + np.arange(best.shape[1]) >= before[:, None]] = -1
            for row in np.flatnonzero((best >= CANDIDATE).any(axis=1)):
                columns = np.flatnonzero(best[row] >= CANDIDATE)
                order = np.argsort(-best[row, columns], kind="stable")[:MOST]
                for column in columns[order]:
                    pair = own[:, row : row + 1], others[:, column : column + 1]
                    found[row].append(
                        Candidate(start + int(column), _likeliest(*pair), float(best[row, column]))
                    )
                found[row].sort(key=lambda one: (-one.product, one.number))
                del found[row][MOST:]
        return found


def _window_spectra(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The spectra of all windows of pictures, (W, N, D); 0 of plain pictures."""
    vectors = np.stack([spectra(pictures, FREQUENCIES, window) for window in WINDOWS])
    vectors[:, is_plain(pictures)] = 0
    return vectors.astype(np.float32)


def _compared(
    own: NDArray[np.float32], others: NDArray[np.float32]
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Spectra (Q, D) and (N, D) to multiply, one way after the other, in the order of `_WAYS`.

    Args:
        own: (W, Q, D).
        others: (W, N, D).
    """
    signs = mirroring(FREQUENCIES).astype(np.float32)
    for turned in (own, own * signs):
        yield from ((turned[0], of_window) for of_window in others)
        yield from ((of_window, others[0]) for of_window in turned[1:])


def _best_products(own: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest of the products of each pair, (Q, N)."""
    best = np.full((own.shape[1], others.shape[1]), -1, np.float32)
    products = np.empty_like(best)
    for one, other in _compared(own, others):
        np.matmul(one, other.T, out=products)
        np.maximum(best, products, out=best)
    return best


def _likeliest(own: NDArray[np.float32], others: NDArray[np.float32]) -> Hypothesis:
    """The way in which one pair agrees best; (W, 1, D) each."""
    products = [float(one[0] @ other[0]) for one, other in _compared(own, others)]
    return _WAYS[int(np.argmax(products))]


def _hypotheses() -> tuple[Hypothesis, ...]:
    """What each product of `_compared` says if it is the largest."""
    said = []
    for mirrored in (False, True):
        said.append(Hypothesis(mirrored))
        for window in WINDOWS[1:]:  # the spectra of the one are mirrored, and so is the window
            turned = Window(round(1 - window.x1, 4), window.y0, round(1 - window.x0, 4), window.y1)
            said.append(Hypothesis(mirrored, "other", turned if mirrored else window))
        said += [Hypothesis(mirrored, "image", window) for window in WINDOWS[1:]]
    return tuple(said)


def _no_pictures() -> NDArray[np.uint8]:
    return np.zeros((0, SIDE, SIDE), np.uint8)


_WAYS: Final = _hypotheses()
