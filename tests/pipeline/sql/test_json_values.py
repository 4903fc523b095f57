"""Values of any SQL type as JSON types."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from pipeline.sql.json_values import json_value


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (float("nan"), None),
        ([1, float("-inf")], [1, None]),
        ((1, 2), [1, 2]),
        ({3: {"a": b"\x00\xff"}}, {"3": {"a": "00ff"}}),
        (Decimal("2.00"), 2),
        (Decimal("1.50"), 1.5),
        (Decimal("NaN"), "NaN"),
        (date(2020, 1, 2), "2020-01-02"),
        (time(3, 4, 5), "03:04:05"),
        (datetime(2020, 1, 2, 3, 4, 5), "2020-01-02T03:04:05"),
    ],
)
def test_a_value_becomes_one_of_the_types_of_json(value: Any, expected: Any) -> None:
    plain = json_value(value)
    assert plain == expected
    assert type(plain) is type(expected)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


@pytest.mark.slow
def test_random_intervals_are_written_as_duckdb_writes_them() -> None:
    rng = np.random.default_rng(5)
    months = rng.integers(-40, 40, 200) * rng.integers(0, 2, 200)
    days = rng.integers(-40, 40, 200) * rng.integers(0, 2, 200)
    micros = rng.integers(-(10**12), 10**12, 200) * rng.integers(0, 2, 200)
    spans = zip(months.tolist(), days.tolist(), micros.tolist(), strict=True)
    for month, day, micro in [*spans, (0, 0, 500_000), (0, 0, -1), (12, 1, 0)]:
        interval = f"to_months({month}) + to_days({day}) + to_microseconds({micro})"
        ((expected,),) = duckdb.sql(f"SELECT ({interval})::VARCHAR").fetchall()
        assert json_value(pa.MonthDayNano([month, day, micro * 1000])) == expected
