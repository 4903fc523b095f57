"""Lists of names that a user writes, such as concepts or categories: one a line, order kept."""

from __future__ import annotations

import ast
import csv
import json
import re
import unicodedata
from typing import TYPE_CHECKING, Any

from schemas.errors import SourceError
from stages.sources.files import foreign
from stages.sources.name_checks import names_fault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_NAME_COLUMNS = (
    "concept", "name", "category", "class", "label", "noun", "class_name", "category_name",
    "display_name", "displayname",
)  # fmt: skip
_LONE_HEADERS = ("concept", "name", "category", "noun", "class_name", "category_name", "names:")
_OTHER_COLUMNS = re.compile(
    r"(\w+_)?(id|index|number|count|mentions|captions|images|examples|frequency|split|synset"
    r"|supercategory)|labelname"
)
_ID = re.compile(r"\s*(?:n\d{8}|/[mg]/\w+)\s*[\s,;:]\s*(?=\S)")  # of WordNet, of Open Images
_MARKED_NUMBER = re.compile(
    r"\s*[-*\u2022]\s+|\s*\d{1,6}(?:[.):]\s+|[.)](?=\D)|\s*\t\s*)(?=\S*[^\W\d])"
)
_NUMBER = re.compile(r"\s*\d{1,6}\s+(?=[^\W\d])")
_NUMBER_CELL = re.compile(r"\s*\d{1,6}\s*[,;]\s*(?=\S*[^\W\d])")
_COUNT = re.compile(r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
_COMMENT = re.compile(r"^\s*#.*$|\s#(?:\s.*)?$")
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def read_names(path: Path) -> list[str]:
    """The names in a list, in order and in Unicode's form NFC.

    A line is a name, or `name,count` as in RegionCLIP's lists (also with a tab, a semicolon, or
    below a header such as `concept,mentions`); what follows other commas are synonyms, which stay
    with the name. Left out are the numbers of numbered lines ("3. dog", or "3 dog" and "3,dog" if
    every line has one), ids of WordNet and Open Images before a name, comments after `#`, and the
    quotation marks of a CSV. JSON, one object a line too, holds names, objects with a name such as
    COCO's categories, or names by number.

    Raises:
        SourceError: If the file cannot be read, is empty, has a name twice (ignoring case), or
            can be read in two ways, or two names look alike.
    """
    text = _text(path)
    with foreign(f"the list {path}", "give every name a line of its own, once"):
        names: Sequence[object] | None = _names_in_json(path, text)
        names = _names_in_lines(path, text) if names is None else names
        fault = names_fault(names) if names else "is empty"
    if fault:
        raise SourceError(f"the list {path} {fault}; give every name a line of its own, once")
    return [str(name) for name in names]


def without_count(line: str) -> str:
    r"""The name in a line, without the counts that may follow it and the quotes of a CSV.

    >>> without_count("traffic light,1190"), without_count("Paris, France")
    ('traffic light', 'Paris, France')
    >>> without_count('"Paris, France",12'), without_count("dog\t7\t0.5"), without_count("dog,")
    ('Paris, France', 'dog', 'dog')
    """
    line = line.strip()
    if line.startswith('"'):
        (cells,) = csv.reader([line])
        rest = [cell.strip() for cell in cells[1:]]
        if cells[0].strip() and all(not cell or _is_count(cell) for cell in rest):
            return cells[0].strip()
    if len(line) > 2 and line[0] == line[-1] == "'":
        return line[1:-1].strip()
    for separator in ("\t", ";", ","):
        name, _, count = line.rpartition(separator)
        if name.strip() and (_is_count(count.strip()) or not count.strip()):
            return without_count(name)
    return line


def _names_in_lines(path: Path, text: str) -> list[str]:
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    for separator in ("\t", ";", ","):
        header = [cell.strip().strip('"').lower() for cell in lines[0].split(separator)]
        column = next((header.index(name) for name in _NAME_COLUMNS if name in header), None)
        others = [cell for cell in header if cell not in _NAME_COLUMNS]
        if column is not None and others and all(map(_OTHER_COLUMNS.fullmatch, others)):
            return _column(path, lines, separator, column)
    plain = [kept for line in lines if (kept := _without_comment(line))]
    if plain and plain[0].strip().lower() in _LONE_HEADERS:
        del plain[0]
    names = [without_count(line) for line in _without_numbers(path, plain)]
    _check_one_name_a_line(path, names)
    return names


def _column(path: Path, lines: Sequence[str], separator: str, column: int) -> list[str]:
    """The cells of one column below a header."""
    rows = list(csv.reader(lines, delimiter=separator))[1:]
    for number, row in enumerate(rows, 2):
        if len(row) <= column or not row[column].strip():
            raise SourceError(f"the list {path}: row {number} has no name ({separator.join(row)})")
    return [row[column].strip() for row in rows]


def _without_comment(line: str) -> str:
    """A line without what follows `#`; a quoted name may hold one."""
    return line if line.lstrip().startswith('"') else _COMMENT.sub("", line).strip(" ")


def _check_one_name_a_line(path: Path, names: Sequence[str]) -> None:
    """Pass if no line can hold several names.

    Raises:
        SourceError: If a line has more columns, or the only line is a list itself.
    """
    if columns := [name for name in names if "\t" in name]:
        shown = columns[0].replace("\t", " | ")
        raise SourceError(
            f"the list {path} has several columns ('{shown}'): give it a header that says which "
            "holds the names, such as name and count, or leave the others out"
        )
    if len(names) == 1 and names[0].count(",") > 1:
        raise SourceError(
            f"the list {path} has one line with commas ('{names[0][:60]}'); give every name a line "
            "of its own"
        )


def _names_in_json(path: Path, text: str) -> list[str | None] | None:
    """The names in JSON or in lines of JSON, None where one is missing; None if it is neither.

    Raises:
        SourceError: If it is JSON that holds no names.
    """
    if text.lstrip()[:1] not in ("[", "{"):
        return None
    content = _parsed(text)
    if content is None:
        return None
    if isinstance(content, dict):
        content = content.get("categories", content.get("names", content))
    if isinstance(content, dict):  # names by number, or numbers by name
        by_name = all(isinstance(value, int | float) for value in content.values())
        content = list(content) if by_name else list(content.values())
    found: list[Any] = content if isinstance(content, list) else [None]
    names = [_name_of(item) for item in found]
    if names and not any(names):
        raise SourceError(
            f"the list {path} is JSON without names; give a list of names, objects with a name, or "
            "names by number"
        )
    return names


def _parsed(text: str) -> Any:
    """JSON, a list of texts as Python writes it, or lines of JSON; None if it is none of them."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        if text.lstrip().startswith("["):
            return ast.literal_eval(text.strip())
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _name_of(item: Any) -> str | None:
    """The name that an item of JSON is or has; of ["n01440764", "tench"], the last."""
    if isinstance(item, dict):
        item = next((item[name] for name in _NAME_COLUMNS if name in item), None)
    if isinstance(item, list) and len(item) == 2:
        item = item[1]
    return unicodedata.normalize("NFC", item.strip()) if isinstance(item, str) else None


def _is_count(text: str) -> bool:
    return _COUNT.fullmatch(text) is not None


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
    """The lines without their numbers, if they are numbered, and without ids before the names."""
    lines = [_unmarked(line) for line in lines]
    if lines and all(map(_NUMBER_CELL.match, lines)):
        return [line[_end(_NUMBER_CELL, line) :] for line in lines]
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
    return [line[_end(_NUMBER, line) :] for line in lines]


def _unmarked(line: str) -> str:
    """A line without a mark or a marked number, and then an id, before its name."""
    line = line[_end(_MARKED_NUMBER, line) :]
    return line[_end(_ID, line) :]


def _end(pattern: re.Pattern[str], line: str) -> int:
    """Where a match at the start of a line ends; 0 if there is none."""
    match = pattern.match(line)
    return match.end() if match else 0
