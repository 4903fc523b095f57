"""Boxes from COCO-results JSON: a list of {image_id, bbox: [x, y, width, height], score}."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SourceError
from stages.proposals.box_arrays import BoxArrays, Gathering

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PIECE: Final = 1 << 20  # characters; no record may be longer
_GAP: Final = re.compile(r"[\s,]*")


def read_json(path: Path) -> BoxArrays:
    """All boxes of the file; read in pieces, so that only the arrays need memory.

    Raises:
        SourceError: If it is no such list, naming the first record that is wrong.
    """
    gathering = Gathering()
    number = 0
    try:
        for number, record in enumerate(_records(path)):  # noqa: B007 - the message needs it
            gathering.add(*_box(record))
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: not UTF-8 text ({error})") from error
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SourceError(
            f"{path}: a list of {{image_id, bbox: [x, y, width, height], score}} is expected; "
            f"near record {number}: {type(error).__name__}: {error}"
        ) from error
    return gathering.arrays()


def _records(path: Path) -> Iterator[Any]:
    """Elements of the list in a file, one by one.

    Raises:
        ValueError: If the file is not a JSON list.
    """
    decode = json.JSONDecoder().raw_decode
    with path.open(encoding="utf-8-sig") as file:
        text = file.read(2 * _PIECE).lstrip()
        if not text.startswith("["):
            raise ValueError("the file does not begin with '['")
        at, ended = 1, False
        while True:
            at = _after_gap(text, at)
            if len(text) - at < _PIECE and not ended:
                piece = file.read(_PIECE)
                text, at, ended = text[at:] + piece, 0, not piece
            elif text.startswith("]", at):
                return
            else:
                value, at = decode(text, at)
                yield value


def _after_gap(text: str, at: int) -> int:
    gap = _GAP.match(text, at)
    return gap.end() if gap else at


def _box(record: Any) -> tuple[str, tuple[float, ...]]:
    image_id = record["image_id"]
    if isinstance(image_id, bool) or not isinstance(image_id, (int, str)):
        raise TypeError(f"image_id is {image_id!r}, not a number or a text")
    x, y, width, height = map(float, record["bbox"])
    return str(image_id), (x, y, x + width, y + height, float(record["score"]))
