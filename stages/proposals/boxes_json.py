"""Boxes from COCO-results JSON: a list of {image_id, bbox: [x, y, width, height], score}."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SourceError
from stages.proposals.box_arrays import BoxArrays, BoxCollector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK: Final = 1 << 20  # characters read at once; no record may be longer
_SEPARATOR: Final = re.compile(r"[\s,]*")


def read_json(path: Path) -> BoxArrays:
    """All boxes of the file; read in chunks, so that only the arrays need memory.

    Raises:
        SourceError: If the file is not such a list; the message names the first wrong record.
    """
    collector = BoxCollector()
    number = 0
    try:
        for number, record in enumerate(_records(path)):  # noqa: B007 - the message needs it
            collector.add(*_id_and_box(record))
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 text ({error})") from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SourceError(
            f"{path}: a list of {{image_id, bbox: [x, y, width, height], score}} is expected; "
            f"near record {number}: {type(error).__name__}: {error}"
        ) from error
    return collector.arrays()


def _records(path: Path) -> Iterator[Any]:
    """Elements of the list in a file, one by one.

    Raises:
        ValueError: If the file is not a JSON list.
    """
    decode = json.JSONDecoder().raw_decode
    with path.open(encoding="utf-8-sig") as file:
        text = file.read(2 * _CHUNK).lstrip()
        if not text.startswith("["):
            raise ValueError("the file does not begin with '['")
        position, at_end = 1, False
        while True:
            position = _skip_separator(text, position)
            if len(text) - position < _CHUNK and not at_end:
                chunk = file.read(_CHUNK)
                text, position, at_end = text[position:] + chunk, 0, not chunk
            elif text.startswith("]", position):
                return
            else:
                value, position = decode(text, position)
                yield value


def _skip_separator(text: str, position: int) -> int:
    separator = _SEPARATOR.match(text, position)
    return separator.end() if separator else position


def _id_and_box(record: Any) -> tuple[str, tuple[float, ...]]:
    image_id = record["image_id"]
    if isinstance(image_id, bool) or not isinstance(image_id, (int, str)):
        raise TypeError(f"image_id is {image_id!r}, not a number or a text")
    x, y, width, height = map(float, record["bbox"])
    return str(image_id), (x, y, x + width, y + height, float(record["score"]))
