"""Joins the rows of tables to the images of a folder, by the names that the rows write."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.quarantine import Reason
from stages.outcome import counted, is_most
from stages.sources.caption_fields import row_captions
from stages.sources.files import is_safe_name
from stages.sources.name_index import NameIndex, NameMatch, normalised
from stages.sources.record import Problem, Refusal
from stages.sources.table_columns import caption_columns, find_column, image_name_column
from stages.sources.table_rows import BadRow, table_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stages.sources.record import SourceOptions
    from stages.sources.table_files import FolderTable
    from stages.sources.table_rows import SourceRow

_SPLIT: Final = re.compile(
    r"(train|training|val|valid|validation|dev|test|testing|eval|trainval|minival)\d*",
    re.IGNORECASE,
)
_LONGEST_NAME: Final = 4096  # characters of a path
_SHOWN: Final = 100  # characters of a name in a message
_NUMBERED: Final = re.compile(r"(\.\w+)#\w+$")  # Flickr's `1.jpg#0`: caption 0 of 1.jpg


@dataclass(slots=True)
class FolderImage:
    """An image of a folder, or a name in a table that means none.

    Attributes:
        name: Path below the folder.
        size: Bytes; -1 if there is no file.
        texts: Suffixes of the texts beside it.
        split: Name of its split.
        captions: From tables.
        problems: Captions that were refused.
        refusal: Why the name means no image; None if it does, or there is no file at all.
    """

    name: str
    size: int
    texts: tuple[str, ...] = ()
    split: str | None = None
    captions: list[str] | None = None
    problems: list[tuple[Reason, str]] | None = None
    refusal: Refusal | None = None


@dataclass(slots=True)
class TableJoin:
    """How the names and captions of the tables found their images.

    Attributes:
        table: The tables, for messages.
        names: Different names, by the way in which they were found, or "ambiguous", "missing".
        captions: Captions of found and of other names.
        unfound: The first name that was not found.
        bad_rows: Rows that cannot be read, or name no image.
    """

    table: str
    names: Counter[str] = field(default_factory=Counter)
    captions: Counter[bool] = field(default_factory=Counter)
    unfound: str = ""
    bad_rows: list[Problem] = field(default_factory=list)

    def remark(self) -> str:
        """One sentence: how many names were found in which way, and how many were not."""
        lost = self.names["ambiguous"] + self.names["missing"]
        total = self.names.total()
        ways = {way: n for way, n in sorted(self.names.items()) if way not in _LOST}
        by = ", ".join(f"{number:,} {_BY[way]}" for way, number in ways.items())
        said = f"{self.table}: {total - lost:,} of {counted(total, 'name')} found"
        said += f" ({by})" if by and set(ways) != {"exact"} else ""
        if lost:
            said += f"; {self.names['missing']:,} missing, {self.names['ambiguous']:,} ambiguous"
        return said

    def loss(self) -> str | None:
        """A sentence, if most captions found no image."""
        lost, total = self.captions[False], self.captions.total()
        if not is_most(lost, total):
            return None
        return (
            f"{lost:,} of {counted(total, 'caption')} of {self.table} have no image "
            f"(such as {self.unfound!r})"
        )

    def why_empty(self, root: str, example: str) -> str | None:
        """A sentence, if there are captions and none found an image; `example` is an image."""
        if self.captions[True] or not self.captions[False]:
            return None
        return (
            f"no caption of {self.table} belongs to an image of {root}: the table says "
            f"{self.unfound!r}, the folder has {example!r}"
        )


_LOST: Final = ("ambiguous", "missing")
_BY: Final = {
    "exact": "as written",
    "spelling": "in another spelling",
    "path": "by the end of the path",
    "base name": "by the name of the file",
    "stem": "by the name without suffix",
}


class _Names:
    """Finds the image for a name in a table: relative to the table's folder, or as it can be found.

    Args:
        images: Keys are names below `root`.
        root: The folder.
        table: The table.
        scope: Folder below `root` whose images the table may mean; empty for all.
    """

    def __init__(
        self, images: Mapping[str, FolderImage], root: str, table: FolderTable, scope: str
    ) -> None:
        self.prefix = f"{scope}/" if scope else ""
        self.root = f"{root}/{self.prefix}"
        is_elsewhere = Path(table.name).is_absolute()
        self.table_folder = "" if is_elsewhere else f"{table.folder}/".removeprefix(self.prefix)
        start = len(self.prefix)
        self.index = NameIndex(name[start:] for name in images if name.startswith(self.prefix))
        self.answers: dict[str, NameMatch | Refusal | None] = {}

    def find_all(self, written: Iterable[str]) -> None:
        """Find what each of many names means."""
        self.answers = self.index.find_all(map(self._meant, written))

    def answer(self, written: str) -> NameMatch | Refusal | None:
        """What one of those names means; names of images are below the root."""
        answer = self.answers[self._meant(written)]
        if isinstance(answer, NameMatch):
            return NameMatch(self.prefix + answer.name, answer.way)
        return answer

    def _meant(self, written: str) -> str:
        name = written.removeprefix(self.root)
        if self.table_folder.strip("/"):
            beside = self.table_folder + normalised(name)
            if self._is_known(beside):
                return beside
        numbered = _NUMBERED.search(name)
        if numbered and not self._is_known(name):
            return name[: numbered.end(1)]
        return name

    def _is_known(self, name: str) -> bool:
        try:
            match = self.index.find(name)
        except Refusal:
            return False
        return match is not None and match.way in ("exact", "spelling")


def join_table(
    images: dict[str, FolderImage],
    root: str,
    table: FolderTable,
    scope: str,
    options: SourceOptions,
) -> TableJoin:
    """Add the captions and splits of a table to `images`, whose keys are names below `root`.

    Args:
        images: Grows by the names that mean no image.
        root: The folder.
        table: One that names images.
        scope: Folder below `root` whose images the table may mean; empty for all.
        options: Columns that the user named.
    """
    join = TableJoin(shown(table.name))
    names = _Names(images, root, table, scope)
    path = str(Path(root, table.name))
    names.find_all(w for w, _ in _named_rows(path, options, join) if w)
    join.bad_rows.clear()  # the rows are read once more
    counted_names: set[str] = set()
    for written, row in _named_rows(path, options, join):
        answer = names.answer(written)
        if written not in counted_names:
            counted_names.add(written)
            join.names[_way(answer)] += 1
        is_found = isinstance(answer, NameMatch)
        if not is_found:
            join.unfound = join.unfound or written[:_SHOWN]
        image = _image_of(images, answer, written, scope)
        join.captions[is_found] += _add_row(image, row, options)
    return join


def split_of_folder(folder: str) -> str | None:
    """The first of the folders above a table that has the name of a split.

    >>> split_of_folder("data/train"), split_of_folder("cats")
    ('train', None)
    """
    return next((part for part in folder.split("/") if _SPLIT.fullmatch(part)), None)


def shown(name: str) -> str:
    """A name for a message, control characters escaped."""
    return name if name.isprintable() else ascii(name)


def _named_rows(
    path: str, options: SourceOptions, join: TableJoin
) -> Iterator[tuple[str, SourceRow]]:
    """Rows with the name of the image they are of; other rows are added to the bad ones."""
    wanted = [name for name in (options.caption_column, options.image_column) if name]
    for row in table_rows(path, wanted):
        if isinstance(row, BadRow):
            join.bad_rows.append(_bad_row(join, row.number, row.detail))
            continue
        column = image_name_column(tuple(row.values), options.image_column)
        written = _name_in(row.values.get(column)) if column is not None else ""
        if len(written) > _LONGEST_NAME:
            detail = f"its name of an image has {len(written):,} characters: no name of a file"
            join.bad_rows.append(_bad_row(join, row.number, detail))
        elif written:
            yield written, row
        else:
            join.bad_rows.append(_bad_row(join, row.number, "the row names no image"))


def _bad_row(join: TableJoin, number: int, detail: str) -> Problem:
    return Problem(f"{join.table}:{number}", Reason.BAD_ROW, detail)


def _name_in(cell: Any) -> str:
    """The name of an image in a cell: text, a number, or Hugging Face's struct with a path."""
    if isinstance(cell, dict):
        cell = cell.get("path")
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    is_name = isinstance(cell, str | int) and not isinstance(cell, bool)
    return str(cell).strip() if is_name else ""


def _way(answer: NameMatch | Refusal | None) -> str:
    if isinstance(answer, NameMatch):
        return answer.way
    return "missing" if answer is None else "ambiguous"


def _image_of(
    images: dict[str, FolderImage], answer: NameMatch | Refusal | None, written: str, scope: str
) -> FolderImage:
    """The image that a name means, or one without a file, which is refused with its reason."""
    if isinstance(answer, NameMatch):
        return images[answer.name]
    name = f"{scope}/{written}" if scope and is_safe_name(written) else written
    return images.setdefault(name, FolderImage(name, -1, refusal=answer))


def _add_row(image: FolderImage, row: SourceRow, options: SourceOptions) -> int:
    """Add what a row says of an image; how many captions it has."""
    split = find_column(row.values, ("split",))
    if split and row.values[split] and image.split is None:
        image.split = str(row.values[split])
    columns = caption_columns(tuple(row.values), options.caption_column)
    captions, refusals = row_captions(row.values, columns)
    if captions:
        image.captions = image.captions or []
        image.captions += captions
    if refusals:
        image.problems = image.problems or []
        image.problems += [(refusal.reason, refusal.detail) for refusal in refusals]
    return len(captions)
