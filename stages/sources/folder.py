"""A folder of images and its subfolders, with captions in tables or in texts beside the images.

A table is CSV, TSV, JSONL or Parquet; a row has one caption or several. Which table is read says
`stages.sources.table_files`, and which of its columns `stages.sources.table_columns`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import SourceError
from stages.outcome import counted
from stages.sources.caption_fields import distinct
from stages.sources.caption_files import LABELS, TextsBeside, read_texts, sample_texts
from stages.sources.file_kinds import left_out_files
from stages.sources.files import digest_of, file_digest, load_image_file
from stages.sources.folder_files import TEXT_SUFFIXES, FolderFiles, ImageFile, list_files
from stages.sources.folder_tables import FolderImage, TableJoin, join_table, shown, split_of_folder
from stages.sources.name_index import stem
from stages.sources.record import (
    DEFAULTS,
    Inventory,
    LeftOut,
    Problem,
    Record,
    Refusal,
    Slice,
    SourceOptions,
    slices_of_sizes,
)
from stages.sources.slice_digest import digest_of_records
from stages.sources.table_files import TableChoice, choose_tables, named_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(slots=True)
class _FolderContent:
    """What a folder holds, joined.

    Attributes:
        files: As they lie there.
        choice: Tables that are read.
        sample: What the first texts beside images hold.
        images: In the order of their names, of the splits that the user named.
        joins: How each table found its images.
        prefixed: Whether an id begins with the split even if the path does.
    """

    files: FolderFiles
    choice: TableChoice
    sample: TextsBeside
    images: list[FolderImage] = field(default_factory=list)
    joins: list[TableJoin] = field(default_factory=list)
    prefixed: bool = False


@dataclass(frozen=True)
class FolderSource:
    """Images below `root`, in order of their names; only `files`, if there are any.

    Attributes:
        root: The folder.
        table: The table that the user named; None: found in the folder.
        files: The images that the user named; empty for all.
        options: How to read it.
        remarks: What was chosen before it was opened.
    """

    root: str
    table: str | None = None
    files: tuple[str, ...] = ()
    options: SourceOptions = DEFAULTS
    remarks: tuple[str, ...] = ()
    kind: str = "folder"

    def digest(self) -> str:
        """Hash of the tables, the name of the folder, names and sizes of images, and the texts."""
        tables = [Path(self.root, table.name) for table in self._content.choice.tables]
        lines = [*(file_digest(str(table)) for table in tables), Path(self.root).name]
        return digest_of(*lines, *map(self._digest_line, self._content.images))

    def slice_digest(self, part_slice: Slice) -> str:
        """Hash of all that the records of a slice say, and of the sizes of its images."""
        return digest_of_records(self.records(part_slice))

    def slices(self) -> Sequence[Slice]:
        """Consecutive images of about `part_bytes` together."""
        return slices_of_sizes((image.size for image in self._content.images), self.options)

    def count(self, part_slice: Slice) -> int:
        """Images of the slice."""
        return part_slice.last - part_slice.first

    def total(self) -> int | None:
        """Images below the folder, and names in tables without a file."""
        return len(self._content.images)

    def inventory(self) -> Inventory:
        """Files that are not read, which tables are, and how their names found the images."""
        content = self._content
        read = {table.name for table in content.choice.tables}
        others = (name for name in content.files.others if name not in read)
        left_out = left_out_files(self.root, others)
        left_out += [LeftOut(kind, n) for kind, n in sorted(content.files.skipped.items())]
        remarks = [*self.remarks, *content.choice.remarks, *_remarks_on_files(content.files)]
        remarks += [join.remark() for join in content.joins]
        if LABELS in {*(kind.kind for kind in left_out), *content.sample.others}:
            remarks.append(
                "labels of YOLO were not read, since nothing names their classes: "
                "put a data.yaml with names beside the images"
            )
        losses = [loss for join in content.joins if (loss := join.loss())]
        return Inventory(tuple(left_out), tuple(remarks), tuple(losses), self._why_empty())

    def records(self, part_slice: Slice) -> Iterator[Record | Problem | LeftOut]:
        """One record per image file, and per name in a table without a file."""
        if part_slice.first == 0:
            for join in self._content.joins:
                yield from join.bad_rows
        for image in self._content.images[part_slice.first : part_slice.last]:
            beside = read_texts(self.root, image.name, image.texts)
            yield from map(LeftOut, beside.others)
            image_id = _id_of(image, self._name, prefixed=self._content.prefixed)
            problems = (*(image.problems or ()), *beside.problems)
            yield Record(
                image_id=image_id,
                uri=str(Path(self.root, image.name)),
                load=partial(_load, self.root, image),
                split=image.split,
                captions=distinct([*(image.captions or ()), *beside.captions]),
                problems=tuple(Problem(image_id, *problem) for problem in problems),
            )

    @property
    def _name(self) -> str:
        return Path(self.root).name

    @cached_property
    def _content(self) -> _FolderContent:
        files = _files_named(self.files) if self.files else list_files(self.root)
        sample = sample_texts(self.root, files.images)
        if self.table:
            choice = named_table(self.root, self.table, self.options)
        else:
            has_texts = bool(sample.captions)
            choice = choose_tables(self.root, files.others, self.options, has_texts=has_texts)
        content = _FolderContent(files, choice, sample)
        images = {file.name: FolderImage(*file) for file in files.images}
        for table in choice.tables:
            scope = table.folder if len(choice.tables) > 1 else ""
            content.joins.append(join_table(images, self.root, table, scope, self.options))
            _split_folder(images, scope, split_of_folder(table.folder))
        content.images = self._of_splits([images[name] for name in sorted(images)])
        ids = {_id_of(image, self._name, prefixed=False) for image in content.images}
        content.prefixed = len(ids) < len(content.images)
        return content

    def _of_splits(self, images: list[FolderImage]) -> list[FolderImage]:
        if not self.options.splits:
            return images
        known = sorted({image.split for image in images if image.split})
        for split in self.options.splits:
            if split not in known:
                raise SourceError(
                    f"no split {split!r} in {self.table or self.root}; there are {known}"
                )
        return [image for image in images if image.split in self.options.splits]

    def _why_empty(self) -> str | None:
        content = self._content
        example = content.files.images[0].name if content.files.images else "no image"
        reasons = [join.why_empty(self.root, example) for join in content.joins]
        return None if content.sample.captions or None in reasons or not reasons else reasons[0]

    def _digest_line(self, image: FolderImage) -> str:
        texts = [
            file_digest(str(Path(self.root, stem(image.name) + suffix))) for suffix in image.texts
        ]
        return " ".join([image.name, str(image.size), *texts])


def _id_of(image: FolderImage, root_name: str, *, prefixed: bool) -> str:
    """Split and path; the split once, if the path begins with it and no other id is the same."""
    if image.split and not prefixed and image.name.startswith(f"{image.split}/"):
        return image.name
    return f"{image.split or root_name}/{image.name}"


def _load(root: str, image: FolderImage) -> bytes:
    if image.refusal:
        raise Refusal(image.refusal.reason, image.refusal.detail)
    return load_image_file(root, image.name)


def _files_named(paths: Iterable[str]) -> FolderFiles:
    """Images named one by one, which are in one folder, and the texts beside them."""
    images = []
    for path in map(Path, paths):
        texts = (s for s in TEXT_SUFFIXES if path.with_name(stem(path.name) + s).is_file())
        images.append(ImageFile(path.name, path.stat().st_size, tuple(texts)))
    return FolderFiles(images)


def _split_folder(images: dict[str, FolderImage], folder: str, split: str | None) -> None:
    """Give all images of a folder its split, unless they have one."""
    if split is None:
        return
    for name, image in images.items():
        if image.split is None and name.startswith(f"{folder}/"):
            image.split = split


def _remarks_on_files(files: FolderFiles) -> list[str]:
    remarks = []
    if again := files.linked_again:
        number = counted(len(again), "link")
        remarks.append(f"{number} to folders that are read elsewhere (such as {shown(again[0])!r})")
    if closed := files.closed:
        number = counted(len(closed), "folder")
        remarks.append(f"{number} may not be opened (such as {shown(closed[0])!r})")
    return remarks
