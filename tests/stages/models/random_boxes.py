"""Random boxes for geometry tests."""

from __future__ import annotations

import numpy as np
import torch


def boxes(count: int, seed: int, least: float = 4, most: float = 60) -> torch.Tensor:
    """Boxes (count, 4) float32 whose sides are between `least` and `most` pixels."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 100, (count, 2))
    corners = np.concatenate([corner, corner + rng.uniform(least, most, (count, 2))], axis=1)
    return torch.from_numpy(corners.astype(np.float32))
