"""Which tables of a folder hold its captions: chosen only where there is no doubt.

A table directly in the folder comes before those in its subfolders. Of several tables the one that
names images and has captions is read; if that is true of several in one place, the user must say
which. Tables in several subfolders, one in each, are each of its own subfolder: so Hugging Face
writes `train/metadata.csv` and `test/metadata.csv`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from schemas.errors import SourceError
from stages.sources.coco_files import looks_like_coco
from stages.sources.record import DEFAULTS
from stages.sources.table_columns import (
    caption_columns,
    caption_remarks,
    find_column,
    image_name_column,
    listed,
    named_column,
    unread_objects,
)
from stages.sources.table_rows import TABLE_SUFFIXES, suffix_of, table_columns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stages.sources.record import SourceOptions

_MOST: Final = 100  # tables that are looked into
_PERHAPS: Final = (".txt", ".token", ".json")  # files that need not be tables
_METADATA: Final = "metadata"  # Hugging Face's name of a table of images
_STATUS: Final = "status"  # of a download: a table of img2dataset, not of what lies here


@dataclass(frozen=True, slots=True)
class FolderTable:
    """A table in a folder.

    Attributes:
        name: Path below the folder; absolute if it is elsewhere.
        columns: Names.
        names_images: Whether a column names images.
        has_captions: Whether a column holds captions.
        fault: Why it cannot be read.
    """

    name: str
    columns: tuple[str, ...] = ()
    names_images: bool = False
    has_captions: bool = False
    fault: str = ""

    @property
    def folder(self) -> str:
        """Its folder; empty if that is the folder of the images."""
        return self.name.rpartition("/")[0]

    @property
    def is_usable(self) -> bool:
        """Whether it says what images show."""
        return self.names_images and self.has_captions


@dataclass(frozen=True, slots=True)
class TableChoice:
    """The tables that are read, and what is to be said of them and of the others."""

    tables: tuple[FolderTable, ...] = ()
    remarks: tuple[str, ...] = ()


def is_table(name: str) -> bool:
    """Whether a file can be a table, by its suffix; a text can be one."""
    return suffix_of(name) in (*TABLE_SUFFIXES, ".ndjson", *_PERHAPS)


def is_json_of_captions(path: str) -> bool:
    """Whether a file is a JSON document of captions with the names of their images, not COCO's."""
    return suffix_of(path) == ".json" and _look_at("", path, DEFAULTS).is_usable


def named_table(root: str, path: str, options: SourceOptions) -> TableChoice:
    """The table that the user named.

    Raises:
        SourceError: If it cannot be read, or names no images.
    """
    is_inside = Path(path).is_relative_to(root)
    name = Path(path).relative_to(root).as_posix() if is_inside else path
    table = _look_at(root, name, options)
    return TableChoice(
        (_demand_images(table, options.image_column),), tuple(_remarks(table, options))
    )


def choose_tables(
    root: str, others: Iterable[str], options: SourceOptions, *, has_texts: bool
) -> TableChoice:
    """The tables of captions among the files of a folder that are not images.

    Args:
        root: The folder.
        others: The files, as paths below it.
        options: Columns that the user named.
        has_texts: Whether texts beside the images hold captions.

    Raises:
        SourceError: If several tables could be meant, or the only one has captions of nothing.
    """
    names = [name for name in others if is_table(name)]
    inside = _look_at_all(root, [name for name in names if "/" not in name], options)
    below = _look_at_all(root, [name for name in names if "/" in name], options)
    below_usable = [table for table in below if table.is_usable]
    chosen = _choose(root, inside, below_usable, options, has_texts=has_texts)
    remarks = [sentence for table in chosen for sentence in _remarks(table, options)]
    left = [table for table in (*inside, *below_usable) if table not in chosen]
    remarks += [_why_left(table, has_texts=has_texts) for table in left]
    return TableChoice(tuple(chosen), tuple(remarks))


