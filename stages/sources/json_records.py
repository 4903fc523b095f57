"""Elements of a JSON file too large for memory, some at a time: a list, an object of lists, lines.

Only a few megabytes of them are in memory. A line that is no JSON is one unreadable element;
anywhere else, what follows a fault cannot be found, so a fault ends the file.
"""

from __future__ import annotations

import gc
import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TextIO

import orjson

from stages.sources.size_limits import allowed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK: Final = 1 << 20  # characters read at once
_LONGEST: Final = 64 << 20  # characters of one element; masks of a large image need a few million
_SEPARATOR: Final = re.compile(r"[\s,]*")
_BETWEEN: Final = re.compile(r"\}\s*,\s*\{")  # two objects
_TAIL: Final = 1 << 14  # characters in which the last of them is looked for
_LINES: Final = (".jsonl", ".ndjson")
_FAULTS: Final = (ValueError, RecursionError)


class Unreadable(NamedTuple):
    """Stands for a line that is no JSON."""

    why: str


class Elements(NamedTuple):
    """Values of the file that follow each other.

    Attributes:
        key: Of the member that they belong to, if the file is one object; else None.
        values: Elements of a list; or one, a member that is no list.
        is_member: Whether it is all of the member: it is no list, or an empty one.
    """

    key: str | None
    values: list[Any]
    is_member: bool = False


def elements(path: Path) -> Iterator[Elements]:
    """Elements of the file in its order; how they are grouped has no meaning.

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
            yield from (Elements(None, values) for values in text.list_values())
        elif text.skip("{"):
            yield from _members(text)
        else:
            raise ValueError("the file does not begin with '[' or '{'")
        if text.peek():
            raise ValueError("more text follows the end")


def _members(text: _Text) -> Iterator[Elements]:
    while not text.skip("}"):
        key = text.value()
        if not isinstance(key, str) or not text.skip(":"):
            raise ValueError(f"a name and a colon are expected, not {str(key)[:40]!r}")
        if not text.skip("["):
            yield Elements(key, [text.value()], is_member=True)
            continue
        is_empty = True
        for values in text.list_values():
            is_empty = False
            yield Elements(key, values)
        if is_empty:
            yield Elements(key, [[]], is_member=True)


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


def _lines(file: TextIO) -> Iterator[Elements]:
    values: list[Any] = []
    size = 0
    while line := file.readline(allowed(_LONGEST)):
        if not line.strip():
            continue
        try:
            values.append(json.loads(line))
        except _FAULTS as error:
            values.append(Unreadable(f"{type(error).__name__}: {error}"))
        size += len(line)
        if size >= _CHUNK:
            yield Elements(None, values)
            values, size = [], 0
    if values:
        yield Elements(None, values)


class _Text:
    """The text of a file from a position on; never less than a chunk, while there is more."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text, self._position, self._at_end = "", 0, False
        self._tried = 0  # position up to which elements are read one by one
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

    def list_values(self) -> Iterator[list[Any]]:
        """Elements up to the end of the list whose bracket was passed, some at a time."""
        while self.peek() != "]":
            yield self._objects() or [self._value()]
        self._position += 1

    def _objects(self) -> list[Any]:
        """The objects from here on whose ends are at hand, read at once; none if that fails.

        Then there is a fault, or the end of the list; or other lists follow, or are inside.
        """
        if self._position < self._tried:
            return []
        if len(self._text) - self._position < _CHUNK and not self._at_end:
            self._read(_CHUNK)
        first = max(self._position, len(self._text) - _TAIL)
        ends = [between.start() + 1 for between in _BETWEEN.finditer(self._text, first)]
        if not ends:
            self._tried = len(self._text)
            return []
        end = ends[-1]
        try:
            values = _parsed(f"[{self._text[self._position : end]}]")
        except _FAULTS:
            values = []
        if values:
            self._position = end
        else:
            self._tried = end
        return values

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
                if self._at_end or ahead >= allowed(_LONGEST):
                    raise
                ahead *= 4
            else:
                return value

    def _read(self, count: int) -> None:
        chunk = self._file.read(count)
        self._text = self._text[self._position :] + chunk
        self._tried = max(0, self._tried - self._position)
        self._position, self._at_end = 0, not chunk


def _parsed(text: str) -> list[Any]:
    """The list that a text is.

    Meanwhile nobody looks for objects that refer to each other, of which JSON has none: that takes
    twice as long as reading it.

    Raises:
        ValueError: If it is none, or holds what only Python's own reader takes, such as NaN.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        values: list[Any] = orjson.loads(text)
    finally:
        if was_on:
            gc.enable()
    return values
