"""Pixels: images of the store and crops of them, small enough to send; and nothing else.

A picture is asked for by the id of a row of `images`; that row, not the visitor, says where its
bytes lie.
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
    from collections.abc import Sequence

    from pipeline.gallery.connection_pool import ConnectionPool

SIDES: Final = {"thumb": 240, "full": 1600}  # longest side, pixels
_KEPT_BYTES: Final = 64 << 20  # of finished JPEGs
_QUALITY: Final = 86


class Media:
    """Makes JPEGs of images and regions; the latest are kept."""

    def __init__(self, connections: ConnectionPool) -> None:
        self._pool = connections
        self._kept: OrderedDict[Any, bytes] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def image(self, image_id: str, size: str, labels: str = "") -> bytes:
        """A whole image, at most so large as `SIDES` says.

        Raises:
            SourceError: If there is no such image, or its file is gone.
        """
        return self._made(
            (image_id, size, labels), lambda: self._load(image_id, labels), SIDES[size]
        )

    def crop(self, image_id: str, box: Sequence[float], labels: str = "") -> bytes:
        """What is in a box of an image, with a little around it.

        Raises:
            SourceError: If there is no such image, or its file is gone.
        """
        corners = tuple(round(edge) for edge in box)
        key = (image_id, corners, labels)
        return self._made(key, lambda: _cut(self._load(image_id, labels), corners), 160)

    def _load(self, image_id: str, labels: str) -> Image.Image:
        asked = "SELECT * FROM images WHERE image_id = ? LIMIT 1"
        rows = self._pool.ask(asked, [image_id], labels)
        if not rows:  # it may be of other images than those with labels
            rows = self._pool.ask(asked, [image_id], self._pool.home(image_id, labels))
        if not rows:
            raise SourceError("there is no such image in the store")
        return Image.fromarray(load_image(rows[0]))

    def _made(self, key: Any, make: Any, side: int) -> bytes:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        content = jpeg(make(), side)
        with self._lock:
            if key not in self._kept:
                self._size += len(content)
            self._kept[key] = content
            while self._size > _KEPT_BYTES:
                _, oldest = self._kept.popitem(last=False)
                self._size -= len(oldest)
        return content


def jpeg(picture: Image.Image, side: int) -> bytes:
    """A picture as JPEG, its longer side at most so many pixels."""
    small = picture.copy()
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=_QUALITY)
    return buffer.getvalue()


def _cut(picture: Image.Image, box: Sequence[int]) -> Image.Image:
    limits = (picture.width, picture.height) * 2
    x0, y0, x1, y1 = (min(max(0, edge), most) for edge, most in zip(box, limits, strict=True))
    margin = max(2, round(0.08 * max(x1 - x0, y1 - y0)))
    low = max(0, min(x0 - margin, picture.width - 1)), max(0, min(y0 - margin, picture.height - 1))
    high = min(picture.width, x1 + margin), min(picture.height, y1 + margin)
    return picture.crop((*low, max(high[0], low[0] + 1), max(high[1], low[1] + 1)))
