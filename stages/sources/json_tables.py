"""Rows of JSON: one object a line, or a document that is read at once.

A document is COCO's captions, Karpathy's splits (`images` with their `sentences`), a list of
objects or texts, or captions by key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from stages.sources.files import is_image
from stages.sources.table_columns import FILE_COLUMNS, caption_columns
from stages.sources.table_encoding import utf8_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import BinaryIO

_HEAD_ROWS: Final = 100


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A row: its number, which is the line where it begins (in Parquet the row), and its cells."""

    number: int
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read: its number, likewise, and why, in one sentence."""

    number: int
    detail: str


def json_rows(file: BinaryIO, name: str) -> Iterator[SourceRow | BadRow]:
    """Rows of JSON lines; a line that is not a JSON object is a bad row."""
    for number, line in enumerate(utf8_lines(file, name), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield BadRow(number, f"line {number} is not JSON: {error}")
            continue
        if isinstance(row, dict):
            yield SourceRow(number, row)
        else:
            yield BadRow(number, f"line {number} is not a JSON object")


def document_rows(file: BinaryIO, name: str) -> Iterator[SourceRow | BadRow]:
    """Rows of a JSON document: COCO's captions, a list of objects or texts, captions by key."""
    payload = b"".join(utf8_lines(file, name))
    try:
        entries = _entries(json.loads(payload))
    except (ValueError, RecursionError):
        file.seek(0)
        yield from json_rows(file, name)  # JSON lines under another suffix
        return
    for number, entry in enumerate(entries, 1):
        if isinstance(entry, dict):
            yield SourceRow(number, entry)
        else:
            yield BadRow(number, f"entry {number} is not a JSON object")


def image_rows(file: BinaryIO, name: str) -> Iterator[SourceRow | BadRow]:
    """Rows of a JSON document about images; none if the first 100 name no image file."""
    head = islice(document_rows(file, name), _HEAD_ROWS)
    if not any(isinstance(row, SourceRow) and _names_image(row.values) for row in head):
        return
    file.seek(0)
    yield from document_rows(file, name)


def _names_image(values: Mapping[str, Any]) -> bool:
    """Whether a cell names a file of an image, or, in a column of such names, is its number."""
    numbers = (values.get(name) for name in FILE_COLUMNS)
    return any(isinstance(cell, str) and is_image(cell) for cell in values.values()) or any(
        isinstance(number, int) and not isinstance(number, bool) for number in numbers
    )


def _entries(document: Any) -> list[Any]:
    if isinstance(document, dict):
        lists = [document[name] for name in ("annotations", "images", "data") if name in document]
        of_captions = [entries for entries in lists if isinstance(entries, list) and entries]
        if of_captions:
            return _grouped_by_key(of_captions[0])
        if lists or caption_columns(tuple(document)):
            return [] if lists else [document]
        return [{"key": key, "caption": value} for key, value in document.items()]
    entries = document if isinstance(document, list) else [document]
    return [{"caption": item} if isinstance(item, str) else item for item in entries]


def _grouped_by_key(entries: list[Any]) -> list[Any]:
    """Entries of one image beside each other, images in the order of their first entry."""
    first: dict[str, int] = {}
    for entry in entries:
        if isinstance(entry, dict):
            first.setdefault(str(entry.get("image_id")), len(first))
    return sorted(
        entries,
        key=lambda e: first[str(e.get("image_id"))] if isinstance(e, dict) else len(first),
    )
