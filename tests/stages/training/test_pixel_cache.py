"""The cache keeps images while there is room, and always returns the right image."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.training.pixel_cache import PixelCache

if TYPE_CHECKING:
    from collections.abc import Mapping


def test_images_that_fit_are_decoded_once_and_the_others_at_each_call() -> None:
    decoded: Counter[str] = Counter()

    def load(row: Mapping[str, Any]) -> Any:
        decoded[row["image_id"]] += 1
        return np.full((2, 5, 3), int(row["image_id"]), np.uint8)

    cache = PixelCache(load, limit_bytes=70)  # two images of 30 bytes
    for _ in range(3):
        for key in ("1", "2", "3"):
            assert cache({"image_id": key})[0, 0, 0] == int(key)
    assert decoded == {"1": 1, "2": 1, "3": 3}
