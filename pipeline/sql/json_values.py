"""Conversion of values to JSON types."""

from __future__ import annotations

from datetime import date, time
from decimal import Decimal
from math import isfinite
from typing import Any

import pyarrow as pa


def json_value(value: Any) -> Any:
    """The value as dicts, lists, strings, numbers, booleans and None only.

    NaN and infinity become None. Types that JSON lacks become strings: dates and times in
    ISO 8601, bytes in hexadecimal digits, intervals as SQL writes them.
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
    return _as_string(value)


def _interval(value: pa.MonthDayNano) -> str:
    """An interval as DuckDB writes it.

    >>> _interval(pa.MonthDayNano([14, 3, 4_500_000_000]))
    '1 year 2 months 3 days 00:00:04.5'
    """
    years = int(value.months / 12)  # towards zero: -14 months are -1 year -2 months
    counts = {"year": years, "month": value.months - 12 * years, "day": value.days}
    words = [f"{n} {unit}{'s' * (abs(n) != 1)}" for unit, n in counts.items() if n]
    if value.nanoseconds or not words:
        words.append("-" * (value.nanoseconds < 0) + _time_of_day(abs(value.nanoseconds) // 1000))
    return " ".join(words)


def _as_string(value: Any) -> str:
    if isinstance(value, pa.MonthDayNano):
        return _interval(value)
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _time_of_day(microseconds: int) -> str:
    seconds, rest = divmod(microseconds, 1_000_000)
    fraction = f".{rest:06}".rstrip("0") if rest else ""
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"
