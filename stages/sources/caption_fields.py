"""Captions in any form that sources use: a string, a list, a JSON object, a column of a table."""

from __future__ import annotations

import ast
import json
import math
import re
from typing import TYPE_CHECKING, Any, Final

from schemas.quarantine import Reason
from stages.sources.record import Refusal
from stages.sources.table_columns import caption_columns, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MISSING: Final = frozenset(("nan", "none", "null", "<na>", "n/a", "#n/a"))
_DEEPEST: Final = 20
_LITERAL: Final = r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')"""
_PYTHON_LIST: Final = re.compile(rf"\[\s*{_LITERAL}(?:\s*,\s*{_LITERAL})*\s*,?\s*\]", re.DOTALL)


def captions_of(value: Any) -> list[str]:
    """The captions in a string, a list or a JSON object; stripped, without blank ones.

    What tables write for a missing value, such as NaN, None or null, is no caption.

    Raises:
        Refusal: bad-caption, if the value is anything else, or text that UTF-8 cannot hold.

    >>> captions_of({"caption": " a dog ", "url": "x"}), captions_of(["a", None, "", "nan"])
    (['a dog'], ['a'])
    """
    return _flattened(value, _DEEPEST)


def captions_in_text(payload: bytes) -> list[str]:
    """The captions in the bytes of a text, as `captions_in_string` finds them.

    Raises:
        Refusal: bad-caption, if the bytes are not UTF-8, or as there.
    """
    return captions_in_string(_decode_utf8(payload))


def captions_in_string(text: str) -> list[str]:
    """The captions in a text: a JSON object, a list of texts, otherwise one caption.

    Raises:
        Refusal: bad-caption, if a JSON object has no captions, or UTF-8 cannot hold the text.

    >>> captions_in_string('["a dog", "a cat"]'), captions_in_string("[1] a dog")
    (['a dog', 'a cat'], ['[1] a dog'])
    """
    text = text.strip()
    value = _bracketed(text) if text[:1] in ("{", "[") else None
    if value is None:
        return captions_of(text)
    if isinstance(value, dict) and not caption_columns(tuple(value)):
        names = listed(tuple(value))
        raise Refusal(Reason.BAD_CAPTION, f"a JSON object without captions; it has {names}")
    try:
        return captions_of(value)
    except Refusal:
        if isinstance(value, list):
            return captions_of(text)  # such as "[1]": a caption that begins with a bracket
        raise


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


def row_captions(
    values: Mapping[str, Any], columns: Iterable[str]
) -> tuple[list[str], list[Refusal]]:
    """The captions in the cells of a row, and a bad-caption for each cell that holds none.

    Args:
        values: Cells by column; a cell is text, JSON in text, a list, a struct.
        columns: Those that hold captions; one that the row does not have is empty.
    """
    captions: list[str] = []
    refusals: list[Refusal] = []
    for column in columns:
        value = values.get(column)
        try:
            captions += _captions_in_cell(value)
        except Refusal as refusal:
            refusals.append(refusal)
    return captions, refusals


def _captions_in_cell(value: Any) -> list[str]:
    if isinstance(value, str):
        return captions_in_string(value)
    if isinstance(value, bytes):  # text in Parquet of writers that do not mark it as text
        return captions_in_text(value)
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict) and item and not caption_columns(tuple(item)):
            names = listed(tuple(item))
            raise Refusal(Reason.BAD_CAPTION, f"an object without captions; it has {names}")
    return captions_of(value)


def _flattened(value: Any, depth: int) -> list[str]:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return []
    if isinstance(value, str):
        return _stripped_caption(value)
    if not isinstance(value, dict | list):
        raise Refusal(Reason.BAD_CAPTION, f"a caption must be text, not {type(value).__name__}")
    if depth == 0:
        raise Refusal(Reason.BAD_CAPTION, f"captions are nested more than {_DEEPEST} times")
    if isinstance(value, dict):
        value = [value[name] for name in caption_columns(tuple(value))]
    return [caption for item in value for caption in _flattened(item, depth - 1)]


def _stripped_caption(text: str) -> list[str]:
    text = text.strip()
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise Refusal(Reason.BAD_CAPTION, "the caption has half a surrogate pair") from error
    return [text] if text and text.lower() not in _MISSING else []


def _bracketed(text: str) -> Any:
    """The JSON in a text, or a list of texts as Python writes it; None if it is neither."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text) if _PYTHON_LIST.fullmatch(text) else None
    except (ValueError, SyntaxError):
        return None


def _decode_utf8(payload: bytes) -> str:
    try:
        return payload.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(Reason.BAD_CAPTION, f"the caption is not UTF-8: {error.reason}") from error
