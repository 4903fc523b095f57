"""Captions in any form that sources use: a string, a list, a JSON object, a column of a table."""

from __future__ import annotations

import csv
import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import pyarrow.parquet as pq

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.files import open_file
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

CAPTION_COLUMNS: Final = ("caption", "captions", "text", "texts")
IMAGE_COLUMNS: Final = ("image", "file_name", "filename", "file", "path", "filepath")
TABLE_SUFFIXES: Final = (".csv", ".tsv", ".jsonl", ".parquet")
_LONGEST_FIELD: Final = 1 << 26  # csv refuses fields over 131,072 characters by default


def captions_of(value: Any) -> list[str]:
    """The captions in a string, a list or a JSON object; stripped, without blank ones.

    Raises:
        Refusal: bad-caption, if the value is anything else, or text that UTF-8 cannot hold.

    >>> captions_of({"caption": " a dog ", "url": "x"}), captions_of(["a", None, ""])
    (['a dog'], ['a'])
    """
    if value is None:
        return []
    if isinstance(value, str):
        return _stripped_caption(value)
    if isinstance(value, dict):
        return captions_of(next((value[n] for n in CAPTION_COLUMNS if n in value), None))
    if isinstance(value, list):
        return [caption for item in value for caption in captions_of(item)]
    raise Refusal(Reason.BAD_CAPTION, f"a caption must be text, not {type(value).__name__}")


def captions_in_text(payload: bytes) -> list[str]:
    """The captions in the bytes of a text: a JSON object or list, otherwise one caption.

    Raises:
        Refusal: bad-caption, if the bytes are not UTF-8.
    """
    text = _decode_utf8(payload).strip()
    if text[:1] in ("{", "["):
        try:
            return captions_of(json.loads(text))
        except (ValueError, RecursionError):
            pass  # not JSON: a caption that begins with a bracket
    return captions_of(text)


def captions_in_json(payload: bytes) -> list[str]:
    """The captions in the bytes of a JSON file.

    Raises:
        Refusal: bad-caption, if it is not JSON.
    """
    try:
        return captions_of(json.loads(_decode_utf8(payload)))
    except (ValueError, RecursionError) as error:
        raise Refusal(Reason.BAD_CAPTION, f"not JSON: {error}") from error


def distinct(captions: Iterable[str]) -> tuple[str, ...]:
    """The captions, each once, in order of first appearance."""
    return tuple(dict.fromkeys(captions))


def find_column(names: Iterable[str], candidates: Iterable[str]) -> str | None:
    """The first of `candidates` that is among `names`, ignoring case, as written there; or None."""
    by_lower_case = {name.strip().lower(): name for name in reversed(list(names))}
    return next((by_lower_case[name] for name in candidates if name in by_lower_case), None)


def table_rows(uri: str) -> Iterator[Mapping[str, Any]]:
    """Rows of a CSV, TSV, JSONL or Parquet table, as mappings, streamed.

    Raises:
        SourceError: If the table cannot be read in the format of its suffix.
    """
    suffix = PurePosixPath(uri).suffix.lower()
    try:
        if suffix == ".parquet":
            yield from _parquet_rows(uri)
        elif suffix == ".jsonl":
            yield from _json_rows(uri)
        else:
            yield from _csv_rows(uri, "\t" if suffix == ".tsv" else ",")
    except (ValueError, csv.Error, OSError) as error:
        raise SourceError(f"cannot read the captions table {uri}: {error}") from error


def _parquet_rows(uri: str) -> Iterator[Mapping[str, Any]]:
    with open_file(uri) as file:
        table = pq.ParquetFile(file)
        used = (*IMAGE_COLUMNS, *CAPTION_COLUMNS, "split")
        columns = [name for name in table.schema_arrow.names if name.lower() in used]
        for batch in table.iter_batches(batch_size=1000, columns=columns):
            yield from batch.to_pylist()


def _json_rows(uri: str) -> Iterator[Mapping[str, Any]]:
    with open_file(uri) as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            row = json.loads(line)
            if not isinstance(row, dict):
                raise SourceError(f"line {number} of {uri} is not a JSON object")
            yield row


def _csv_rows(uri: str, delimiter: str) -> Iterator[Mapping[str, Any]]:
    csv.field_size_limit(_LONGEST_FIELD)
    with open_file(uri) as file:
        lines = (line.decode("utf-8-sig" if n == 0 else "utf-8") for n, line in enumerate(file))
        yield from csv.DictReader(lines, delimiter=delimiter)


def _stripped_caption(text: str) -> list[str]:
    text = text.strip()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Refusal(Reason.BAD_CAPTION, "the caption has half a surrogate pair") from error
    return [text] if text else []


def _decode_utf8(payload: bytes) -> str:
    try:
        return payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(Reason.BAD_CAPTION, f"the caption is not UTF-8: {error.reason}") from error
