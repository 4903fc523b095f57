"""Rows of a TSV of images: which column is what, where each row begins, which keys repeat.

Source: RegionCLIP (arXiv:2112.09106), the published loader's `TSVFile`: row layout only.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.caption_fields import captions_in_text
from stages.sources.files import is_remote, open_file, size_and_mtime, size_of
from stages.sources.record import DuplicateKeys, Refusal
from stages.sources.table_columns import caption_columns
from stages.sources.table_rows import unique_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import BinaryIO

    from numpy.typing import NDArray

_MAGIC: Final = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"GIF8", b"II*\0", b"MM\0*")
_HEADER_WORD: Final = re.compile(rb"(?i)\s*\w*(image|img|base64|bytes|picture|jpe?g|png)\w*\s*")
_DATA_URI: Final = re.compile(rb"data:image/[\w.+-]+;base64,")
_HEAD_ROWS: Final = 3
_LONGEST_ROW: Final = 1 << 28
_LONGEST_KEY: Final = 1 << 16
_MARK: Final = b"\xef\xbb\xbf"  # of UTF-8


@dataclass(frozen=True, slots=True)
class RowLayout:
    """What the columns of a TSV of images are; columns are counted from 0.

    Attributes:
        key: Column of the key.
        image: Column of the image in base64.
        width: Number of columns.
        captions: Columns that hold captions, in the same row as the image.
        names: In the header; empty if there is none.
    """

    key: int = 0
    image: int = 1
    width: int = 2
    captions: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def others(self) -> tuple[int, ...]:
        """Columns that are not read."""
        used = {self.key, self.image, *self.captions}
        return tuple(column for column in range(self.width) if column not in used)


@dataclass(frozen=True)
class RowIndex:
    """Rows of a file, blank ones and the header left out.

    Attributes:
        starts: (rows,) int64, first byte of each.
        ends: (rows,) int64, first byte after each.
        digests: (rows,) uint64, hash of each key.
        duplicates: Rows whose key an earlier row has.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    digests: NDArray[np.uint64]
    duplicates: frozenset[int]


def row_layout(uri: str, image: str | None = None, caption: str | None = None) -> RowLayout | None:
    """The layout of the first rows; None if none of them has an image in base64.

    Args:
        uri: The file.
        image: Column of the images that the user named, or its number.
        caption: Column of captions in the same rows, likewise.

    Raises:
        SourceError: If a column that is asked for is not there.
    """
    return _row_layout(uri, image, caption, size_and_mtime(uri))


@lru_cache(maxsize=64)
def _row_layout(
    uri: str, image: str | None, caption: str | None, _version: tuple[int, int]
) -> RowLayout | None:
    rows = _head(uri)
    for position, cells in enumerate(rows):
        columns = [n for n, cell in enumerate(cells) if is_image_cell(cell)]
        if columns and len(cells) > 1:
            header = rows[0] if position and _is_header(rows[0], columns[0]) else []
            names = unique_columns([cell.decode(errors="replace") for cell in header])
            chosen = _column(uri, names, len(cells), image, columns[0])
            captions = _caption_cells(uri, names, cells, chosen, caption)
            return RowLayout(int(chosen == 0), chosen, len(cells), captions, names)
    return None


def is_image_cell(cell: bytes) -> bool:
    """Whether a cell begins as the base64 of a JPEG, PNG, WEBP, GIF, TIFF or AVIF does.

    >>> [is_image_cell(cell) for cell in (b"/9j/4AAQ", b"_9j_4AAQ", b"iVBORw0KGgo", b"a dog")]
    [True, True, True, False]
    """
    try:
        begin = base64_bytes(_DATA_URI.sub(b"", cell[:100])[:64])
    except binascii.Error:
        return False
    return begin.startswith(_MAGIC) or begin[4:8] == b"ftyp"


def base64_bytes(cell: bytes) -> bytes:
    """What a cell in base64 holds: with either alphabet, with or without padding.

    Raises:
        binascii.Error: If it is not base64.
    """
    payload = _DATA_URI.sub(b"", cell[:100]) + cell[100:]
    payload = payload.strip().translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    return base64.b64decode(payload + b"=" * (-len(payload) % 4), validate=True)


def row_cells(line: bytes) -> list[bytes]:
    """The cells of a row, without the end of the line and the mark of UTF-8."""
    return line.removeprefix(_MARK).rstrip(b"\r\n").split(b"\t")


def image_of_row(cells: Sequence[bytes], layout: RowLayout) -> bytes:
    """The encoded image of a row.

    Raises:
        Refusal: missing-image, bad-row or unreadable.
    """
    if len(cells) <= layout.image or not cells[layout.image].strip():
        raise Refusal(Reason.MISSING_IMAGE, f"the row has no image in column {layout.image}")
    if any(cell.strip() for cell in cells[layout.width :]):
        detail = f"the row has {len(cells)} cells, but there are {layout.width} columns"
        raise Refusal(Reason.BAD_ROW, detail)
    try:
        return base64_bytes(cells[layout.image])
    except binascii.Error as error:
        raise Refusal(Reason.UNREADABLE, f"the row is not base64: {error}") from error


