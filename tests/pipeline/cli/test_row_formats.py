"""Formats of rows: table, CSV, JSON, Parquet and Markdown hold the same values."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import subprocess
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from tests.pipeline.cli.terminals import read_all
from tests.pipeline.helpers import ROOT, command, make, make_all
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


QUERY = "SELECT image_id, width, captions FROM images ORDER BY image_id LIMIT 2"


def test_csv_json_and_parquet_hold_the_same_rows(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(), root)
    rows = [json.loads(line) for line in rc("sql", QUERY, "--format", "json").out.splitlines()]
    assert [row["image_id"] for row in rows] == ["toy/000000", "toy/000001"]
    read = list(csv.DictReader(io.StringIO(rc("sql", QUERY, "--format", "csv").out)))
    assert [row["image_id"] for row in read] == [row["image_id"] for row in rows]
    words = command("sql", QUERY, "--format", "parquet", "--store", root)
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout
    assert pq.read_table(io.BytesIO(answer)).to_pylist() == rows


def test_a_result_without_rows_has_its_columns(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root, count=2)
    nothing = "SELECT image_id, feature FROM features WHERE false"
    assert rc("sql", nothing, "--format", "csv").out == "image_id,feature\n"
    assert rc("sql", nothing, "--format", "json").out == ""
    assert re.findall(r"\w+", rc("sql", nothing).out) == ["image_id", "feature"]
    assert rc("sql", "FROM images WHERE false").out.startswith("image_id ┃ source")


def test_text_with_markup_is_shown_unchanged(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(), root)
    assert "[bold]x[/bold] :smile:" in rc("sql", "SELECT '[bold]x[/bold] :smile:' AS a").out


TWICE = "SELECT a.x, b.x, a.x AS x_1 FROM (SELECT 1 AS x) AS a, (SELECT 2 AS x) AS b"


def test_columns_of_the_same_name_are_numbered_in_every_format(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=2), root)
    names = ["x", "x_2", "x_1"]
    row = dict(zip(names, [1, 2, 1], strict=True))
    assert rc("sql", TWICE, "--format", "csv").out.split() == [",".join(names), "1,2,1"]
    assert json.loads(rc("sql", TWICE, "--format", "json").out) == row
    table = rc("sql", TWICE).out.splitlines()
    assert [re.findall(r"\w+", table[line]) for line in (0, 2)] == [names, ["1", "2", "1"]]
    words = command("sql", TWICE, "--format", "parquet", "--store", root)
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, check=True).stdout
    assert pq.read_table(io.BytesIO(answer)).to_pylist() == [row]


def test_json_is_valid_for_any_value(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=2), root)
    hostile = "chr(27) || chr(155) || chr(8238) || chr(8203) || chr(128512) || chr(34)"
    numbers = "'nan'::FLOAT AS a, [1.5, 'inf'::DOUBLE] AS b, {'c': '-inf'::FLOAT} AS d"
    statement = f"SELECT {numbers}, {hostile} AS t"
    out = rc("sql", statement, "--format", "json").out
    values = json.loads(out, parse_constant=lambda name: pytest.fail(name))
    assert values == {
        "a": None,
        "b": [1.5, None],
        "d": {"c": None},
        "t": '\x1b\x9b\u202e\u200b\U0001f600"',
    }
    assert not set(out) & set("\x1b\x9b\u202e\u200b")
    assert "\U0001f600" in out


VALUES = {
    "days": ("['2020-01-02'::DATE]", ["2020-01-02"], '["2020-01-02"]'),
    "day": ("'2020-01-02'::DATE", "2020-01-02", "2020-01-02"),
    "moment": ("'2020-01-02 03:04:05'::TIMESTAMP", "2020-01-02T03:04:05", "2020-01-02T03:04:05"),
    "hour": ("TIME '03:04:05'", "03:04:05", "03:04:05"),
    "bytes": ("'\\x00\\x01a'::BLOB", "000161", "000161"),
    "span": ("INTERVAL 3 DAY", "3 days", "3 days"),
    "spans": ("{'a': INTERVAL 1 MONTH}", {"a": "1 month"}, '{"a": "1 month"}'),
    "kept": ("true", True, "true"),
    "nested": ("{'b': [false, null], 'c': 'ä'}", {"b": [False, None], "c": "ä"}, None),
    "nothing": ("null", None, ""),
    "number": ("1.5::DOUBLE", 1.5, "1.5"),
    "none": ("'nan'::DOUBLE", None, "nan"),
    "text": ("'True'", "True", "True"),
}


def test_csv_and_json_write_no_python_literals(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    statement = "SELECT " + ", ".join(f"{sql} AS {name}" for name, (sql, *_) in VALUES.items())
    (row,) = csv.DictReader(io.StringIO(rc("sql", statement, "--format", "csv").out))
    values = json.loads(rc("sql", statement, "--format", "json").out)
    for name, (_, as_json, as_csv) in VALUES.items():
        assert values[name] == as_json
        assert row[name] == (
            as_csv if as_csv is not None else json.dumps(as_json, ensure_ascii=False)
        )


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown"])
def test_an_interval_is_written_as_sql_writes_it(rc, root: Path, form: str) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    spans = ("14 months", "-14 months", "-24 months", "1 day", "-2 days", "0 days", "1.5 seconds")
    spans += ("-0.5 milliseconds", "100 hours 3 minutes", "1 year 2 months 3 days 4.000007 seconds")
    listed = ", ".join(f"(INTERVAL '{span}')" for span in spans)
    statement = f"SELECT unnest([{listed}]) AS span"
    words = f"SELECT span::VARCHAR AS span FROM ({statement})"
    assert rc("sql", statement, "--format", form).out == rc("sql", words, "--format", form).out


@pytest.mark.parametrize("value", ["INTERVAL 3 DAY", "[INTERVAL 3 DAY]", "union_value(a := 1)"])
def test_a_type_that_parquet_lacks_is_refused(root: Path, value: str) -> None:
    make(Ingest(count=1), root)
    words = command("sql", f"SELECT 1 AS a, {value} AS b", "--format", "parquet", "--store", root)
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, check=False)
    assert (answer.returncode, answer.stdout) == (1, b"")
    message = r"error: Parquet has no type for column b, which is .+; write column::VARCHAR instead"
    assert re.fullmatch(message, answer.stderr.decode().strip())


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown"])
def test_a_value_that_python_lacks_is_refused(rc, root: Path, form: str) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=2), root)
    for value in ("'5000000-01-01'::DATE", "'infinity'::TIMESTAMP"):
        answer = rc("sql", f"SELECT {value} AS day", "--format", form)
        assert answer.code == 1
        assert "write column::VARCHAR instead" in answer.err


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown"])
def test_no_control_character_of_the_store_reaches_a_terminal(root: Path, form: str) -> None:
    make(Ingest(count=2), root)
    statement = """SELECT chr(27) || ']0;owned' || chr(7) AS "a\x1b[31m", [chr(155) || '2J'] AS b,
        {'c': chr(27) || 'c'} AS d, MAP {chr(27): chr(127)} AS m"""
    ours, theirs = pty.openpty()
    words = command("sql", statement, "--store", root, "--format", form)
    with subprocess.Popen(words, cwd=ROOT, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = read_all(ours)
    assert process.returncode == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown) if form == "table" else shown  # our own bold
    assert "owned" in plain
    assert all(sign.isprintable() or sign in "\r\n" for sign in plain)
    assert "\x1b[31m" not in shown


def test_sums_and_decimals_are_numbers_in_json(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=2), root)
    statement = "SELECT sum(x) AS s, 1.50 AS d, 2::DECIMAL(9, 2) AS e FROM range(3) AS r(x)"
    assert json.loads(rc("sql", statement, "--format", "json").out) == {"s": 3, "d": 1.5, "e": 2}
