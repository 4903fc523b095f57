"""Decoded images kept in memory up to a limit, for data that is small and seen many times."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    Load = Callable[[Mapping[str, Any]], NDArray[np.uint8]]


class PixelCache:
    """Decodes an image once if there is room for it, else each time it is asked for.

    What came first stays: under a new random order every epoch, throwing out the oldest would
    lose each image just before it is needed again.
    """

    def __init__(self, load: Load, limit_bytes: int) -> None:
        self._load = load
        self._room = limit_bytes
        self._kept: dict[str, NDArray[np.uint8]] = {}
        self._lock = Lock()

    def __call__(self, row: Mapping[str, Any]) -> NDArray[np.uint8]:
        """Pixels (H, W, 3) of a row of images."""
        key = row["image_id"]
        if key in self._kept:
            return self._kept[key]
        image = self._load(row)
        with self._lock:
            if key not in self._kept and image.nbytes <= self._room:
                self._kept[key] = image
                self._room -= image.nbytes
        return image
