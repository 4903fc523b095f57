"""Captions of a TSV of images, in a second TSV: a row belongs to the image of the same key."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.outcome import counted
from stages.sources.caption_fields import captions_in_text, distinct
from stages.sources.corpus_rows import opened
from stages.sources.files import open_file, size_and_mtime
from stages.sources.record import DuplicateKeys, Problem, Refusal
from stages.sources.tsv_rows import key_digest, row_cells

if TYPE_CHECKING:
    from typing import BinaryIO

    from numpy.typing import NDArray

_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class CaptionIndex:
    """Rows of a caption TSV, sorted by the hash of their keys.

    Attributes:
        digests: (rows,) uint64, ascending.
        starts: (rows,) int64, first byte of each.
        columns: Of key and captions, counted from 0.
        bad_rows: What is wrong with rows of missing or extra cells.
    """

    digests: NDArray[np.uint64]
    starts: NDArray[np.int64]
    columns: tuple[int, int]
    bad_rows: tuple[Problem, ...]


def caption_index(uri: str) -> CaptionIndex:
    """Index of a caption TSV; one pass over it, 16 bytes a row.

    Raises:
        SourceError: If it is UTF-16, or its header names no captions.
    """
    return _caption_index(uri, size_and_mtime(uri))


class CaptionFile:
    """Gives the captions of a key; none if there is no file."""

    def __init__(self, uri: str | None) -> None:
        self._file: BinaryIO | None = open_file(uri) if uri else None
        self._index = caption_index(uri) if uri else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file:
            self._file.close()

    def captions(self, key: bytes, image_id: str) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
        """Captions of all rows with this key; and problems, of those that cannot be read."""
        if self._file is None or self._index is None:
            return (), ()
        digest = key_digest(key)
        first, last = (np.searchsorted(self._index.digests, digest, s) for s in ("left", "right"))
        captions: list[str] = []
        problems: list[Problem] = []
        key_column, caption_column = self._index.columns
        for start in sorted(self._index.starts[first:last].tolist()):
            self._file.seek(start)
            cells = row_cells(self._file.readline())
            if cells[key_column] != key:
                continue  # another key of the same hash
            try:
                captions += captions_in_text(cells[caption_column])
            except Refusal as refusal:
                problems.append(Problem(image_id, refusal.reason, refusal.detail))
        return distinct(captions), tuple(problems)


@dataclass(frozen=True, slots=True)
class CaptionsOfNoImage:
    """How many of the rows of captions have a key that no image has, and one such key."""

    count: int
    rows: int
    example: str = ""

    def sentence(self, name: str, image_key: str) -> str:
        """Says so, with an example of each side.

        >>> CaptionsOfNoImage(2, 3, "42").sentence("x.tsv", "000042")
        "2 of 3 rows of x.tsv have a key that no image has, such as '42'; images have '000042'"
        """
        written, known = ascii(self.example[:60]), ascii(image_key[:60])
        return (
            f"{self.count:,} of {counted(self.rows, 'row')} of {name} have a key that no image "
            f"has, such as {written}; images have {known}"
        )


def unmatched(uri: str, images: NDArray[np.uint64]) -> CaptionsOfNoImage:
    """Which rows of a caption TSV belong to no image; `images` are hashes of keys."""
    index = caption_index(uri)
    lost = np.flatnonzero(~np.isin(index.digests, images))
    if not len(lost):
        return CaptionsOfNoImage(0, len(index.starts))
    with open_file(uri) as file:
        file.seek(int(index.starts[lost].min()))
        cells = row_cells(file.readline())
    example = cells[index.columns[0]].decode(errors="backslashreplace")
    return CaptionsOfNoImage(len(lost), len(index.starts), example)


@lru_cache(maxsize=64)
def _caption_index(uri: str, _version: tuple[int, int]) -> CaptionIndex:
    columns, width, has_header = _columns(uri)
    keys, starts, bad_rows, start = DuplicateKeys(), [], [], 0
    with open_file(uri) as file:
        for number, line in enumerate(file, 1):
            cells = row_cells(line)
            is_whole = len(cells) == width or not any(cell.strip() for cell in cells[width:])
            if (has_header and number == 1) or not line.strip():
                pass
            elif is_whole and len(cells) >= width:
                keys.add(cells[columns[0]].decode(errors="backslashreplace"))
                starts.append(start)
            else:
                detail = f"line {number} has {len(cells)} cells, but there are {width} columns"
                bad_rows.append(Problem(f"{Path(uri).name}:{number}", Reason.BAD_ROW, detail))
            start += len(line)
    digests = np.frombuffer(bytes(keys.digests), np.uint64).reshape(-1, 2)[:, 0]
    order = np.argsort(digests, kind="stable")
    positions = np.array(starts, np.int64)
    return CaptionIndex(digests[order], positions[order], columns, tuple(bad_rows))


def _columns(uri: str) -> tuple[tuple[int, int], int, bool]:
    """Columns of key and captions, the number of columns, and whether the first row names them."""
    with open_file(uri) as file:
        if file.read(2) in _UTF16:
            raise SourceError(f"{uri} is UTF-16: captions beside a TSV of images must be UTF-8")
    with opened(Path(uri), None, None) as table:
        names = table.names
        has_header = names != tuple(map(str, range(len(names))))
        if len(names) < 2:
            raise SourceError(f"{uri} has no second column: a row is a key, a tab, and a caption")
        caption = names.index(table.captions[0]) if table.captions else 1
        if not has_header and len(names) == 2:
            caption = 1  # as in the published files, whatever looks more like words
    key = names.index(table.key) if table.key in names else int(caption == 0)
    return (key, caption), len(names), has_header
