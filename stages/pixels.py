"""Pixels: from a row of `images` to the decoded image, the right way up.

Every stage reads images here, so that all get the same pixels. The size in the header of an
encoded image is checked before anything is decoded.

Shapes: H W pixels, after orientation.
"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from schemas.errors import ChangedImageError, SourceError
from schemas.quarantine import Reason
from stages.jpeg_scans import is_too_slow
from stages.sources import tsv
from stages.sources.file_kinds import described
from stages.sources.files import is_remote, read_at, size_of
from stages.sources.parquet_rows import read_row
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

__all__ = ["ImageHeader", "Limits", "Refusal", "decode", "load_image", "probe", "read_content"]

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit is fixed; ours is an option, checked first

# Names of Pillow, and ours; the suffixes that belong to them are in stages.sources.files.
FORMATS: Final = {
    **{name: name for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM")},
    "MPO": "JPEG",
    "DIB": "BMP",
    "JPEG2000": "JPEG 2000",
}
_OPENED: Final = [name for name in FORMATS if name != "MPO"]  # Pillow opens one as JPEG
MAX_PIXELS: Final = 1 << 29  # 1.6 GB as RGB; a larger image is never decoded
_ORIENTATION: Final = 0x0112  # EXIF tag
_DECODE_ERRORS: Final = (
    OSError,
    ValueError,
    SyntaxError,
    struct.error,
    zlib.error,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    RuntimeError,
    ArithmeticError,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of size; an image outside them is refused from its header alone.

    Attributes:
        max_pixels: Largest width x height.
        min_side: Smallest width and height, pixels.
        times: The usual limit on the work of decoding.
    """

    max_pixels: int = 50_000_000
    min_side: int = 2
    times: int = 1


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """Header of an image: format, a value of `FORMATS`; size after orientation; orientation."""

    format: str
    width: int
    height: int
    orientation: int


def probe(content: bytes, limits: Limits) -> ImageHeader:
    """Reads the header of an encoded image; its pixels are not decoded.

    Raises:
        Refusal: unreadable, too-many-pixels, too-small or too-slow.
    """
    with _open_image(content) as image:
        width, height = image.size
        if width * height > limits.max_pixels:
            detail = f"{width} x {height} is more than {limits.max_pixels} pixels"
            raise Refusal(Reason.TOO_MANY_PIXELS, detail)
        if min(width, height) < limits.min_side:
            raise Refusal(
                Reason.TOO_SMALL, f"{width} x {height}; sides of {limits.min_side} at least"
            )
        if content[:2] == b"\xff\xd8" and is_too_slow(content, width * height, limits.times):
            work = f"decoding {width} x {height} would take long"
            detail = f"its scans are so many that {work}, see --size-limits"
            raise Refusal(Reason.TOO_SLOW, detail)
        orientation = _orientation(image)
        name = FORMATS[str(image.format)]
    if orientation >= 5:  # the four that exchange rows and columns
        width, height = height, width
    return ImageHeader(name, width, height, orientation)


