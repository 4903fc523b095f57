"""Numbers and ids in JSON that other programs wrote: as numbers, floats or text."""

from __future__ import annotations

import math
import re
from typing import Any, Final

_DIGITS: Final = re.compile(r"([+-]?)0*(\d+)(?:\.0*)?", re.ASCII)
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def id_text(value: Any) -> str | None:
    """An id as text, equal for ids that are the same number; None if the value is no id.

    Text that is not plain digits stays as it is, since `12e4` may be hexadecimal.

    >>> [id_text(value) for value in (1000, 1e3, "1000", "1000.0", "0042", "12e4", "a1")]
    ['1000', '1000', '1000', '1000', '42', '12e4', 'a1']
    >>> [id_text(value) for value in (None, True, "", float("nan"), [1])]
    [None, None, None, None, None]
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        text = value.strip()
        digits = _DIGITS.fullmatch(text)
        if digits is None:
            return utf8(text) or None
        return ("-" if digits[1] == "-" and digits[2] != "0" else "") + digits[2]
    return None


def utf8(text: str) -> str:
    r"""Text that UTF-8 can hold: half characters become escapes.

    >>> utf8("a\ud800")
    'a\\ud800'
    """
    return text.encode(errors="backslashreplace").decode()


def finite_number(value: Any) -> float | None:
    """A number, or the number that a text is; None if it is none, or float64 cannot hold it.

    >>> [finite_number(value) for value in (5, 2.5, " 5e1 ", "nan", "x", None, True, 10**400)]
    [5.0, 2.5, 50.0, None, None, None, None, None]
    """
    if type(value) is float:  # most numbers of a file
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str):
        value = value.strip()
        if not _NUMBER.fullmatch(value):
            return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None
