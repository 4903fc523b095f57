"""A random number of each label that stays the same, so that a larger sample contains a smaller.

Source: Ohlsson, "Coordination of samples using permanent random numbers" (1995); the mixing is
SplitMix64's (Steele, Lea and Flood, 2014).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def numbers(seed: int, images: Sequence[str], regions: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Numbers (R,) uniform over 64 bits, that follow from seed, image and region alone.

    Args:
        seed: Of the whole sample.
        images: (R,) names.
        regions: (R,) numbers within them.
    """
    of_image = {name: _digest(seed, name) for name in set(images)}
    keys = np.array([of_image[name] for name in images], np.uint64)
    return _mix(keys ^ _mix(regions.astype(np.uint64)))


def _digest(seed: int, name: str) -> int:
    content = f"{seed} {name}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big")


def _mix(keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
    keys = keys + np.uint64(0x9E3779B97F4A7C15)
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
