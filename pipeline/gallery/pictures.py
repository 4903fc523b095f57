"""Pictures: images of the store and crops of them as small JPEGs, and nothing else.

A request names the id of a row of `images`; that row, not the visitor, says where the bytes are.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from PIL import Image

from schemas.errors import SourceError
from stages.pixels import load_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.gallery.connection_pool import ConnectionPool

LONGEST_SIDE: Final = {"thumb": 240, "full": 1600}  # pixels
_CACHE_BYTES: Final = 64 << 20  # of JPEGs
_QUALITY: Final = 86
_CROP_SIDE: Final = 160  # pixels


class PictureCache:
    """JPEGs of images and regions; the most recently used ones stay in memory."""

    def __init__(self, connections: ConnectionPool) -> None:
        self._pool = connections
        self._cache: OrderedDict[Any, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def image(self, image_id: str, size: str, labels: str = "") -> bytes:
        """A whole image, scaled down to `LONGEST_SIDE`.

        Raises:
            SourceError: If there is no such image, or its file is missing.
        """
        return self._jpeg(
            (image_id, size, labels), lambda: self._load(image_id, labels), LONGEST_SIDE[size]
        )

    def crop(self, image_id: str, box: Sequence[float], labels: str = "") -> bytes:
        """A box of an image, with a small margin.

        Raises:
            SourceError: If there is no such image, or its file is missing.
        """
        corners = tuple(round(edge) for edge in box)
        key = (image_id, corners, labels)
        return self._jpeg(key, lambda: _crop(self._load(image_id, labels), corners), _CROP_SIDE)

    def _load(self, image_id: str, labels: str) -> Image.Image:
        statement = "SELECT * FROM images WHERE image_id = ? LIMIT 1"
        rows = self._pool.query(statement, [image_id], labels)
        if not rows:  # the image may belong to another set than the labels
            address = self._pool.address_with_image(image_id, labels)
            rows = self._pool.query(statement, [image_id], address)
        if not rows:
            raise SourceError("there is no such image in the store")
        return Image.fromarray(load_image(rows[0]))

    def _jpeg(self, key: Any, load: Callable[[], Image.Image], side: int) -> bytes:
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        content = jpeg(load(), side)
        with self._lock:
            if key not in self._cache:
                self._size += len(content)
            self._cache[key] = content
            while self._size > _CACHE_BYTES:
                _, oldest = self._cache.popitem(last=False)
                self._size -= len(oldest)
        return content


def jpeg(picture: Image.Image, side: int) -> bytes:
    """A picture as JPEG, with at most `side` pixels on its longer side."""
    small = picture.copy()
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _crop(picture: Image.Image, box: Sequence[int]) -> Image.Image:
    limits = (picture.width, picture.height) * 2
    x0, y0, x1, y1 = (min(max(0, edge), limit) for edge, limit in zip(box, limits, strict=True))
    margin = max(2, round(0.08 * max(x1 - x0, y1 - y0)))
    low = max(0, min(x0 - margin, picture.width - 1)), max(0, min(y0 - margin, picture.height - 1))
    high = min(picture.width, x1 + margin), min(picture.height, y1 + margin)
    return picture.crop((*low, max(high[0], low[0] + 1), max(high[1], low[1] + 1)))
