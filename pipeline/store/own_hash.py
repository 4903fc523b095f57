"""JSON that ends with a hash of all of itself but that hash: what was damaged since is seen.

A file that was put in the place of another is seen too: each names its place in the store.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final

from pipeline.store.atomic import whole_or_absent

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FIELD: Final = "own_sha256"
_PLACE: Final = "place"  # table, folder of the artifact or run, and file; or the last of these


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object of JSON, whole or not at all, with its place and, as the last, its hash."""
    text = json.dumps({_PLACE: _place(path), **content, FIELD: ""}) + "\n"
    with whole_or_absent(path) as draft:
        draft.write_text(sealed(text), "utf-8")


def read(path: Path) -> dict[str, Any]:
    """What `write` wrote, without place and hash.

    Raises:
        ValueError: If it is not as it was written.
        OSError: If it is not there, or cannot be read.
    """
    text = path.read_bytes().decode()
    content = json.loads(text)
    if not isinstance(content, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - of JSON: damage, no wrong call
    check(text, str(content.pop(FIELD, "")))
    if (place := content.pop(_PLACE, None)) != _place(path):
        raise ValueError(f"it is that of {place}")
    return content


def sealed(text: str) -> str:
    """A text of JSON whose last value is empty, with the hash of all else in its place."""
    head, _, tail = text.rpartition('""')
    return f'{head}"{_digest(head, tail)}"{tail}'


def check(text: str, own: str) -> None:
    """Pass if a text has this hash of itself.

    Raises:
        ValueError: If not.
    """
    if not own:
        raise ValueError("it has no hash of itself")
    head, _, tail = text.rpartition(f'"{own}"')
    if _digest(head, tail) != own:
        raise ValueError("it is not as it was written, by its own hash")


def _place(path: Path) -> str:
    return "/".join(path.absolute().parts[-3:])


def _digest(head: str, tail: str) -> str:
    return hashlib.sha256(f"{head}{tail}".encode()).hexdigest()
