"""Values that break readers, in JSON, and documents with one of them in each place."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator


def nested(depth: int) -> str:
    """JSON of lists within lists."""
    return "[" * depth + "]" * depth


# As JSON text: Python's writer refuses some of them, and so they are put in as they are.
VALUES: Final = {
    "null": "null",
    "true": "true",
    "empty list": "[]",
    "empty object": "{}",
    "list": "[1, 2]",
    "list of text": '["a"]',
    "object": '{"a": [1]}',
    "lone surrogate": r'"\ud800"',
    "zero byte": r'"\u0000a"',
    "escape": r'"\u001b[31ma"',
    "long text": json.dumps("a" * 70_000),
    "beyond float": "1" + "0" * 400,
    "beyond int64": str(2**63),
    "negative": "-9223372036854775809",
    "digits": "9" * 5000,
    "exponent": "1e999",
    "fraction": "0.5",
    "NaN": "NaN",
    "minus": "-1",
    "nested": nested(200),
    "nested deeply": nested(900),
    "nested too deeply": nested(100_000),
    "objects within objects": '{"a":' * 300 + "1" + "}" * 300,
}
_MARK: Final = "\ue000here\ue000"


def mutations(document: Any) -> Iterator[tuple[str, str]]:
    """JSON texts like a document, each with one value replaced by a hostile one, and what it is."""
    for path in _paths(document):
        for name, value in VALUES.items():
            yield f"{'.'.join(map(str, path))} is {name}", replaced(document, path, value)


def replaced(document: Any, path: tuple[Any, ...], value: str) -> str:
    """The JSON of a document with the text of another value in one place."""
    if not path:
        return value
    changed = deepcopy(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = _MARK
    return json.dumps(changed, ensure_ascii=False).replace(f'"{_MARK}"', value)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    members: dict[Any, Any] = value if isinstance(value, dict) else {}
    if isinstance(value, list):
        members = dict(enumerate(value))
    for key, inner in members.items():
        yield from _paths(inner, (*path, key))
