"""Pictures to compare pixel by pixel: a rendered one, and photographs if their data is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
_PHOTOGRAPHS = Path(__file__).parents[3] / "shared/data/coco_subset/images/val2017"


def rendered(height: int, width: int) -> Picture:
    """Shades, edges and noise; every value from 0 to 255 occurs."""
    y, x = np.mgrid[:height, :width]
    shades = np.stack([255 * x / width, 255 * y / height, 128 + 127 * np.sin(x * y / 500)], axis=2)
    noise = np.random.default_rng(7).normal(0, 12, shades.shape)
    shades[height // 4 : height // 2, width // 3 : width // 2] = (250, 3, 128)
    return np.clip(shades + noise, 0, 255).astype(np.uint8)


def photograph(index: int = 0) -> Picture:
    """A photograph of COCO; skips the test if there is none."""
    files = sorted(_PHOTOGRAPHS.glob("*.jpg"))
    if not files:
        pytest.skip("no photographs: ../shared/data/coco_subset is absent")
    return np.asarray(Image.open(files[index]).convert("RGB"))
