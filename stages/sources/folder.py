"""A folder of images and its subfolders, with or without a table of captions.

The table is CSV, TSV, JSONL or Parquet; a row has one caption or several. Its columns are found by
name, as `stages.sources.table_columns` says.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.caption_fields import distinct, row_captions
from stages.sources.files import digest_of, file_digest, is_image, load_image_file
from stages.sources.record import (
    DEFAULTS,
    Inventory,
    Problem,
    Record,
    Slice,
    SourceOptions,
    consecutive_ranges,
)
from stages.sources.table_columns import (
    caption_columns,
    caption_remarks,
    find_column,
    image_name_column,
    listed,
)
from stages.sources.table_rows import TABLE_SUFFIXES, BadRow, SourceRow, table_columns, table_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


@dataclass(slots=True)
class _FolderImage:
    """An image file; or a name in the table without a file, whose size is -1."""

    name: str
    size: int
    split: str | None = None
    captions: list[str] = field(default_factory=list)
    problems: list[tuple[Reason, str]] = field(default_factory=list)


@dataclass(frozen=True)
class FolderSource:
    """Images below `root`, in order of their names; only `files`, if there are any."""

    root: str
    table: str | None = None
    files: tuple[str, ...] = ()
    options: SourceOptions = DEFAULTS
    kind: str = "folder"

    def digest(self) -> str:
        """Hash of the table, the name of the folder, and the names and sizes of the images."""
        table = file_digest(self.table) if self.table else "no table"
        name = Path(self.root).name
        return digest_of(table, name, *(f"{image.name} {image.size}" for image in self._images))

    def slices(self) -> Sequence[Slice]:
        """Consecutive images of about `part_bytes` together."""
        sizes = [max(image.size, 0) for image in self._images]
        ranges = consecutive_ranges(sizes, self.options.part_bytes, self.options.part_images)
        return [Slice(0, first, last) for first, last in ranges]

    def count(self, part_slice: Slice) -> int:
        """Images of the slice."""
        return part_slice.last - part_slice.first

    def total(self) -> int | None:
        """Images below the folder, and names in the table without a file."""
        return len(self._images)

    def inventory(self) -> Inventory:
        """Which columns of the table hold captions, where there was a choice."""
        if self.table is None:
            return Inventory()
        names, wanted = table_columns(self.table), self.options.caption_column
        return Inventory(remarks=tuple(caption_remarks(Path(self.table).name, names, wanted)))

    def records(self, part_slice: Slice) -> Iterator[Record | Problem]:
        """One record per image file, and per name in the table without a file."""
        if part_slice.first == 0 and self.table:
            for bad in self._bad_rows:
                record = f"{Path(self.table).name}:{bad.number}"
                yield Problem(record, Reason.BAD_ROW, bad.detail)
        for image in self._images[part_slice.first : part_slice.last]:
            image_id = f"{image.split or Path(self.root).name}/{image.name}"
            yield Record(
                image_id=image_id,
                uri=str(Path(self.root, image.name)),
                load=partial(load_image_file, self.root, image.name),
                split=image.split,
                captions=distinct(image.captions),
                problems=tuple(Problem(image_id, *problem) for problem in image.problems),
            )

    @cached_property
    def _bad_rows(self) -> list[BadRow]:
        return [row for row in table_rows(self.table or "") if isinstance(row, BadRow)]

    @cached_property
    def _images(self) -> list[_FolderImage]:
        by_name = {name: _FolderImage(name, size) for name, size in self._image_files()}
        if self.table:
            _add_table(by_name, self.root, self.table, self.options)
        images = [by_name[name] for name in sorted(by_name)]
        if not self.options.splits:
            return images
        known = sorted({image.split for image in images if image.split})
        for split in self.options.splits:
            if split not in known:
                raise SourceError(
                    f"no split {split!r} in {self.table or self.root}; there are {known}"
                )
        return [image for image in images if image.split in self.options.splits]

    def _image_files(self) -> Iterator[tuple[str, int]]:
        if self.files:
            yield from ((Path(f).name, Path(f).stat().st_size) for f in self.files)
            return
        for folder, _, names in os.walk(self.root):
            for name in filter(is_image, names):
                path = Path(folder, name)
                if path.is_file():
                    yield path.relative_to(self.root).as_posix(), path.stat().st_size


def find_table(root: str) -> str | None:
    """The table directly inside a folder; None if there is none.

    Raises:
        SourceError: If there are several.
    """
    tables = [p for p in sorted(Path(root).iterdir()) if p.suffix.lower() in TABLE_SUFFIXES]
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise SourceError(f"{root} has several tables ({names}): name the one with the captions")
    return str(tables[0]) if tables else None


def _add_table(
    images: dict[str, _FolderImage], root: str, table: str, options: SourceOptions
) -> None:
    """Add the captions and splits of the table to `images`, whose keys are names."""
    find_name = _NameResolver(root, table, images)
    wanted = [name for name in (options.caption_column, options.image_column) if name]
    for row in table_rows(table, wanted):
        if isinstance(row, BadRow):
            continue
        image_column = image_name_column(tuple(row.values), options.image_column)
        if image_column is None:
            names = listed(tuple(row.values))
            raise SourceError(
                f"{table} has no column that names images; its columns are {names}; "
                "name one with --image-column"
            )
        written = row.values[image_column]
        if not isinstance(written, str) or not written.strip():
            continue
        name = find_name(written.strip())
        _add_row(images.setdefault(name, _FolderImage(name, -1)), row, options)


def _add_row(image: _FolderImage, row: SourceRow, options: SourceOptions) -> None:
    split = find_column(row.values, ("split",))
    if split and row.values[split] and image.split is None:
        image.split = str(row.values[split])
    columns = caption_columns(tuple(row.values), options.caption_column)
    captions, refusals = row_captions(row.values, columns)
    image.captions += captions
    image.problems += [(refusal.reason, refusal.detail) for refusal in refusals]


class _NameResolver:
    """Finds the image for a name in the table: relative to root or table, or by file name."""

    def __init__(self, root: str, table: str, images: Mapping[str, _FolderImage]) -> None:
        self.root, self.images = Path(root), images
        folder = Path(table).parent
        is_inside = folder.is_relative_to(self.root)
        self.table_folder = folder.relative_to(self.root) if is_inside else PurePosixPath()
        self.names_of_file: dict[str, list[str]] = {}
        for name in images:
            self.names_of_file.setdefault(PurePosixPath(name).name, []).append(name)

    def __call__(self, written: str) -> str:
        path = PurePosixPath(written)
        if path.is_absolute() and path.is_relative_to(self.root):
            path = path.relative_to(self.root)
        for name in (str(path), str(PurePosixPath(self.table_folder) / path)):
            if name in self.images:
                return name
        matching = self.names_of_file.get(written, [])  # only a file name without a folder matches
        return matching[0] if len(matching) == 1 else str(path)
