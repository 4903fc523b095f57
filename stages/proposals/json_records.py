"""Elements of a JSON file too large for memory, one by one: a list, an object of lists, or lines.

Only the element in hand is in memory. A line that is no JSON is one unreadable element; anywhere
else, what follows a fault cannot be found, so a fault ends the file.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK: Final = 1 << 20  # characters read at once
_LONGEST: Final = 64 << 20  # characters of one element; masks of a large image need a few million
_SEPARATOR: Final = re.compile(r"[\s,]*")
_LINES: Final = (".jsonl", ".ndjson")
_FAULTS: Final = (ValueError, RecursionError)


class Unreadable(NamedTuple):
    """Stands for a line that is no JSON."""

    why: str


class Element(NamedTuple):
    """A value of the file.

    Attributes:
        key: Of the member that it belongs to, if the file is one object; else None.
        value: Of one element of a list, or of a member that is no list.
        is_member: Whether it is all of the member: it is no list, or an empty one.
    """

    key: str | None
    value: Any
    is_member: bool = False


def elements(path: Path) -> Iterator[Element]:
    """Elements of the file in its order.

    Raises:
        ValueError: If the file is neither a list, an object, nor lines of JSON.
        RecursionError: If it is nested too deeply.
    """
    with path.open(encoding="utf-8-sig") as file:
        if path.suffix.lower() in _LINES or _has_lines(file):
            yield from _lines(file)
            return
        text = _Text(file)
        if text.skip("["):
            yield from (Element(None, value) for value in text.list_values())
        elif text.skip("{"):
            yield from _members(text)
        else:
            raise ValueError("the file does not begin with '[' or '{'")
        if text.peek():
            raise ValueError("more text follows the end")


def _members(text: _Text) -> Iterator[Element]:
    while not text.skip("}"):
        key = text.value()
        if not isinstance(key, str) or not text.skip(":"):
            raise ValueError(f"a name and a colon are expected, not {str(key)[:40]!r}")
        if not text.skip("["):
            yield Element(key, text.value(), is_member=True)
            continue
        is_empty = True
        for value in text.list_values():
            is_empty = False
            yield Element(key, value)
        if is_empty:
            yield Element(key, [], is_member=True)


def _has_lines(file: TextIO) -> bool:
    """Whether the first line is an object, and another follows; leaves the file at its start."""
    first, second = file.readline(_CHUNK), ""
    while first.endswith("\n") and not second.strip():
        second = file.readline(_CHUNK)
        if not second:
            break
    file.seek(0)
    try:
        is_object = isinstance(json.loads(first), dict)
    except _FAULTS:
        return False
    return is_object and second.lstrip().startswith("{")


def _lines(file: TextIO) -> Iterator[Element]:
    while line := file.readline(_LONGEST):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except _FAULTS as error:
            value = Unreadable(f"{type(error).__name__}: {error}")
        yield Element(None, value)


class _Text:
    """The text of a file from a position on; never less than a chunk, while there is more."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text, self._position, self._at_end = "", 0, False
        self._decode = json.JSONDecoder().raw_decode
        self._read(2 * _CHUNK)

    def peek(self) -> str:
        """The next character that is no separator; nothing at the end."""
        while True:
            separator = _SEPARATOR.match(self._text, self._position)
            self._position = separator.end() if separator else self._position
            if self._position < len(self._text) or self._at_end:
                return self._text[self._position : self._position + 1]
            self._read(_CHUNK)

    def skip(self, character: str) -> bool:
        """Pass over a character, if it is the next one."""
        is_next = self.peek() == character
        self._position += is_next
        return is_next

    def list_values(self) -> Iterator[Any]:
        """Elements up to the end of the list whose bracket was passed."""
        while self.peek() != "]":
            yield self._value()
        self._position += 1

    def value(self) -> Any:
        """The next value."""
        self.peek()
        return self._value()

    def _value(self) -> Any:
        """The value that begins here."""
        ahead = _CHUNK
        while True:
            if len(self._text) - self._position < ahead and not self._at_end:
                self._read(ahead)
            try:
                value, self._position = self._decode(self._text, self._position)
            except ValueError:
                if self._at_end or ahead >= _LONGEST:
                    raise
                ahead *= 4
            else:
                return value

    def _read(self, count: int) -> None:
        chunk = self._file.read(count)
        self._text = self._text[self._position :] + chunk
        self._position, self._at_end = 0, not chunk
