"""The digest of a slice whose records are known without reading any image: of all but the bytes."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING

from schemas.errors import SourceError
from stages.sources.files import digest_of, size_of
from stages.sources.record import LeftOut, Problem, Record, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa

_NOT_OF_ROWS = ("load", "uri")  # where the files lie is compared by `Ingest.recognises`


def digest_of_records(items: Iterable[Record | Problem | LeftOut]) -> str:
    """Hash of the names, captions, boxes and refusals, and of the sizes of the files."""
    return digest_of(*_lines(items))


def are_those_of(
    items: Iterable[Record | Problem | LeftOut],
    rows: Callable[[list[str]], Iterator[pa.RecordBatch]],
    *,
    same_bytes: bool,
) -> bool:
    """Whether the records of a slice are those that rows were made from, of an equal digest.

    Args:
        items: Of the slice.
        rows: Reads columns of the rows.
        same_bytes: Whether each image must have the bytes that it had, and be read then and now;
            else one that lies where it lay speaks for all, which lie below one folder.
    """
    known: dict[str, tuple[str, str]] = {
        row["image_id"]: (row["uri"], row["sha256"])
        for batch in rows(["image_id", "uri", "sha256"])
        for row in batch.to_pylist()
    }
    for record in items:
        if not isinstance(record, Record):
            continue
        uri, digest = known.get(record.image_id, (None, None))
        if uri is not None and not same_bytes:
            return uri == record.uri
        if same_bytes and (uri != record.uri or digest != digest_of_image(record)):
            return False
    return same_bytes or not known


def digest_of_image(record: Record) -> str | None:
    """SHA-256 of the bytes of an image; None if they cannot be read."""
    with suppress(Refusal):
        return hashlib.sha256(record.load()).hexdigest()
    return None


def _lines(items: Iterable[Record | Problem | LeftOut]) -> Iterator[str]:
    for item in items:
        if not isinstance(item, Record):
            yield repr(item)
            continue
        values = [getattr(item, f.name) for f in fields(item) if f.name not in _NOT_OF_ROWS]
        yield repr([*(list(v) if isinstance(v, tuple) else v for v in values), _size(item.uri)])


def _size(uri: str) -> int:
    """Bytes of a file; -1 if it cannot be measured, since its record is refused then."""
    try:
        return size_of(uri)
    except SourceError:
        return -1
