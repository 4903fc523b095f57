"""Lists of names that a user writes, such as concepts or categories: one a line, order kept."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from schemas.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path


def read_names(path: Path) -> list[str]:
    """The names in a list, in order: one per line, or `name,count` as in RegionCLIP's lists.

    Raises:
        SourceError: If the file cannot be read, is empty, or has a name twice (ignoring case).
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"the list {path} cannot be read ({error}); give a text file") from error
    names = [without_count(line) for line in lines if line.strip()]
    duplicates = [
        name for name, count in Counter(name.lower() for name in names).items() if count > 1
    ]
    if duplicates or not names:
        fault = f"has '{duplicates[0]}' more than once" if duplicates else "is empty"
        raise SourceError(f"the list {path} {fault}; give every name a line of its own")
    return names


def without_count(line: str) -> str:
    """The name in a line, without the count that may follow it.

    >>> without_count("traffic light,1190"), without_count("Paris, France")
    ('traffic light', 'Paris, France')
    """
    name, _, count = line.strip().rpartition(",")
    return name.strip() if name and count.strip().isdecimal() else line.strip()
