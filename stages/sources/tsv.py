"""RegionCLIP's TSV: key, tab, base64 of an image; captions in a second TSV with the same keys.

More columns and a header are understood. A `.lineidx` beside the file (first byte of each row, one
a line; or `.lineidx.8b`, 8 bytes each) saves a pass over the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.errors import ChangedImageError, SourceError
from schemas.quarantine import Reason
from stages.outcome import is_most
from stages.sources.caption_fields import captions_in_text, distinct
from stages.sources.files import digest_of, file_digest, is_remote, open_file, unique_names
from stages.sources.other_files import unread_below
from stages.sources.record import (
    DEFAULTS,
    Inventory,
    LeftOut,
    Problem,
    Record,
    Refusal,
    Slice,
    SourceOptions,
    consecutive_ranges,
)
from stages.sources.tsv_captions import CaptionFile, caption_index, unmatched
from stages.sources.tsv_rows import (
    RowIndex,
    RowLayout,
    image_of_row,
    lineidx_paths,
    row_cells,
    row_index,
    row_layout,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_IMAGE_NAMES: Final = ("images", "image", "img")
_OF_LABELS: Final = re.compile(
    r"[._-](labels?|hw|linelist|features?|predictions?|attributes?|attr)\.tsv$", re.IGNORECASE
)
_CAPTION_NAMES: Final = ("captions", "caption", "texts", "text")


@dataclass(frozen=True)
class TsvSource:
    """Image files in the order given, each with its caption file or none.

    Attributes:
        files: Paths of images and captions.
        options: How to read them.
        folders: That the user named, and in which the files were found.
    """

    files: tuple[tuple[str, str | None], ...]
    options: SourceOptions = DEFAULTS
    folders: tuple[str, ...] = ()
    kind: str = "tsv"

    def digest(self) -> str:
        """Hash of the name and content of each file, captions included."""
        lines = []
        for name, (images, texts) in zip(self._names, self.files, strict=True):
            lines.append(f"{name} {file_digest(images)} {file_digest(texts) if texts else '-'}")
        return digest_of(*lines)

    def slice_digest(self, part_slice: Slice) -> str:
        """Hash of the name and content of the file and its captions, and of the rows."""
        images, texts = self.files[part_slice.file]
        files = [file_digest(images), file_digest(texts) if texts else "-"]
        return digest_of(self._names[part_slice.file], *files, part_slice.first, part_slice.last)

    def slices(self) -> Sequence[Slice]:
        """Consecutive rows of about `part_bytes` together, of one file."""
        slices: list[Slice] = []
        for number in range(len(self.files)):
            index = self._index(number)
            sizes = ((index.ends - index.starts) * 3 // 4).tolist()  # base64: 3 bytes as 4
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
        return sum(len(self._index(number).starts) for number in range(len(self.files)))

    def inventory(self) -> Inventory:
        """Captions of no image; columns and files that were not read; other caption files."""
        remarks: list[str] = []
        losses: list[str] = []
        lost, rows, said = 0, 0, ""
        for number, (images, texts) in enumerate(self.files):
            remarks += _layout_remarks(Path(images).name, self._layouts[number])
            if texts is None:
                continue
            if texts not in _caption_paths(images):
                remarks.append(f"captions of {Path(images).name} are read from {texts}")
            of_none = unmatched(texts, self._index(number).digests)
            rows += of_none.rows
            if of_none.count:
                lost += of_none.count
                said = of_none.sentence(Path(texts).name, self._first_key(number))
                (losses if is_most(of_none.count, of_none.rows) else remarks).append(said)
        if lost and lost == rows:
            return Inventory(remarks=tuple(remarks), unmatched=said)
        left_out = unread_below(self.folders, list(self._read_files()))
        left_out += [LeftOut("caption of no image", lost)] if lost else []
        return Inventory(tuple(left_out), tuple(remarks), tuple(losses))

    def records(self, part_slice: Slice) -> Iterator[Record | Problem]:
        """One record per row; with the first rows, the bad rows of the captions."""
        uri, texts = self.files[part_slice.file]
        index = self._index(part_slice.file)
        if texts and part_slice.first == 0:
            yield from caption_index(texts).bad_rows
        with open_file(uri) as file, CaptionFile(texts) as caption_file:
            for row in range(part_slice.first, part_slice.last):
                file.seek(int(index.starts[row]))
                line = file.readline()
                yield self._record(part_slice.file, row, row_cells(line), caption_file)
                end = int(index.starts[row]) + len(line)
                rest = file.read(int(index.ends[row]) - end)
                if rest.strip():
                    detail = f"bytes {end} to {index.ends[row]} are in no row of the lineidx"
                    yield Problem(f"{Path(uri).name}:{end}", Reason.BAD_ROW, detail)

    def _record(self, file: int, row: int, cells: list[bytes], texts: CaptionFile) -> Record:
        layout, index = self._layouts[file], self._index(file)
        key = cells[layout.key] if layout.key < len(cells) else b""
        image_id = f"{self._names[file]}/{key.decode(errors='backslashreplace')}"
        captions, problems = _captions_in_row(cells, layout, image_id)
        more, more_problems = texts.captions(key, image_id)
        is_usual = self.options.image_column is None
        return Record(
            image_id=image_id,
            uri=self.files[file][0],
            load=_TsvLoader(cells, layout, row if row in index.duplicates else None),
            member=str(row) if is_usual else f"{row}:{layout.image}",
            offset=int(index.starts[row]),
            captions=distinct([*captions, *more]),
            problems=(*problems, *more_problems),
        )

    def _read_files(self) -> Iterator[str]:
        for images, texts in self.files:
            yield images
            yield from (texts,) if texts else ()
            yield from (str(path) for path in lineidx_paths(images))

    def _first_key(self, number: int) -> str:
        uri, start = self.files[number][0], self._index(number).starts[0]
        with open_file(uri) as file:
            file.seek(int(start))
            cells = row_cells(file.readline())
        return cells[self._layouts[number].key].decode(errors="backslashreplace")

    def _index(self, number: int) -> RowIndex:
        return row_index(self.files[number][0], self._layouts[number])

    @cached_property
    def _layouts(self) -> list[RowLayout]:
        columns = self.options.image_column, self.options.caption_column
        return [row_layout(images, *columns) or RowLayout() for images, _ in self.files]

    @cached_property
    def _names(self) -> list[str]:
        return unique_names([images for images, _ in self.files])


def is_image_tsv(uri: str) -> bool:
    """Whether one of the first rows is a key and the base64 of an image."""
    return row_layout(uri) is not None


def holds_labels(uri: str) -> bool:
    """Whether a TSV is called as those of labels, sizes and features beside a TSV of images are.

    >>> holds_labels("train.label.tsv"), holds_labels("train.hw.tsv"), holds_labels("train.tsv")
    (True, True, False)
    """
    return _OF_LABELS.search(uri) is not None


def pair_captions(paths: Sequence[str]) -> tuple[tuple[str, str | None], ...]:
    """Image files, each with its caption file: one of `paths`, or a file beside it by its name.

    Caption files whose names tell nothing are paired in the order given, if as many image files
    have none.

    Raises:
        SourceError: If a caption file belongs to no image file.
    """
    images = [path for path in paths if is_image_tsv(path)]
    texts = [path for path in paths if path not in images]
    if not texts:
        return tuple((path, _find_caption_file(path)) for path in images)
    pairs = {path: next((t for t in _caption_paths(path) if t in texts), None) for path in images}
    unpaired = [text for text in texts if text not in pairs.values()]
    without = [path for path in images if pairs[path] is None]
    if unpaired and len(unpaired) != len(without):
        raise SourceError(f"no TSV of images belongs to {sorted(unpaired)[0]}")
    pairs |= dict(zip(without, unpaired, strict=False))
    return tuple(pairs.items())


def read_row(uri: str, offset: int, member: str = "") -> bytes:
    """The image of the row that begins at byte `offset`.

    Args:
        uri: The file.
        offset: First byte of the row.
        member: Number of the row, and `:column` where the user named the column.

    Raises:
        ChangedImageError: If there is no such row.
    """
    layout = row_layout(uri, member.partition(":")[2] or None) or RowLayout()
    with open_file(uri) as file:
        file.seek(offset)
        cells = row_cells(file.readline())
    try:
        return image_of_row(cells, layout)
    except Refusal as refusal:
        raise ChangedImageError(
            f"{uri} changed since it was ingested ({refusal.detail}): "
            "run rc ingest with --accept-changed"
        ) from refusal


@dataclass(frozen=True, slots=True)
class _TsvLoader:
    """Decodes the image of one row."""

    cells: list[bytes]
    layout: RowLayout
    duplicate: int | None  # number of the row, if an earlier one has its key

    def __call__(self) -> bytes:
        if self.duplicate is not None:
            raise Refusal(Reason.DUPLICATE_ID, f"row {self.duplicate} repeats an earlier id")
        return image_of_row(self.cells, self.layout)


def _captions_in_row(
    cells: list[bytes], layout: RowLayout, image_id: str
) -> tuple[list[str], list[Problem]]:
    captions: list[str] = []
    problems: list[Problem] = []
    for column in layout.captions:
        try:
            captions += captions_in_text(cells[column]) if column < len(cells) else []
        except Refusal as refusal:
            problems.append(Problem(image_id, refusal.reason, refusal.detail))
    return captions, problems


def _layout_remarks(name: str, layout: RowLayout) -> list[str]:
    if not layout.others:
        return []
    columns = ", ".join(ascii(layout.names[n]) if layout.names else str(n) for n in layout.others)
    things = "column {} of {} is" if len(layout.others) == 1 else "columns {} of {} are"
    return [f"{things.format(columns, name)} not read; --caption-column names one with captions"]


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
