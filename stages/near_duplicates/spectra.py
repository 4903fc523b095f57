"""Spectra: the low frequencies of a grey picture, or of a part of it, as a vector of length 1.

A vector has the coefficients of a cosine transform, each multiplied by its frequency: in pictures
of the world, coefficients shrink as frequencies grow, and would else not count. So the products of
vectors of two pictures that have nothing in common are near 0, and those of a picture and a copy
near 1, whatever the brightness and contrast of either.

Shapes: N pictures, S side of a grey picture, F frequencies of an axis, D = F * F - 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from stages.near_duplicates.grey_pictures import SIDE

if TYPE_CHECKING:
    from numpy.typing import NDArray

PLAIN: Final = 2.0  # deviation of grey levels below which a picture shows noise of its encoder


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a picture, its sides as fractions of those of the picture; all of it by default."""

    x0: float = 0.0
    y0: float = 0.0
    x1: float = 1.0
    y1: float = 1.0

    @property
    def smaller_side(self) -> float:
        """Of the two fractions of the sides."""
        return min(self.x1 - self.x0, self.y1 - self.y0)


WHOLE: Final = Window()


def is_plain(pictures: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pictures (N, S, S) have so little contrast that there is nothing to compare. (N,)."""
    return np.asarray(pictures.reshape(len(pictures), SIDE * SIDE).std(axis=1) < PLAIN)


def spectra(
    pictures: NDArray[Any], frequencies: int, window: Window = WHOLE
) -> NDArray[np.float64]:
    """Spectra of a part of each picture.

    Args:
        pictures: (N, S, S), any numbers.
        frequencies: F of each axis.
        window: The part.

    Returns:
        (N, D), of length 1; 0 where the part is of one brightness.
    """
    across = _transform(window.x0, window.x1, frequencies)
    down = _transform(window.y0, window.y1, frequencies)
    coefficients = down @ np.asarray(pictures, np.float64) @ across.T  # (N, F, F)
    vectors = (coefficients * _weights(frequencies)).reshape(-1, frequencies**2)[:, 1:]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, np.finfo(np.float64).tiny))


@lru_cache(maxsize=8)
def mirroring(frequencies: int) -> NDArray[np.float64]:
    """Signs (D,) that turn the spectrum of a picture into that of its mirror image."""
    signs = (-1.0) ** np.arange(frequencies)
    return np.tile(signs, frequencies)[1:]


@lru_cache(maxsize=4096)
def _transform(low: float, high: float, frequencies: int) -> NDArray[np.float64]:
    """From a row of S pixels to the cosine transform of its part from `low` to `high`. (F, S)."""
    middles = (np.arange(SIDE) + 0.5) / SIDE
    places = np.clip((low + middles * (high - low)) * SIDE - 0.5, 0, SIDE - 1)
    samples = np.maximum(0, 1 - np.abs(places[:, None] - np.arange(SIDE)))  # linear in between
    waves = np.cos(np.pi * np.arange(frequencies)[:, None] * middles)
    waves[1:] *= np.sqrt(2)
    return np.asarray(waves @ samples / SIDE)


@lru_cache(maxsize=8)
def _weights(frequencies: int) -> NDArray[np.float64]:
    """The frequency of each coefficient, (F, F)."""
    axis = np.arange(frequencies, dtype=np.float64)
    return np.hypot(axis[:, None], axis)
