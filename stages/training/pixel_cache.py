"""A cache of decoded images up to a limit of memory, for small data over many epochs."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    Load = Callable[[Mapping[str, Any]], NDArray[np.uint8]]


class PixelCache:
    """Decodes an image once if there is room for it, else at every call.

    Cached images are never evicted: every epoch has a new random order, so evicting the oldest
    would often lose an image just before it is needed again.
    """

    def __init__(self, load: Load, limit_bytes: int) -> None:
        self._load = load
        self._room = limit_bytes
        self._images: dict[str, NDArray[np.uint8]] = {}
        self._lock = Lock()

    def __call__(self, row: Mapping[str, Any]) -> NDArray[np.uint8]:
        """Pixels (H, W, 3) of a row of images."""
        key = row["image_id"]
        if key in self._images:
            return self._images[key]
        image = self._load(row)
        with self._lock:
            if key not in self._images and image.nbytes <= self._room:
                self._images[key] = image
                self._room -= image.nbytes
        return image