def decode(content: bytes, orientation: int) -> NDArray[np.uint8]:
    """The pixels of an encoded image, the right way up.

    JPEGs go through libjpeg-turbo directly, all others (CMYK too) through Pillow. Transparent
    pixels become white; 16-bit grey keeps its upper 8 bits; an animation gives its first frame.

    Args:
        content: In one of `FORMATS`.
        orientation: EXIF orientation, 1 to 8; the one inside `content` is ignored.

    Returns:
        (H, W, 3) uint8, RGB, contiguous.

    Raises:
        Refusal: unreadable, truncated or too-many-pixels.
    """
    pixels = _decode_jpeg(content) if content[:2] == b"\xff\xd8" else None
    if pixels is None:
        pixels = _decode_with_pillow(content)
    return np.ascontiguousarray(upright(pixels, orientation))


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Undo an EXIF orientation, 1 to 8; a view. (H, W, 3) to (H, W, 3) or (W, H, 3).

    >>> upright(np.uint8([[[1], [2]]]), 6)[:, :, 0].tolist()
    [[1], [2]]
    >>> upright(np.uint8([[[1], [2]]]), 3)[:, :, 0].tolist()
    [[2, 1]]
    """
    if orientation >= 5:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels


def read_content(row: Mapping[str, Any]) -> bytes:
    """The encoded image of a row of `images`: its `content`, else the bytes at its `uri`.

    A tar is read at `offset`, a TSV at the row that begins there, a Parquet file at row `member`.

    Raises:
        SourceError: If the file is missing.
        ChangedImageError: If the bytes are not those that were ingested.
    """
    packed_content = row.get("content")
    if packed_content is not None:
        return bytes(packed_content)
    uri, num_bytes = str(row["uri"]), int(row["num_bytes"])
    try:
        content = _read_referenced(row, uri, num_bytes)
    except FileNotFoundError as error:
        raise SourceError(
            f"{row['image_id']} was in {uri}, which is gone: "
            "put it back, or run rc ingest on where it is now"
        ) from error
    if hashlib.sha256(content).hexdigest() != row["sha256"]:
        raise _changed(row)
    return content


def load_image(
    row: Mapping[str, Any], decoder: Callable[[bytes, int], NDArray[np.uint8]] = decode
) -> NDArray[np.uint8]:
    """The pixels of a row of `images`, the right way up.

    Args:
        row: Of `images`.
        decoder: Makes something of the encoded content and the orientation.

    Returns:
        (H, W, 3) uint8 with the height and width of the row, or what another decoder makes.

    Raises:
        SourceError: If the file is missing, or the image does not decode.
        ChangedImageError: If it is not the image that was ingested.
    """
    content = read_content(row)
    try:
        return decoder(content, int(row["orientation"]))
    except Refusal as refusal:
        raise SourceError(f"{row['image_id']} in {row['uri']} is {refusal}") from refusal


def _changed(row: Mapping[str, Any]) -> ChangedImageError:
    return ChangedImageError(
        f"{row['image_id']} in {row['uri']} is not the image that was ingested: put that back, or "
        "run rc ingest with --accept-changed, then all later stages"
    )


def _read_referenced(row: Mapping[str, Any], uri: str, num_bytes: int) -> bytes:
    if not is_remote(uri) and not Path(uri).exists():
        raise FileNotFoundError(uri)
    if row["source"] == "parquet" and row["member"] is not None:
        return read_row(uri, str(row["member"]))
    if row["source"] == "tsv":
        return tsv.read_row(uri, int(row["offset"]), str(row["member"]))
    return _read_file(row, uri, num_bytes)


def _read_file(row: Mapping[str, Any], uri: str, num_bytes: int) -> bytes:
    offset = row.get("offset")
    if offset is None:
        if row.get("member") is not None:
            raise SourceError(
                f"{row['image_id']} cannot be found again in {uri}: ingest with --pack"
            )
        if size_of(uri) != num_bytes:  # before reading: the file may be huge now
            raise _changed(row)
    return read_at(uri, offset or 0, num_bytes)


def _open_image(content: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # damaged EXIF is harmless
            return Image.open(io.BytesIO(content), formats=_OPENED)
    except UnidentifiedImageError as error:
        raise Refusal(
            Reason.UNREADABLE, f"no image of a known format: {described(content[:4096])}"
        ) from error
    except _DECODE_ERRORS as error:
        raise Refusal(Reason.UNREADABLE, f"damaged header: {error}") from error


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":  # Pillow itself turns it, and swaps its sides in the header
        return 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # PngImageFile.getexif would decode all pixels to find EXIF that comes after them
            value = Image.Image.getexif(image).get(_ORIENTATION, 1)
    except Exception:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _decode_jpeg(content: bytes) -> NDArray[np.uint8] | None:
    """Pixels; None if Pillow must decode: CMYK, unusual or damaged files."""
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(content, strict=False)
        if width * height > MAX_PIXELS or space in ("CMYK", "YCCK"):
            return None
        return np.asarray(simplejpeg.decode_jpeg(content, colorspace="RGB", strict=True))
    except (ValueError, KeyError):  # KeyError: a header without a colour space
        return None


def _decode_with_pillow(content: bytes) -> NDArray[np.uint8]:
    with _open_image(content) as image:
        if image.width * image.height > MAX_PIXELS:
            raise Refusal(
                Reason.TOO_MANY_PIXELS, f"more than {MAX_PIXELS} pixels are never decoded"
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                image.load()
                return np.asarray(_to_rgb(image))
        except _DECODE_ERRORS as error:
            reason = Reason.TRUNCATED if "truncated" in str(error) else Reason.UNREADABLE
            raise Refusal(reason, f"{image.format} does not decode: {error}") from error


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or (image.mode == "I" and image.format == "TIFF"):
        raise ValueError("pixels of 32 bits, whose range the file does not tell")
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey; convert() would clip it
        grey = np.asarray(image).astype(np.int64) >> 8
        return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")
