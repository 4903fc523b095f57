"""Numbered tars: which numbers are missing between the first and the last."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LAST_NUMBER: Final = re.compile(r"(.*?)(\d{1,15})(\D*)", re.DOTALL)
_MOST_SHOWN: Final = 3


def missing_tars(names: Iterable[str]) -> list[str]:
    """A sentence for each series of names of which a few numbers are missing.

    Where most numbers are missing, they count nothing, such as dates.

    >>> missing_tars(["a/00000", "a/00001", "a/00003"])
    ['1 tar is missing between a/00000 and a/00003: a/00002']
    >>> missing_tars(["2024", "2031"])
    []
    """
    series: dict[tuple[str, str], dict[int, str]] = {}
    for name in names:
        if parts := _LAST_NUMBER.fullmatch(name):
            series.setdefault((parts[1], parts[3]), {})[int(parts[2])] = parts[2]
    sentences = [_sentence(*ends, numbers) for ends, numbers in sorted(series.items())]
    return [sentence for sentence in sentences if sentence]


def _sentence(before: str, after: str, numbers: dict[int, str]) -> str | None:
    first, last = min(numbers), max(numbers)
    count = last - first + 1 - len(numbers)
    if not 0 < count <= len(numbers):
        return None
    width = len(numbers[first]) if numbers[first].startswith("0") else 0
    missing = [
        f"{before}{str(number).zfill(width)}{after}"
        for number in range(first, last + 1)
        if number not in numbers
    ]
    shown = ", ".join(missing[:_MOST_SHOWN]) + (", ..." if count > _MOST_SHOWN else "")
    ends = f"{before}{numbers[first]}{after} and {before}{numbers[last]}{after}"
    return f"{count:,} tar{' is' if count == 1 else 's are'} missing between {ends}: {shown}"
