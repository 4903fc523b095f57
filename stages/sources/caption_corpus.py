"""Caption corpora without images: TSV, JSON lines or Parquet, also gzipped, read as a stream.

A row of a corpus has one or several captions, with or without a key. Neighbouring rows with the
same key, such as the captions of one image, are one record; a row without a key is a record of
its own, named by its file and line. Only one record is in memory.
"""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass
from itertools import chain, groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import SourceError
from stages.sources.caption_fields import captions_in_text, captions_of
from stages.sources.files import digest_of, file_digest
from stages.sources.record import Refusal
from stages.sources.table_columns import CAPTION_COLUMNS, find_column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_USUAL_CAPTIONS = (*CAPTION_COLUMNS, "sentence", "sentences", "raw")
_USUAL_KEYS = ("image_id", "key", "image", "file_name", "filename", "id")
_HEAD_ROWS = 100  # read first, to find the caption column of a TSV without header


class CaptionRecord(NamedTuple):
    """Captions of one key; or a row that could not be read, with the reason in `problem`."""

    key: str
    captions: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A file of captions, or a folder of such files taken in the order of their names.

    Attributes:
        path: The file or folder.
        caption: Column of the captions: its name, or in a TSV also its number from 0. None: the
            first column with a usual name; in a TSV without header, the column with most words.
        key: Column of the key, likewise. None: a column with a usual name, else no key.
    """

    path: Path
    caption: str | None = None
    key: str | None = None

    def records(self) -> Iterator[CaptionRecord]:
        """Yield the records in the order of the corpus.

        Raises:
            SourceError: If a file is missing, of unknown format, damaged, or without captions.
        """
        for file in self.files():
            try:
                yield from _grouped(_READERS[_format(file)](file, self))
            except (OSError, EOFError, zlib.error, pa.ArrowInvalid) as error:
                raise SourceError(
                    f"captions {file} cannot be read to the end ({error}); fetch them again"
                ) from error

    def digest(self) -> str:
        """SHA-256 of the files in their order, by `stages.sources.files.file_digest`."""
        return digest_of(*(file_digest(str(file)) for file in self.files()))

    def files(self) -> list[Path]:
        """The files of the corpus in order.

        Raises:
            SourceError: If there is no file with a known suffix.
        """
        candidates = sorted(self.path.iterdir()) if self.path.is_dir() else [self.path]
        files = [file for file in candidates if _format(file) in _READERS and file.is_file()]
        if not files:
            suffixes = ", ".join(_READERS)
            raise SourceError(
                f"no captions at {self.path}; give a file that ends in one of {suffixes} "
                f"(also .gz), or a folder of such files"
            )
        return files


def _format(file: Path) -> str:
    return Path(file.stem).suffix.lower() if file.suffix == ".gz" else file.suffix.lower()


def _grouped(rows: Iterator[CaptionRecord]) -> Iterator[CaptionRecord]:
    for (key, problem), group in groupby(rows, key=lambda row: (row.key, row.problem)):
        yield CaptionRecord(key, tuple(text for row in group for text in row.captions), problem)


def _lines(file: Path) -> Iterator[str]:
    with file.open("rb") as raw:
        is_gzip = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with gzip.open(raw) if is_gzip else raw as stream:
            for line in stream:
                yield line.decode("utf-8", errors="replace").rstrip("\r\n")


def _tsv(file: Path, corpus: Corpus) -> Iterator[CaptionRecord]:
    rows = (line.split("\t") for line in _lines(file))
    head = list(islice(rows, _HEAD_ROWS))
    if not head:
        return
    columns = {name.removeprefix("\ufeff").strip(): index for index, name in enumerate(head[0])}
    usual_caption = find_column(columns, _USUAL_CAPTIONS)
    has_header = usual_caption is not None or corpus.caption in columns
    default = _wordiest_column(head) if usual_caption is None else columns[usual_caption]
    caption = _column_index(file, columns, corpus.caption, default)
    usual_key = find_column(columns, _USUAL_KEYS) if has_header else None
    key = _column_index(file, columns, corpus.key, columns[usual_key] if usual_key else None)
    for number, cells in enumerate(chain(head[has_header:], rows), start=1 + has_header):
        row = dict(enumerate(cells))
        yield _caption_record(f"{file.name}:{number}", row, caption, key)


def _column_index(
    file: Path, columns: Mapping[str, int], requested: str | None, default: int | None
) -> int | None:
    """Index of a column of a TSV: the requested one, by name or number, else the default."""
    if requested is None:
        return default
    if requested in columns:
        return columns[requested]
    if requested.isdecimal():
        return int(requested)
    raise SourceError(
        f"captions {file} have no column {requested!r}: the first line is {list(columns)}; "
        f"a column can also be given by its number, counted from 0"
    )


def _wordiest_column(rows: list[list[str]]) -> int:
    num_words = [0] * max(len(cells) for cells in rows)
    for cells in rows:
        for index, cell in enumerate(cells):
            num_words[index] += len(cell.split())
    return num_words.index(max(num_words))


def _json_lines(file: Path, corpus: Corpus) -> Iterator[CaptionRecord]:
    for number, line in enumerate(_lines(file), start=1):
        row_name = f"{file.name}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            yield CaptionRecord(row_name, (), "the line is not a JSON object")
            continue
        caption = corpus.caption or find_column(row, _USUAL_CAPTIONS)
        yield _caption_record(row_name, row, caption, corpus.key or find_column(row, _USUAL_KEYS))


def _parquet(file: Path, corpus: Corpus) -> Iterator[CaptionRecord]:
    with pq.ParquetFile(file) as table:
        names = table.schema_arrow.names
        caption = corpus.caption or find_column(names, _USUAL_CAPTIONS)
        key = corpus.key or find_column(names, _USUAL_KEYS)
        used = [name for name in (caption, key) if name is not None]
        missing = [name for name in used if name not in names]
        if caption is None:
            missing = ["with a usual name for captions"]
        if missing:
            raise SourceError(
                f"captions {file} have no column {' and '.join(missing)}; the columns are {names}"
            )
        batches = table.iter_batches(batch_size=1000, columns=list(dict.fromkeys(used)))
        rows = (row for batch in batches for row in batch.to_pylist())
        for number, row in enumerate(rows, start=1):
            yield _caption_record(f"{file.name}:{number}", row, caption, key)


def _caption_record(name: str, row: Mapping[Any, Any], caption: Any, key: Any) -> CaptionRecord:
    value = row.get(caption)
    try:
        texts = captions_in_text(value.encode()) if isinstance(value, str) else captions_of(value)
    except (Refusal, UnicodeEncodeError) as error:
        return CaptionRecord(name, (), str(error))
    if not texts:
        return CaptionRecord(name, (), f"no text in column {caption!r}")
    if key is None:
        return CaptionRecord(name, tuple(texts))
    if row.get(key) in (None, ""):
        return CaptionRecord(name, (), f"no key in column {key!r}")
    return CaptionRecord(str(row[key]), tuple(texts))


_READERS: dict[str, Callable[[Path, Corpus], Iterator[CaptionRecord]]] = {
    ".tsv": _tsv,
    ".txt": _tsv,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
}
