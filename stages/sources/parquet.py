"""Parquet with images: a column of {bytes, path}, of plain bytes, or of lists of these.

Parts end at row groups. The key of an image is its row number: every file has it, and it is
unique. Where a row has a path and no bytes, the image is the file of that name beside the table.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import RCError
from schemas.quarantine import Reason
from stages.sources.caption_fields import distinct, row_captions
from stages.sources.files import (
    digest_of,
    error_line,
    file_digest,
    is_remote,
    is_safe_name,
    largest_image,
    load_image_file,
    open_file,
    too_large,
    unique_names,
)
from stages.sources.name_index import normalised
from stages.sources.other_files import unread_below
from stages.sources.parquet_columns import (
    column_remarks,
    holds_only_paths,
    image_column,
    images_in_cell,
    paths_in,
    paths_without_bytes,
)
from stages.sources.parquet_rows import (
    are_read_again,
    chosen_image,
    group_ranges,
    open_parquet,
    read_values,
    row_groups,
)
from stages.sources.record import (
    DEFAULTS,
    Inventory,
    LeftOut,
    Problem,
    Record,
    Refusal,
    Slice,
    SourceOptions,
)
from stages.sources.table_columns import caption_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROWS: Final = 32  # read at once


@dataclass(frozen=True)
class ParquetSource:
    """Files in the order given, images in order of their rows.

    Attributes:
        files: Paths.
        options: How to read them.
        folders: That the user named, and in which the files were found.
    """

    files: tuple[str, ...]
    options: SourceOptions = DEFAULTS
    folders: tuple[str, ...] = ()
    kind: str = "parquet"

    def digest(self) -> str:
        """Hash of the name and content of each file, and of the sizes of images beside it."""
        return digest_of(*(line for n in range(len(self.files)) for line in self._lines(n)))

    def slice_digest(self, part_slice: Slice) -> str:
        """Hash of the name and content of the file, of sizes beside it, and of the rows."""
        lines = self._lines(part_slice.file)
        return digest_of(*lines, part_slice.first, part_slice.last)

    def slices(self) -> Sequence[Slice]:
        """Consecutive row groups of about `part_bytes` together, of one file."""
        return self._slices

    def count(self, part_slice: Slice) -> int:
        """Rows of the slice."""
        return part_slice.last - part_slice.first

    def total(self) -> int | None:
        """Rows of all files."""
        return sum(self.count(part_slice) for part_slice in self._slices)

    def inventory(self) -> Inventory:
        """Which columns were chosen, told once for files of the same columns; files beside them."""
        remarks: dict[tuple[str, ...], list[str]] = {}
        for uri in self.files:
            schema, image = chosen_image(uri, self.options.image_column)
            if tuple(schema.names) not in remarks:
                remarks[tuple(schema.names)] = column_remarks(
                    Path(uri).name,
                    schema,
                    image,
                    self.options.caption_column,
                    self.options.image_column is not None,
                )
        left_out = unread_below(self.folders, [*self.files, *self._files_beside()])
        said = tuple(text for texts in remarks.values() for text in texts)
        return Inventory(tuple(left_out), said)

    def records(self, part_slice: Slice) -> Iterator[Record | Problem | LeftOut]:
        """One record per row."""
        uri = self.files[part_slice.file]
        name = self._names[part_slice.file]
        row = part_slice.first
        try:
            for values, columns in _rows(uri, part_slice.first, part_slice.last, self.options):
                image_id = f"{name}/{row:09d}"
                if isinstance(values, Exception):
                    yield Problem(image_id, Reason.BAD_ROW, f"row {row}: {error_line(values)}")
                else:
                    yield from _row_records(image_id, uri, row, values, columns)
                row += 1
        except RCError:  # of the network: the file may be whole
            raise
        except Exception as error:  # what is wrong in a file shows as an error of any kind
            detail = f"rows {row} to {part_slice.last - 1} cannot be read: {error_line(error)}"
            yield Problem(f"{name}/{row:09d}", Reason.UNREADABLE, detail)

    def _files_beside(self) -> Iterator[str]:
        """Image files that rows without bytes name."""
        if self.folders:
            for uri in self.files:
                yield from _paths_beside(uri, self.options.image_column)

    def _lines(self, number: int) -> list[str]:
        """What the digest has of a file."""
        uri = self.files[number]
        sizes = _sizes_beside(uri, self.options.image_column)
        return [f"{self._names[number]} {file_digest(uri)}", *sizes]

    @cached_property
    def _names(self) -> list[str]:
        return unique_names(list(self.files))

    @cached_property
    def _slices(self) -> list[Slice]:
        limits = self.options.part_bytes, self.options.part_images
        slices: list[Slice] = []
        for number, uri in enumerate(self.files):
            starts, sizes = row_groups(uri)
            for first, last in group_ranges(starts, sizes, *limits):
                slices.append(Slice(number, int(starts[first]), int(starts[last])))
        return slices


@dataclass(frozen=True, slots=True)
class _RowColumns:
    """Columns of a file: of images, of captions; `member` tells a column that is not the usual.

    Where limits were raised to read them, later stages, which have the usual ones, cannot.
    """

    image: str
    captions: tuple[str, ...]
    member: str
    can_be_reread: bool


def has_image_bytes(uri: str, wanted: str | None = None) -> bool:
    """Whether a Parquet file has a column with image bytes; `wanted` is one the user named."""
    with open_file(uri, in_ranges=True) as file:
        return image_column(open_parquet(uri, file).schema_arrow, wanted) is not None


def is_list_of_files(uri: str, wanted: str | None = None) -> bool:
    """Whether a Parquet file has no image itself, only paths of image files."""
    with open_file(uri, in_ranges=True) as file:
        table = open_parquet(uri, file)
        image = image_column(table.schema_arrow, wanted)
        return image is not None and holds_only_paths(table, image)


def files_in_paths(uri: str, wanted: str | None = None) -> set[str]:
    """Image files that the paths of a Parquet file name, whether the rows hold bytes or not."""
    _, image = chosen_image(uri, wanted)
    with open_file(uri, in_ranges=True) as file, contextlib.suppress(Exception):
        names = set(map(normalised, paths_in(open_parquet(uri, file), image)))
        return {str(Path(uri).parent / name) for name in names if is_safe_name(name)}
    return set()


def check_image_column(uri: str, wanted: str | None) -> None:
    """Raises SourceError, with the columns, if a file has no column of images."""
    chosen_image(uri, wanted)


def _row_records(
    image_id: str, uri: str, row: int, values: dict[str, Any], columns: _RowColumns
) -> Iterator[Record | LeftOut]:
    """The record of a row; what its cell has besides the first image is counted."""
    captions, refusals = row_captions(values, columns.captions)
    images = images_in_cell(values[columns.image])
    image = images[0] if images else None
    is_file = isinstance(image, str) and not is_remote(uri)
    folder = Path(uri).parent
    yield Record(
        image_id=image_id,
        uri=str(folder / str(image)) if is_file else uri,
        load=partial(_load_beside, folder, str(image)) if is_file else _ParquetLoader(image),
        member=None if is_file else f"{row}{columns.member}",
        can_be_reread=is_file or columns.can_be_reread,
        captions=distinct(captions),
        problems=tuple(Problem(image_id, refusal.reason, refusal.detail) for refusal in refusals),
    )
    if len(images) > 1:
        yield LeftOut("further image of a row", len(images) - 1)


@dataclass(frozen=True, slots=True)
class _ParquetLoader:
    """Gives the bytes of one cell."""

    content: Any

    def __call__(self) -> bytes:
        if not isinstance(self.content, bytes):
            raise Refusal(Reason.MISSING_IMAGE, "the row holds no bytes")
        if len(self.content) > largest_image():
            raise too_large(len(self.content))
        return self.content


def _sizes_beside(uri: str, wanted: str | None) -> Iterator[str]:
    for path in _paths_beside(uri, wanted):
        yield f"{Path(path).relative_to(Path(uri).parent)} {Path(path).stat().st_size}"


def _paths_beside(uri: str, wanted: str | None) -> Iterator[str]:
    if is_remote(uri):
        return
    _, image = chosen_image(uri, wanted)
    with open_file(uri, in_ranges=True) as file, contextlib.suppress(Exception):
        for name in paths_without_bytes(open_parquet(uri, file), image):
            path = Path(uri).parent / name
            if is_safe_name(name) and path.is_file():
                yield str(path)


def _load_beside(folder: Path, name: str) -> bytes:
    """The image file that a row without bytes names, relative to the folder of the table."""
    try:
        return load_image_file(str(folder), name)
    except Refusal as refusal:
        detail = f"the row holds no bytes, and its path is no file here: {refusal.detail}"
        raise Refusal(refusal.reason, detail) from refusal


def _rows(
    uri: str, first: int, last: int, options: SourceOptions
) -> Iterator[tuple[dict[str, Any] | Exception, _RowColumns]]:
    """Rows `first` to `last`, whole row groups, and which of their columns are which."""
    starts, _ = row_groups(uri)
    groups = [g for g in range(len(starts) - 1) if first <= starts[g] < last]
    schema, image = chosen_image(uri, options.image_column)
    names = tuple(name for name in schema.names if name != image)
    captions = caption_columns(names, options.caption_column)
    member = "" if image == image_column(schema) else f":{image}"
    with open_file(uri, in_ranges=True) as file:
        can_be_reread = are_read_again(uri, file, groups, image)
        columns = _RowColumns(image, captions, member, can_be_reread)
        for values in read_values(uri, file, groups, [image, *captions], _ROWS):
            yield values, columns
