"""Grey pictures: an image as a small square of brightness, whatever its size and shape.

Shapes: S side of a grey picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import simplejpeg
from PIL import Image

from stages.pixels import MAX_PIXELS, decode, load_image, upright

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

SIDE: Final = 48  # six pixels for each period of the finest frequency that is compared
_DECODED: Final = 2 * SIDE  # a JPEG is decoded at an eighth, quarter or half, but not below this


def load_grey_picture(row: Mapping[str, Any]) -> NDArray[np.uint8]:
    """The grey picture of a row of `images`, (S, S).

    Raises:
        SourceError: If the file is missing, or the image does not decode.
        ChangedImageError: If it is not the image that was ingested.
    """
    return load_image(row, grey_picture)


def grey_picture(content: bytes, orientation: int) -> NDArray[np.uint8]:
    """Brightness of an encoded image, the right way up, stretched to a square.

    JPEGs are decoded at a fraction of their size, which takes a fraction of the time.

    Args:
        content: As `stages.pixels.decode` takes it.
        orientation: EXIF orientation, 1 to 8.

    Returns:
        (S, S) uint8.

    Raises:
        Refusal: unreadable, truncated or too-many-pixels.
    """
    pixels = _small_jpeg(content) if content[:2] == b"\xff\xd8" else None
    if pixels is None:
        grey = Image.fromarray(decode(content, orientation)).convert("L")
    else:
        grey = Image.fromarray(np.ascontiguousarray(upright(pixels, orientation)[:, :, 0]))
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def _small_jpeg(content: bytes) -> NDArray[np.uint8] | None:
    """Brightness (H, W, 1) at a fraction of the size; None if another decoder must read it."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(content, strict=False)
        if width * height > MAX_PIXELS or space in ("CMYK", "YCCK"):
            return None
        return np.asarray(
            simplejpeg.decode_jpeg(
                content, colorspace="GRAY", min_height=_DECODED, min_width=_DECODED, strict=True
            )
        )
    except (ValueError, KeyError):  # as in stages.pixels
        return None
