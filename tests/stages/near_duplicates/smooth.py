"""Pictures with the frequencies of photographs, of which any part can be rendered exactly."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Part = tuple[float, float, float, float]

WAVES = 60  # of each picture, with amplitudes that fall with their frequencies
HIGHEST = 6.0  # periods across a side


class Scene:
    """A sum of waves with random phases: a different picture for every seed of the generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._frequencies = rng.uniform(-HIGHEST, HIGHEST, (WAVES, 2))
        self._phases = rng.uniform(0, 2 * np.pi, WAVES)

    def pixels(
        self, width: int = 96, height: int = 80, part: Part = (0, 0, 1, 1)
    ) -> NDArray[np.uint8]:
        """Grey pixels (H, W) of a part of it, x0, y0, x1, y1 as fractions of its sides."""
        x = part[0] + (np.arange(width) + 0.5) / width * (part[2] - part[0])
        y = part[1] + (np.arange(height) + 0.5) / height * (part[3] - part[1])
        total = np.zeros((height, width))
        for (across, down), phase in zip(self._frequencies, self._phases, strict=True):
            angle = 2 * np.pi * (across * x[None, :] + down * y[:, None]) + phase
            total += np.cos(angle) / (1 + np.hypot(across, down))
        return np.clip(128 + 40 * total, 0, 255).astype(np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """An encoded image of these pixels."""
    return saved(pixels, "PNG")


def jpeg(pixels: NDArray[np.uint8], quality: int = 90) -> bytes:
    """An encoded image of nearly these pixels."""
    return saved(pixels, "JPEG", quality=quality)


def saved(pixels: NDArray[np.uint8], name: str, **how: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, name, **how)
    return file.getvalue()