def _choose(
    root: str,
    inside: Sequence[FolderTable],
    below: Sequence[FolderTable],
    options: SourceOptions,
    *,
    has_texts: bool,
) -> list[FolderTable]:
    if has_texts:  # a table of the downloads lies beside what was downloaded
        inside, below = (
            [t for t in tables if not find_column(t.columns, (_STATUS,))]
            for tables in (inside, below)
        )
    usable = [table for table in inside if table.is_usable]
    metadata = [table for table in below if PurePosixPath(table.name).stem == _METADATA]
    if usable and (len(usable) > 1 or metadata):
        raise _several(root, [*usable, *metadata])
    if usable or below:
        return usable or _of_subfolders(root, below, metadata)
    naming = [table for table in inside if table.names_images]
    if len(naming) == 1 or has_texts:
        return naming if len(naming) == 1 else []
    if naming:
        raise _several(root, naming)
    for table in inside:
        if table.fault or table.has_captions:
            _demand_images(table, options.image_column)
    return []


def _of_subfolders(
    root: str, tables: Sequence[FolderTable], metadata: Sequence[FolderTable]
) -> list[FolderTable]:
    """One table for all, or one for each of several subfolders."""
    chosen = list(metadata or tables)
    folders = [table.folder for table in chosen]
    nested = any(f != g and f"{f}/".startswith(f"{g}/") for f in folders for g in folders)
    if len(set(folders)) < len(folders) or nested:
        raise _several(root, chosen)
    return chosen


def _several(root: str, tables: Sequence[FolderTable]) -> SourceError:
    names = ", ".join(table.name for table in tables[:10])
    return SourceError(
        f"{root} has several tables that could hold the captions ({names}): "
        "name the one to read beside the folder: rc ingest TABLE FOLDER"
    )


def _demand_images(table: FolderTable, wanted: str | None) -> FolderTable:
    if table.fault:
        raise SourceError(table.fault)
    if not table.names_images:
        if wanted is not None:
            named_column(table.name, table.columns, wanted)
        raise SourceError(
            f"{table.name} has no column that names images, such as file_name; its columns are "
            f"{listed(table.columns)}; name one with --image-column"
        )
    return table


def _remarks(table: FolderTable, options: SourceOptions) -> list[str]:
    remarks = caption_remarks(table.name, table.columns, options.caption_column)
    return remarks + unread_objects(table.name, table.columns)


def _why_left(table: FolderTable, *, has_texts: bool) -> str:
    if table.fault:
        return f"{table.fault}; it was passed over"
    said = f"{table.name} was not read"
    if not table.names_images:
        return f"{said}: no column names images; its columns are {listed(table.columns)}"
    if not table.has_captions:
        return f"{said}: no column has a usual name for captions; its columns are " + listed(
            table.columns
        )
    if has_texts:
        return f"{said}: captions are in the texts beside the images; name the table to read it too"
    return f"{said}: another table was; name it beside the folder to read it"


def _look_at_all(root: str, names: Sequence[str], options: SourceOptions) -> list[FolderTable]:
    """Tables among files; texts are looked into if they are few, since each image may have one."""
    texts = [name for name in names if suffix_of(name) in _PERHAPS]
    tables = [name for name in names if name not in set(texts)]
    if len(tables) > _MOST:
        return []  # one for each image, or so
    looked = [_look_at(root, n, options) for n in tables + (texts if len(texts) <= _MOST else [])]
    return [table for table in looked if table.columns or table.fault]


def _look_at(root: str, name: str, options: SourceOptions) -> FolderTable:
    path, is_sure = str(Path(root, name)), suffix_of(name) not in _PERHAPS
    try:
        is_coco = suffix_of(name) == ".json" and looks_like_coco(Path(path))
        columns = () if is_coco else table_columns(path)
    except SourceError as error:
        return FolderTable(name, fault=str(error) if is_sure else "")
    image = image_name_column(columns, options.image_column)
    captions = caption_columns(columns, options.caption_column)
    if not is_sure and (not image or not captions or len(columns) < 2):
        return FolderTable(name)
    return FolderTable(name, columns, image is not None, bool(set(captions) - {image}))
