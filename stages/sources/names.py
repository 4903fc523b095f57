"""Lists of names that a user writes, such as concepts or categories: one a line, order kept."""

from __future__ import annotations

import csv
import json
import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NAME_COLUMNS = ("concept", "name", "category", "class", "label", "noun")
_OTHER_COLUMNS = re.compile(
    r"(\w+_)?(id|index|number|count|mentions|captions|images|frequency|split|synset)"
)
_MARKED_NUMBER = re.compile(
    r"\s*[-*\u2022]\s+|\s*\d{1,6}(?:[.):]\s+|[.)](?=\D)|\s*\t\s*)(?=\S*[^\W\d])"
)
_NUMBER = re.compile(r"\s*\d{1,6}\s+(?=[^\W\d])")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def read_names(path: Path) -> list[str]:
    """The names in a list, in order and in Unicode's form NFC.

    A line is a name, or `name,count` as in RegionCLIP's lists (also with a tab, or below a header
    such as `concept,mentions`). The numbers of numbered lines ("3. dog", or "3 dog" if every line
    has one) are left out, and so are the quotation marks of a CSV. A JSON list of names, or of
    objects with a name, such as COCO's categories, is a list too.

    Raises:
        SourceError: If the file cannot be read, is empty, has a name twice (ignoring case), or
            has lines with and without a number.
    """
    text = _text(path)
    names = _names_in_json(text) or _names_in_lines(path, text)
    duplicates = [
        name for name, count in Counter(name.lower() for name in names).items() if count > 1
    ]
    if duplicates or not names:
        fault = f"has '{duplicates[0]}' more than once" if duplicates else "is empty"
        raise SourceError(f"the list {path} {fault}; give every name a line of its own")
    return names


def without_count(line: str) -> str:
    r"""The name in a line, without the count that may follow it and the quotes of a CSV.

    >>> without_count("traffic light,1190"), without_count("Paris, France")
    ('traffic light', 'Paris, France')
    >>> without_count('"Paris, France",12'), without_count("dog\t7")
    ('Paris, France', 'dog')
    """
    line = line.strip()
    if line.startswith('"'):
        (cells,) = csv.reader([line])
        rest = [cell.strip() for cell in cells[1:]]
        if cells[0].strip() and all(not cell or _is_count(cell) for cell in rest):
            return cells[0].strip()
    for separator in ("\t", ","):
        name, _, count = line.rpartition(separator)
        if name.strip() and _is_count(count.strip()):
            return name.strip()
    return line


def _names_in_lines(path: Path, text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    for separator in ("\t", ","):
        header = [cell.strip().strip('"').lower() for cell in lines[0].split(separator)]
        column = next((header.index(name) for name in _NAME_COLUMNS if name in header), None)
        others = [cell for cell in header if cell not in _NAME_COLUMNS]
        if column is not None and others and all(map(_OTHER_COLUMNS.fullmatch, others)):
            rows = csv.reader(lines[1:], delimiter=separator)
            return [row[column].strip() for row in rows if len(row) > column]
    return [without_count(line) for line in _without_numbers(path, lines)]


def _names_in_json(text: str) -> list[str]:
    """The names in a JSON list or in the categories of a JSON object; empty if it is neither."""
    if text.lstrip()[:1] not in ("[", "{"):
        return []
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return []
    if isinstance(content, dict):
        content = content.get("categories", list(content.values()))
    if not isinstance(content, list):
        return []
    items = [item.get("name") if isinstance(item, dict) else item for item in content]
    names = [item.strip() for item in items if isinstance(item, str) and item.isprintable()]
    return names if len(names) == len(items) else []


def _is_count(text: str) -> bool:
    return text.isdecimal()


def _text(path: Path) -> str:
    """The text of a list in UTF-8, or in UTF-16 if its first bytes say so."""
    try:
        content = path.read_bytes()
        is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"the list {path} cannot be read ({error}); give a text file") from error
    if unprintable := _UNPRINTABLE.search(text):
        raise SourceError(
            f"the list {path} cannot be read (it has the control character {unprintable[0]!r}); "
            "give a text file"
        )
    return unicodedata.normalize("NFC", text)


def _without_numbers(path: Path, lines: Sequence[str]) -> list[str]:
    """The lines without their numbers, if they are numbered."""
    lines = [_MARKED_NUMBER.sub("", line, count=1) for line in lines]
    numbered = [line for line in lines if _NUMBER.match(line)]
    if not numbered:
        return lines
    if len(numbered) < len(lines):
        other = next(line for line in lines if not _NUMBER.match(line))
        raise SourceError(
            f"the list {path} has a line with a number before the name ('{numbered[0].strip()}') "
            f"and one without ('{other.strip()}'): number every line or none, and put quotation "
            "marks around a name that begins with a number"
        )
    return [_NUMBER.sub("", line, count=1) for line in lines]
