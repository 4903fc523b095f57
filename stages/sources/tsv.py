"""RegionCLIP's TSV: key, tab, base64 of an image; captions in a second TSV with the same keys.

A `.lineidx` beside the file (first byte of each row, one a line) saves a pass over the file.

Source: RegionCLIP (arXiv:2112.09106), the published loader's `TSVFile`: row layout only.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.caption_fields import captions_in_text, distinct
from stages.sources.files import (
    digest_of,
    file_digest,
    is_remote,
    open_file,
    size_and_mtime,
    size_of,
    unique_names,
)
from stages.sources.record import (
    DEFAULTS,
    DuplicateKeys,
    Inventory,
    Problem,
    Record,
    Refusal,
    Slice,
    SourceOptions,
    consecutive_ranges,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_MAGIC: Final = (b"/9j/", b"iVBORw0", b"UklGR")  # JPEG, PNG, WEBP in base64
_MAX_KEY_BYTES: Final = 4096
_IMAGE_NAMES: Final = ("images", "image", "img")
_CAPTION_NAMES: Final = ("captions", "caption", "texts", "text")


@dataclass(frozen=True)
class TsvSource:
    """Image files in the order given, each with its caption file or none."""

    files: tuple[tuple[str, str | None], ...]
    options: SourceOptions = DEFAULTS
    kind: str = "tsv"

    def digest(self) -> str:
        """Hash of the name and content of each file, captions included."""
        lines = []
        for name, (images, texts) in zip(self._names, self.files, strict=True):
            lines.append(f"{name} {file_digest(images)} {file_digest(texts) if texts else '-'}")
        return digest_of(*lines)

    def slices(self) -> Sequence[Slice]:
        """Consecutive rows of about `part_bytes` together, of one file."""
        slices: list[Slice] = []
        for number, (images, _) in enumerate(self.files):
            starts, _ = _row_index(images)
            sizes = (np.diff(starts) * 3 // 4).tolist()  # base64 writes 3 bytes as 4
            for first, last in consecutive_ranges(
                sizes, self.options.part_bytes, self.options.part_images
            ):
                slices.append(Slice(number, first, last))
        return slices

    def count(self, part_slice: Slice) -> int:
        """Rows of the slice."""
        return part_slice.last - part_slice.first

    def total(self) -> int | None:
        """Rows of all files."""
        return sum(len(_row_index(images)[0]) - 1 for images, _ in self.files)

    def inventory(self) -> Inventory:
        """Nothing is left out."""
        return Inventory()

    def records(self, part_slice: Slice) -> Iterator[Record | Problem]:
        """One record per row."""
        uri, texts = self.files[part_slice.file]
        starts, duplicates = _row_index(uri)
        with open_file(uri) as file, _CaptionFile(texts) as caption_file:
            file.seek(int(starts[part_slice.first]))
            for row in range(part_slice.first, part_slice.last):
                key, _, payload = file.readline().rstrip(b"\r\n").partition(b"\t")
                image_id = f"{self._names[part_slice.file]}/{key.decode(errors='backslashreplace')}"
                captions, problems = caption_file(row, key, image_id)
                yield Record(
                    image_id=image_id,
                    uri=uri,
                    load=_TsvLoader(payload, row in duplicates),
                    member=str(row),
                    offset=int(starts[row]),
                    captions=captions,
                    problems=problems,
                )

    @property
    def _names(self) -> list[str]:
        return unique_names([images for images, _ in self.files])


def is_image_tsv(uri: str) -> bool:
    """Whether the first row is a key and the base64 of a JPEG, PNG or WEBP."""
    with open_file(uri) as file:
        first = file.read(_MAX_KEY_BYTES + 16)
    return first.partition(b"\n")[0].partition(b"\t")[2].startswith(_MAGIC)


def pair_captions(paths: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
    """Image files, each with its caption file: one of `paths`, or a file beside it by its name.

    Raises:
        SourceError: If a caption file belongs to no image file.
    """
    images = [path for path in paths if is_image_tsv(path)]
    texts = [path for path in paths if path not in images]
    if texts and len(texts) == len(images):
        return tuple(zip(images, texts, strict=True))
    if texts:
        pairs = [
            (path, next((t for t in _caption_paths(path) if t in texts), None)) for path in images
        ]
        unpaired = set(texts) - {text for _, text in pairs}
        if unpaired:
            raise SourceError(f"no TSV of images belongs to {sorted(unpaired)[0]}")
        return tuple(pairs)
    return tuple((path, _find_caption_file(path)) for path in images)


def read_row(uri: str, offset: int) -> bytes:
    """The image of the row that begins at byte `offset`.

    Raises:
        SourceError: If there is no such row.
    """
    with open_file(uri) as file:
        file.seek(offset)
        payload = file.readline().rstrip(b"\r\n").partition(b"\t")[2]
    try:
        return _decode_image(payload)
    except Refusal as refusal:
        raise SourceError(
            f"{uri} changed since it was ingested ({refusal.detail}): run rc ingest --force"
        ) from refusal


@dataclass(frozen=True, slots=True)
class _TsvLoader:
    """Decodes the image of one row."""

    payload: bytes
    is_duplicate: bool

    def __call__(self) -> bytes:
        if self.is_duplicate:
            raise Refusal(Reason.DUPLICATE_ID, "an earlier row has the same key")
        return _decode_image(self.payload)


class _CaptionFile:
    """Captions by row; the key of the row must be that of the image. No captions without a file."""

    def __init__(self, uri: str | None) -> None:
        self.file: BinaryIO | None = open_file(uri) if uri else None
        self.starts = _row_index(uri)[0] if uri else np.zeros(1, np.int64)

    def __enter__(self) -> _CaptionFile:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file:
            self.file.close()

    def __call__(
        self, row: int, key: bytes, image_id: str
    ) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
        if self.file is None:
            return (), ()
        if row >= len(self.starts) - 1:
            return (), (
                Problem(image_id, Reason.BAD_CAPTION, f"the caption TSV ends before row {row}"),
            )
        self.file.seek(int(self.starts[row]))
        caption_key, _, payload = self.file.readline().rstrip(b"\r\n").partition(b"\t")
        if caption_key != key:
            detail = f"row {row} of the caption TSV has another key; captions left out"
            return (), (Problem(image_id, Reason.BAD_CAPTION, detail),)
        try:
            return distinct(captions_in_text(payload)), ()
        except Refusal as refusal:
            return (), (Problem(image_id, refusal.reason, refusal.detail),)


def _decode_image(payload: bytes) -> bytes:
    if not payload:
        raise Refusal(Reason.MISSING_IMAGE, "the row has no second column")
    try:
        return base64.b64decode(payload.partition(b"\t")[0], validate=True)
    except binascii.Error as error:
        raise Refusal(Reason.UNREADABLE, f"the row is not base64: {error}") from error


def _row_index(uri: str) -> tuple[NDArray[np.int64], frozenset[int]]:
    """First byte of each row and the end; and the rows whose key an earlier row has."""
    return _row_index_cached(uri, size_and_mtime(uri))


@lru_cache(maxsize=64)
def _row_index_cached(
    uri: str, _version: tuple[int, int]
) -> tuple[NDArray[np.int64], frozenset[int]]:
    starts = _read_lineidx(uri)
    keys, ends = DuplicateKeys(), [0]
    with open_file(uri) as file:
        if starts is None:
            for line in file:
                keys.add(line.partition(b"\t")[0].decode(errors="backslashreplace"))
                ends.append(ends[-1] + len(line))
            starts = np.array(ends, dtype=np.int64)
        else:
            for start in starts[:-1].tolist():
                file.seek(start)
                keys.add(
                    file.readline(_MAX_KEY_BYTES)
                    .partition(b"\t")[0]
                    .decode(errors="backslashreplace")
                )
    return starts, keys.positions()


def _read_lineidx(uri: str) -> NDArray[np.int64] | None:
    path = Path(uri).with_suffix(".lineidx")
    if is_remote(uri) or not path.is_file():
        return None
    try:
        starts: NDArray[Any] = np.array(path.read_text().split(), dtype=np.int64)
    except ValueError as error:
        raise SourceError(
            f"{path} is not one number a line; delete it, then the rows are counted"
        ) from error
    starts = np.append(starts, size_of(uri))
    if starts[0] != 0 or (np.diff(starts) <= 0).any():
        raise SourceError(f"{path} does not fit {uri}; delete it, then the rows are counted")
    return starts


def _find_caption_file(uri: str) -> str | None:
    return next(
        (path for path in _caption_paths(uri) if not is_remote(path) and Path(path).is_file()), None
    )


def _caption_paths(uri: str) -> Iterator[str]:
    """Paths where the captions of an image TSV may be, such as `x_captions.tsv`, `texts/x.tsv`."""
    path = Path(uri)
    for name in _CAPTION_NAMES:
        for separator in ("_", ".", "-"):
            yield str(path.with_name(f"{path.stem}{separator}{name}.tsv"))
        for image_name in _IMAGE_NAMES:
            if image_name in path.stem:
                yield str(path.with_name(f"{path.stem.replace(image_name, name)}.tsv"))
            if path.parent.name == image_name:
                yield str(path.parent.parent / name / path.name)
