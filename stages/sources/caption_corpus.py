"""Caption corpora without images: TSV, JSON lines or Parquet, also gzipped, read as a stream.

A row of a corpus is one caption or several, with or without a key. Neighbouring rows of one key
are one record, as the captions of one image are; a row without a key is a record of its own,
named by its file and line. Nothing is held but the record at hand.
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
from stages.sources.caption_fields import CAPTION_COLUMNS, captions_in, captions_of, column
from stages.sources.files import digest_of, file_digest
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_USUAL_CAPTIONS = (*CAPTION_COLUMNS, "sentence", "sentences", "raw")
_USUAL_KEYS = ("image_id", "key", "image", "file_name", "filename", "id")
_PEEK = 100  # rows looked at to tell which column of a TSV without header is the caption


class CaptionRecord(NamedTuple):
    """Captions of one key; or, if `problem` says why, a row that could not be read."""

    key: str
    captions: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Corpus:
    """A file of captions, or a folder of such files taken in the order of their names.

    Attributes:
        path: The file or folder.
        caption: Column of the captions: its name, or in a TSV also its number from 0. None: the
            first column with a usual name; in a TSV without header, the wordiest column.
        key: Column of the key, likewise. None: a usual name if there is one, else no key.
    """

    path: Path
    caption: str | None = None
    key: str | None = None

    def records(self) -> Iterator[CaptionRecord]:
        """Yield the records in the order of the corpus.

        Raises:
            SourceError: If a file is missing, of unknown form, damaged, or without captions.
        """
        for file in self.files():
            try:
                yield from _grouped(_READERS[_form(file)](file, self))
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
            SourceError: If there is none, or its suffix is not known.
        """
        within = sorted(self.path.iterdir()) if self.path.is_dir() else [self.path]
        files = [file for file in within if _form(file) in _READERS and file.is_file()]
        if not files:
            known = ", ".join(_READERS)
            raise SourceError(
                f"no captions at {self.path}; give a file that ends in one of {known} "
                f"(also .gz), or a folder of such files"
            )
        return files


def _form(file: Path) -> str:
    return Path(file.stem).suffix.lower() if file.suffix == ".gz" else file.suffix.lower()


def _grouped(rows: Iterator[CaptionRecord]) -> Iterator[CaptionRecord]:
    for (key, problem), group in groupby(rows, key=lambda row: (row.key, row.problem)):
        yield CaptionRecord(key, tuple(text for row in group for text in row.captions), problem)


def _lines(file: Path) -> Iterator[str]:
    with file.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        with gzip.open(raw) if packed else raw as stream:
            for line in stream:
                yield line.decode("utf-8", errors="replace").rstrip("\r\n")


def _tsv(file: Path, corpus: Corpus) -> Iterator[CaptionRecord]:
    rows = (line.split("\t") for line in _lines(file))
    head = list(islice(rows, _PEEK))
    if not head:
        return
    names = dict(enumerate(head[0]))
    known = {name.removeprefix("\ufeff").strip(): at for at, name in names.items()}
    usual = column(known, _USUAL_CAPTIONS)
    has_header = usual is not None or corpus.caption in known
    if usual is None:
        known["the wordiest"] = _wordiest(head)
    caption = _position(file, known, corpus.caption, usual or "the wordiest")
    usual_key = column(known, _USUAL_KEYS) if has_header else None
    key = _position(file, known, corpus.key, usual_key)
    for number, cells in enumerate(chain(head[has_header:], rows), start=1 + has_header):
        row = dict(enumerate(cells))
        yield _captioned(f"{file.name}:{number}", row, caption, key)


def _position(
    file: Path, known: Mapping[str, int], wanted: str | None, usual: str | None
) -> int | None:
    """Where a column of a TSV is: the wanted one by name or number, else the usual one."""
    if wanted is None:
        return None if usual is None else known[usual]
    if wanted in known:
        return known[wanted]
    if wanted.isdecimal():
        return int(wanted)
    raise SourceError(
        f"captions {file} have no column {wanted!r}: the first line reads {list(known)}; "
        f"a column can also be given by its number, the first being 0"
    )


def _wordiest(rows: list[list[str]]) -> int:
    words = [0] * max(len(cells) for cells in rows)
    for cells in rows:
        for at, cell in enumerate(cells):
            words[at] += len(cell.split())
    return words.index(max(words))


def _json_lines(file: Path, corpus: Corpus) -> Iterator[CaptionRecord]:
    for number, line in enumerate(_lines(file), start=1):
        name = f"{file.name}:{number}"
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            yield CaptionRecord(name, (), "the line is not a JSON object")
            continue
        caption = corpus.caption or column(row, _USUAL_CAPTIONS)
        yield _captioned(name, row, caption, corpus.key or column(row, _USUAL_KEYS))


def _parquet(file: Path, corpus: Corpus) -> Iterator[CaptionRecord]:
    with pq.ParquetFile(file) as table:
        names = table.schema_arrow.names
        caption = corpus.caption or column(names, _USUAL_CAPTIONS)
        key = corpus.key or column(names, _USUAL_KEYS)
        wanted = [name for name in (caption, key) if name is not None]
        if caption is None or not set(wanted) <= set(names):
            asked = " and ".join(wanted) or "of a usual name for captions"
            raise SourceError(f"captions {file} have no column {asked}; there are {names}")
        batches = table.iter_batches(batch_size=1000, columns=list(dict.fromkeys(wanted)))
        rows = (row for batch in batches for row in batch.to_pylist())
        for number, row in enumerate(rows, start=1):
            yield _captioned(f"{file.name}:{number}", row, caption, key)


def _captioned(name: str, row: Mapping[Any, Any], caption: Any, key: Any) -> CaptionRecord:
    value = row.get(caption)
    try:
        texts = captions_in(value.encode()) if isinstance(value, str) else captions_of(value)
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