def row_index(uri: str, layout: RowLayout) -> RowIndex:
    """Where the rows of a file begin and end; one pass, or a look at each row of its lineidx."""
    return _row_index(uri, layout.key, bool(layout.names), size_and_mtime(uri))


@lru_cache(maxsize=64)
def _row_index(uri: str, key: int, has_header: bool, _version: tuple[int, int]) -> RowIndex:
    starts = _read_lineidx(uri)
    keys, spans = DuplicateKeys(), []
    with open_file(uri) as file:
        lines = _lines(file) if starts is None else _indexed_lines(file, uri, starts, key == 0)
        for start, end, line in lines:
            if line.strip() and not (has_header and start == 0):
                cells = row_cells(line)
                keys.add(cells[key].decode(errors="backslashreplace") if key < len(cells) else "")
                spans.append((start, end))
    bounds = np.array(spans, np.int64).reshape(-1, 2)
    digests = np.frombuffer(bytes(keys.digests), np.uint64).reshape(-1, 2)[:, 0]
    return RowIndex(bounds[:, 0], bounds[:, 1], digests, keys.positions())


def _lines(file: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """First byte, end and content of each line."""
    start = 0
    for line in file:
        yield start, start + len(line), line
        start += len(line)


def _indexed_lines(
    file: BinaryIO, uri: str, starts: NDArray[np.int64], only_begin: bool
) -> Iterator[tuple[int, int, bytes]]:
    """Likewise, of the rows that a lineidx lists; of long rows only the begin, if that will do."""
    for start, end in pairwise(starts.tolist()):
        file.seek(max(start - 1, 0))
        if start and file.read(1) != b"\n":
            raise SourceError(
                f"the lineidx of {uri} does not fit it: no row begins at byte {start}; delete "
                "the lineidx, then the rows are counted"
            )
        yield start, end, file.readline(_LONGEST_KEY if only_begin else -1)


def key_digest(key: bytes) -> np.uint64:
    """Hash of a key, as in `RowIndex.digests`."""
    keys = DuplicateKeys()
    keys.add(key.decode(errors="backslashreplace"))
    digest: np.uint64 = np.frombuffer(bytes(keys.digests), np.uint64)[0]
    return digest


def _head(uri: str) -> list[list[bytes]]:
    rows: list[list[bytes]] = []
    with open_file(uri) as file:
        while len(rows) < _HEAD_ROWS and (line := file.readline(_LONGEST_ROW)):
            if line.strip():
                rows.append(row_cells(line))
    return rows


def _is_header(cells: Sequence[bytes], image: int) -> bool:
    return image < len(cells) and _HEADER_WORD.fullmatch(cells[image]) is not None


def _column(uri: str, names: tuple[str, ...], width: int, wanted: str | None, default: int) -> int:
    """Number of a column that is given by name or number; `default` if it is not given."""
    if wanted is None:
        return default
    lower = [name.lower() for name in names]
    if wanted.strip().lower() in lower:
        return lower.index(wanted.strip().lower())
    if wanted.isdecimal() and int(wanted) < width:
        return int(wanted)
    raise SourceError(
        f"{uri} has no column {wanted!r}; it has {width} columns, counted from 0"
        + (f", with the names {', '.join(names)}" if names else "")
    )


def _caption_cells(
    uri: str, names: tuple[str, ...], cells: Sequence[bytes], image: int, wanted: str | None
) -> tuple[int, ...]:
    """Columns beside the image that hold captions: by the header, or JSON that has captions."""
    if wanted is not None:
        return (_column(uri, names, len(cells), wanted, 0),)
    if names:
        return tuple(names.index(name) for name in caption_columns(names))
    others = (n for n in range(1, len(cells)) if n != image and cells[n][:1] in (b"{", b"["))
    return tuple(n for n in others if _has_captions(cells[n]))


def _has_captions(cell: bytes) -> bool:
    try:
        return captions_in_text(cell) not in ([], [cell.decode()])
    except Refusal:
        return False


def lineidx_paths(uri: str) -> tuple[Path, Path]:
    """Where the index of rows may be: one of texts, and one of 8 bytes a row."""
    path = Path(uri).with_suffix(".lineidx")
    return path, path.with_name(f"{path.name}.8b")


def _read_lineidx(uri: str) -> NDArray[np.int64] | None:
    """First byte of each row and the end, from the `.lineidx` or `.lineidx.8b` beside the file."""
    path, binary = lineidx_paths(uri)
    if is_remote(uri) or not (path.is_file() or binary.is_file()):
        return None
    path = path if path.is_file() else binary
    try:
        starts: NDArray[Any] = (
            np.fromfile(binary, "<i8")
            if path == binary
            else np.array(path.read_text().split(), dtype=np.int64)
        )
    except (ValueError, OverflowError) as error:
        raise SourceError(
            f"{path} is not one number a line; delete it, then the rows are counted"
        ) from error
    starts = np.append(starts, size_of(uri))
    if starts[0] != 0 or (np.diff(starts) <= 0).any():
        raise SourceError(f"{path} does not fit {uri}; delete it, then the rows are counted")
    return starts
