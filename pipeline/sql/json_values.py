"""Values as JSON has them."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from math import isfinite
from typing import Any

import pyarrow as pa


def json_value(value: Any) -> Any:
    """A value of nothing but dicts, lists, texts, numbers, booleans and null.

    Numbers that are none become null; what JSON has no word for becomes text: days and times as
    ISO 8601 writes them, bytes as hexadecimal digits, intervals as SQL writes them.
    """
    if isinstance(value, dict):
        return {str(name): json_value(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple) and not isinstance(value, pa.MonthDayNano):
        return [json_value(inner) for inner in value]
    if isinstance(value, float) and not isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    return _text(value)


def _interval(value: pa.MonthDayNano) -> str:
    """An interval as DuckDB writes it.

    >>> _interval(pa.MonthDayNano([14, 3, 4_500_000_000]))
    '1 year 2 months 3 days 00:00:04.5'
    """
    years = int(value.months / 12)  # towards zero: -14 months are -1 year -2 months
    counts = {"year": years, "month": value.months - 12 * years, "day": value.days}
    words = [f"{n} {unit}{'s' * (abs(n) != 1)}" for unit, n in counts.items() if n]
    if value.nanoseconds or not words:
        words.append("-" * (value.nanoseconds < 0) + _clock(abs(value.nanoseconds) // 1000))
    return " ".join(words)


def _text(value: Any) -> str:
    if isinstance(value, pa.MonthDayNano):
        return _interval(value)
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _clock(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    fraction = f".{rest:06}".rstrip("0") if rest else ""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"
