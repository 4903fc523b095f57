"""Caption corpora without images: TSV, text, CSV, JSON or Parquet, also gzipped, read as a stream.

A row of a corpus has one or several captions, with or without a key. Neighbouring rows with the
same key, such as the captions of one image, are one record; a row without a key is a record of
its own, named by its file and line. Only one record is in memory.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.outcome import counted
from stages.sources.caption_fields import row_captions
from stages.sources.corpus_rows import SUFFIXES, CorpusRows, opened
from stages.sources.files import digest_of, file_digest, foreign
from stages.sources.json_ids import utf8
from stages.sources.record import DuplicateKeys, Inventory, LeftOut, Refusal
from stages.sources.size_limits import raised, raised_over
from stages.sources.table_columns import KEY_COLUMNS, caption_columns, find_column
from stages.sources.table_rows import BadRow, SourceRow, suffix_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


class CaptionRecord(NamedTuple):
    """Captions of one key; or what could not be read, with `problem`, why, and its reason.

    A row without a caption has neither.
    """

    key: str
    captions: tuple[str, ...]
    problem: str = ""
    reason: Reason = Reason.BAD_CAPTION


@dataclass(frozen=True, slots=True)
class Survey:
    """What a corpus has: its records, and how many of them repeat an earlier record's key."""

    records: int
    repeated: int


@dataclass(frozen=True, slots=True)
class Corpus:
    """A file of captions, or a folder of such files taken in the order of their names.

    Attributes:
        path: The file or folder.
        caption: Column of the captions: its name, or in a text also its number from 0. None: by
            its name; in a text without header, the column with most words.
        key: Column of the key, likewise. None: a column with a usual name, else no key.
        size_limits: Times the usual limits of what a file may hold and unpack to.
    """

    path: Path
    caption: str | None = None
    key: str | None = None
    size_limits: int = 1

    def records(self) -> Iterator[CaptionRecord]:
        """Yield the records in the order of the corpus.

        Raises:
            SourceError: If a file is missing, of unknown format or encoding, damaged, or without
                captions.
        """
        yield from raised_over(self.size_limits, self._records())

    def survey(self) -> Survey:
        """Read all of it once, and count."""
        keys, count = DuplicateKeys(), 0
        for record in self.records():
            keys.add(record.key)
            count += 1
        return Survey(count, len(keys.positions()))

    def inventory(self) -> Inventory:
        """Files of the folder that are no captions, and which columns were chosen."""
        remarks = raised(self.size_limits, self._remarks)
        others = Counter(file.suffix.lower() for file in self._all_files())
        for file in self.files():
            others[file.suffix.lower()] -= 1
        kinds = (LeftOut(f"{suffix} file".strip(), n) for suffix, n in (+others).items())
        return Inventory(tuple(kinds), remarks)

    def digest(self) -> str:
        """SHA-256 of the files in their order, by `stages.sources.files.file_digest`."""
        return digest_of(*(file_digest(str(file)) for file in self.files()))

    def files(self) -> list[Path]:
        """The files of the corpus in order.

        Raises:
            SourceError: If there is no file with a known suffix.
        """
        files = [file for file in self._all_files() if suffix_of(str(file)) in SUFFIXES]
        if not files:
            raise SourceError(
                f"no captions at {self.path}; give a file that ends in one of "
                f"{', '.join(SUFFIXES)} (also .gz), or a folder of such files"
            )
        return files

    def _records(self) -> Iterator[CaptionRecord]:
        for file in self.files():
            with _reading(file), opened(file, self.caption, self.key) as table:
                yield from _grouped(_records(file, table))

    def _remarks(self) -> tuple[str, ...]:
        remarks: dict[str, None] = {}
        for file in self.files():
            with _reading(file), opened(file, self.caption, self.key) as table:
                remarks |= dict.fromkeys(table.remarks)
        return tuple(remarks)

    def _all_files(self) -> list[Path]:
        candidates = sorted(self.path.iterdir()) if self.path.is_dir() else [self.path]
        return [file for file in candidates if file.is_file()]


def corpus_remarks(inventory: Inventory, survey: Survey) -> list[str]:
    """What is to be said of a corpus: its columns, files not read, keys that are not neighbours.

    >>> corpus_remarks(Inventory((LeftOut(".md file", 2),)), Survey(10, 1))[1]
    '2 .md files were not read as captions'
    """
    remarks = list(inventory.remarks)
    if survey.repeated:
        remarks.append(
            f"records whose key an earlier one has, counted as other images: {survey.repeated:,}; "
            "sort the file by its key"
        )
    for left_out in inventory.left_out:
        was = "was" if left_out.count == 1 else "were"
        said = counted(left_out.count, left_out.kind)
        remarks.append(f"{said} {was} not read as captions")
    return remarks


def _reading(file: Path) -> AbstractContextManager[None]:
    return foreign(f"captions {file} to the end", "fetch it again")


def _grouped(rows: Iterator[CaptionRecord]) -> Iterator[CaptionRecord]:
    for (key, problem, reason), group in groupby(rows, key=lambda row: (row[0], *row[2:])):
        yield CaptionRecord(
            key, tuple(text for row in group for text in row.captions), problem, reason
        )


def _records(file: Path, table: CorpusRows) -> Iterator[CaptionRecord]:
    """Of each row its captions, and a problem for each cell that cannot be read."""
    for row in table.rows:
        name = f"{file.name}:{row.number}"
        if isinstance(row, BadRow):
            yield CaptionRecord(name, (), row.detail, Reason.BAD_ROW)
        else:
            try:
                yield from _row_records(name, row, table)
            except Refusal as refusal:
                yield CaptionRecord(name, (), refusal.detail, refusal.reason)


def _row_records(name: str, row: SourceRow, table: CorpusRows) -> Iterator[CaptionRecord]:
    columns, key = table.captions, table.key
    if not any(column in row.values for column in columns):  # a line of JSON with other names
        columns = caption_columns(tuple(row.values))
    if key not in row.values:
        key = find_column(row.values, KEY_COLUMNS)
    captions, refusals = row_captions(row.values, columns)
    if captions:
        written = _key_text(row.values[key]) if key else ""
        yield CaptionRecord(written or name, tuple(captions))
    for refusal in refusals:
        yield CaptionRecord(name, (), refusal.detail, refusal.reason)
    if not captions and not refusals:
        yield CaptionRecord(name, ())


def _key_text(value: Any) -> str:
    """A key as text; empty if there is none. Numbers that tables wrote as 7.0 are 7.

    Raises:
        Refusal: bad-row, if it is a list or an object.
    """
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "an object"
        raise Refusal(Reason.BAD_ROW, f"its key is {kind}, not a name or a number")
    if isinstance(value, str):
        return utf8(value)
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
