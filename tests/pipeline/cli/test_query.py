"""`rc sql`: one question, four ways to write the answer."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from datetime import date
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from pipeline.cli.row_formats import cell_text
from tests.pipeline.helpers import ROOT, command, make, make_all
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

QUESTION = "SELECT image_id, width, captions FROM images ORDER BY image_id LIMIT 2"


def test_a_table_has_a_header_and_its_rows(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(), root)
    lines = rc("sql", QUESTION).out.splitlines()
    assert re.findall(r"\w+", lines[0]) == ["image_id", "width", "captions"]
    assert re.match(r"toy/000000\W+64\W+\[a ", lines[2])
    assert len(lines) == 4


def test_csv_json_and_parquet_hold_the_same_rows(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(), root)
    rows = [json.loads(line) for line in rc("sql", QUESTION, "--format", "json").out.splitlines()]
    assert [row["image_id"] for row in rows] == ["toy/000000", "toy/000001"]
    read = list(csv.DictReader(io.StringIO(rc("sql", QUESTION, "--format", "csv").out)))
    assert [row["image_id"] for row in read] == [row["image_id"] for row in rows]
    asked = command("sql", QUESTION, "--format", "parquet", "--store", root)
    answer = subprocess.run(asked, cwd=ROOT, capture_output=True, check=True).stdout
    assert pq.read_table(io.BytesIO(answer)).to_pylist() == rows


def test_a_pinned_artifact_answers(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    first = make(Ingest(), root)
    make(Ingest(count=3), root)
    count = "SELECT count(*) AS n FROM images"
    assert rc("sql", count, "--format", "csv").out.split() == ["n", "3"]
    assert rc("sql", count, "--format", "csv", "--use", first.address).out.split() == ["n", "20"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["DROP VIEW images"], "rc sql answers one SELECT at a time and changes nothing"),
        (["SELECT 1; SELECT 2"], "rc sql answers one SELECT at a time"),
        (["FROM nowhere"], "Catalog Error: Table with name nowhere does not exist!"),
        (
            ["FROM images", "--format", "xml"],
            "--format must be one of table, csv, json",
        ),
        (["FROM images", "--use", "images@00"], "no artifact matches 'images@00'"),
        (["SELECT image_id::INTEGER FROM images"], "Conversion Error"),
    ],
)
def test_a_wrong_question_is_a_sentence_and_code_1(rc, root: Path, words, said) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(), root)
    answer = rc("sql", *words)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err.startswith("error: ")
    assert said in answer.err


def test_a_long_table_is_cut_and_says_so_last(root: Path) -> None:
    make(Ingest(count=1, per_part=1), root)
    lines = shown_at(200, root, "FROM range(5000)")
    assert len(lines) == 1003
    assert lines[-1] == "only the first 1000 rows are shown; use --format csv for all"
    assert shown_at(200, root, "FROM range(1000)")[-1].strip() == "999"


def shown_at(width: int, root: Path, *words: str) -> list[str]:
    """Lines on a terminal of so many columns, without our own bold."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    asked = command("sql", *words, "--store", root)
    sized = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    with subprocess.Popen(
        asked, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, env={**sized, "TERM": "xterm"}
    ):
        os.close(theirs)
        return re.sub(r"\x1b\[[0-9;]*m", "", read_all(ours)).splitlines()


TEXT = "repeat('abcdefghi ', 30)"


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("rows", [1, 3, 4])
def test_a_row_is_a_line_and_no_line_is_wider_than_the_terminal(
    root: Path, width: int, rows: int
) -> None:
    make(Ingest(count=8), root)
    for asked in ("FROM images", "SELECT image_id, captions, objects, width FROM images"):
        lines = shown_at(width, root, f"{asked} ORDER BY image_id LIMIT {rows}")
        assert all(len(line) <= width for line in lines)
        assert sum("toy/00000" in line for line in lines) == rows


def test_a_text_has_the_room_that_is_left_and_ends_in_a_sign(root: Path) -> None:
    make(Ingest(count=1), root)
    asked = f"SELECT i, {TEXT} AS a, {TEXT} AS b, 'dog' AS c FROM range(4) AS t(i)"
    for width, longest in ((80, 33), (140, 63)):
        *_, line = shown_at(width, root, asked)
        _, a, b, c = line.split(" │ ")
        assert len(a) == len(b) == longest
        assert a.rstrip()[-1] == b.rstrip()[-1] == "…"
        assert c.strip() == "dog"


def test_numbers_are_whole_and_columns_in_the_middle_give_way(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    numbers = ", ".join(f"i + 123456789000 AS n{number}" for number in range(20))
    answer = rc("sql", f"SELECT {numbers} FROM range(4) AS t(i)")
    names, _, first, *_ = (re.split("[┃╇│]", line) for line in answer.out.splitlines())
    shown = [f"n{number}" for number in (*range(7), *range(14, 20))]
    assert [name.strip() for name in names] == [*shown[:7], "…", *shown[7:]]
    assert [cell.strip() for cell in first] == [*["123456789000"] * 7, "…", *["123456789000"] * 6]
    assert answer.err == (
        "7 of 20 columns are not shown; select fewer columns, or use --format csv for all\n"
    )
    assert all(len(line) <= 200 for line in answer.out.splitlines())


def test_a_text_is_short_where_columns_gave_way(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    numbers = ", ".join(f"range + 1234567890123456789 AS n{number}" for number in range(20))
    out = rc("sql", f"SELECT {TEXT} AS a, {numbers} FROM range(4)").out
    assert 16 <= len(out.splitlines()[2].split(" │ ")[0]) <= 40


@pytest.mark.parametrize("rows", [1, 3])
def test_values_of_few_wide_rows_are_below_each_other(rc, root: Path, rows: int) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    numbers = ", ".join(f"i + 123456789000 AS n{number}" for number in range(20))
    answer = rc("sql", f"SELECT {TEXT} AS a, {numbers} FROM range({rows}) AS t(i)")
    sheets = re.split("─+┼─+\n", answer.out)
    assert [len(sheet.splitlines()) for sheet in sheets] == [21] * rows
    assert re.match("a   │ abcdefghi .*…", sheets[0])
    assert re.search("n19 │ 123456789000 *\n$", sheets[0])
    assert answer.err == ""


def test_a_cut_list_holds_no_piece_of_a_number(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    lists = ", ".join(f"[1.0625, 2.5e-17, 3.25, -4.125] AS x{number}" for number in range(8))
    *_, row = rc("sql", f"SELECT {lists} FROM range(4)").out.splitlines()
    found = [[n.strip(" []…") for n in cell.split(",")] for cell in row.split("│")]
    assert {number for numbers in found for number in numbers} == {"1.062", "2.5e-17", ""}


def test_wide_signs_are_counted_as_wide(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    out = rc("sql", "SELECT repeat('犬', 150) AS a, 'dog' AS b").out
    assert "犬…" in out
    assert out.splitlines()[2].endswith("│ dog")


def test_an_answer_without_rows_has_its_columns(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root, count=2)
    nothing = "SELECT image_id, feature FROM features WHERE false"
    assert rc("sql", nothing, "--format", "csv").out == "image_id,feature\n"
    assert rc("sql", nothing, "--format", "json").out == ""
    assert re.findall(r"\w+", rc("sql", nothing).out) == ["image_id", "feature"]
    assert rc("sql", "FROM images WHERE false").out.startswith("image_id ┃ source")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (0.123456, "0.1235"),
        (b"abc", "<3 bytes>"),
        ([1, 2.0], "[1, 2]"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, … 20 in all]"),
        ({"a": "dog", "b": [1.0, None], "c": b"ab"}, "{a: dog, b: [1, null], c: <2 bytes>}"),
        ([("dog", date(2020, 1, 2))], "[dog: 2020-01-02]"),
        (True, "true"),
        ("\x1b[31mred\n", "�[31mred�"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
    ],
)
def test_a_cell_shows_a_value_and_interprets_nothing(value: object, shown: str) -> None:
    assert cell_text(value) == shown


def test_text_from_outside_is_shown_as_it_is(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(), root)
    assert "[bold]x[/bold] :smile:" in rc("sql", "SELECT '[bold]x[/bold] :smile:' AS a").out


TWICE = "SELECT a.x, b.x, a.x AS x_1 FROM (SELECT 1 AS x) AS a, (SELECT 2 AS x) AS b"


def test_columns_of_one_name_are_told_apart_in_every_format(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=2), root)
    names = ["x", "x_2", "x_1"]
    row = dict(zip(names, [1, 2, 1], strict=True))
    assert rc("sql", TWICE, "--format", "csv").out.split() == [",".join(names), "1,2,1"]
    assert json.loads(rc("sql", TWICE, "--format", "json").out) == row
    table = rc("sql", TWICE).out.splitlines()
    assert [re.findall(r"\w+", table[line]) for line in (0, 2)] == [names, ["1", "2", "1"]]
    asked = command("sql", TWICE, "--format", "parquet", "--store", root)
    answer = subprocess.run(asked, cwd=ROOT, capture_output=True, check=True).stdout
    assert pq.read_table(io.BytesIO(answer)).to_pylist() == [row]


def test_json_is_json_whatever_the_values(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=2), root)
    hostile = "chr(27) || chr(155) || chr(8238) || chr(8203) || chr(128512) || chr(34)"
    numbers = "'nan'::FLOAT AS a, [1.5, 'inf'::DOUBLE] AS b, {'c': '-inf'::FLOAT} AS d"
    asked = f"SELECT {numbers}, {hostile} AS t"
    out = rc("sql", asked, "--format", "json").out
    found = json.loads(out, parse_constant=lambda name: pytest.fail(name))
    assert found == {
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


def test_csv_and_json_hold_no_words_of_python(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    asked = "SELECT " + ", ".join(f"{sql} AS {name}" for name, (sql, *_) in VALUES.items())
    (row,) = csv.DictReader(io.StringIO(rc("sql", asked, "--format", "csv").out))
    told = json.loads(rc("sql", asked, "--format", "json").out)
    for name, (_, as_json, as_csv) in VALUES.items():
        assert told[name] == as_json
        assert row[name] == (
            as_csv if as_csv is not None else json.dumps(as_json, ensure_ascii=False)
        )


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown"])
def test_an_interval_is_written_as_sql_writes_it(rc, root: Path, form: str) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    spans = ("14 months", "-14 months", "-24 months", "1 day", "-2 days", "0 days", "1.5 seconds")
    spans += ("-0.5 milliseconds", "100 hours 3 minutes", "1 year 2 months 3 days 4.000007 seconds")
    listed = ", ".join(f"(INTERVAL '{span}')" for span in spans)
    asked = f"SELECT unnest([{listed}]) AS span"
    words = f"SELECT span::VARCHAR AS span FROM ({asked})"
    assert rc("sql", asked, "--format", form).out == rc("sql", words, "--format", form).out


@pytest.mark.parametrize("value", ["INTERVAL 3 DAY", "[INTERVAL 3 DAY]", "union_value(a := 1)"])
def test_a_type_that_parquet_does_not_have_is_a_sentence(root: Path, value: str) -> None:
    make(Ingest(count=1), root)
    asked = command("sql", f"SELECT 1 AS a, {value} AS b", "--format", "parquet", "--store", root)
    answer = subprocess.run(asked, cwd=ROOT, capture_output=True, check=False)
    assert (answer.returncode, answer.stdout) == (1, b"")
    said = r"error: Parquet has no type for column b, which is .+; write column::VARCHAR instead"
    assert re.fullmatch(said, answer.stderr.decode().strip())


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_several_answers_are_not_written_into_one_file(
    rc, root: Path, tmp_path: Path, form: str
) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    file = tmp_path / "two.sql"
    file.write_text("SELECT error('asked');\nSELECT 2;\n")
    answer = rc("sql", "--file", file, "--format", form)
    assert (answer.code, answer.out) == (1, "")
    assert answer.err == (
        f"error: rc sql: --format {form} writes the result of one statement, got 2; "
        "run them one at a time, or with --format json\n"
    )


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown"])
def test_a_value_that_cannot_be_written_is_a_sentence(rc, root: Path, form: str) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=2), root)
    for value in ("'5000000-01-01'::DATE", "'infinity'::TIMESTAMP"):
        answer = rc("sql", f"SELECT {value} AS day", "--format", form)
        assert answer.code == 1
        assert "write column::VARCHAR instead" in answer.err


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown"])
def test_nothing_of_the_store_is_obeyed_by_a_terminal(root: Path, form: str) -> None:
    make(Ingest(count=2), root)
    asked = """SELECT chr(27) || ']0;owned' || chr(7) AS "a\x1b[31m", [chr(155) || '2J'] AS b,
        {'c': chr(27) || 'c'} AS d, MAP {chr(27): chr(127)} AS m"""
    ours, theirs = pty.openpty()
    words = command("sql", asked, "--store", root, "--format", form)
    with subprocess.Popen(words, cwd=ROOT, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = read_all(ours)
    assert process.returncode == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", shown) if form == "table" else shown  # our own bold
    assert "owned" in plain
    assert all(sign.isprintable() or sign in "\r\n" for sign in plain)
    assert "\x1b[31m" not in shown


def read_all(terminal: int) -> str:
    found = b""
    while True:
        try:
            found += os.read(terminal, 4096)
        except OSError:  # the other side has gone
            os.close(terminal)
            return found.decode()


ENDLESS = "SELECT count(*) FROM range(1000000000000)"
ONE_ENDLESS_ROW = "SELECT levenshtein(repeat('a', 400000), repeat('b', 400000))"


@pytest.mark.parametrize("statement", [ENDLESS, ONE_ENDLESS_ROW])
def test_a_statement_ends_when_its_time_is_up(root: Path, statement: str) -> None:
    make(Ingest(count=2), root)
    words = command("sql", statement, "--store", root, "--timeout", "0.5")
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: no answer within 0.5 s")


@pytest.mark.parametrize("statement", [ENDLESS, ONE_ENDLESS_ROW])
def test_ctrl_c_ends_a_statement(root: Path, statement: str) -> None:
    make(Ingest(count=2), root)
    words = command("sql", statement, "--store", root)
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        time.sleep(3)
        process.send_signal(signal.SIGINT)
        try:
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130
    assert said.startswith("interrupted")


GREEDY = [
    "SELECT len(range(1000000000))",
    "SELECT length(lpad('x', 2000000000, 'y'))",
    "SELECT repeat('x', 1000000000) FROM range(20)",
    "SELECT list(range) FROM range(10000000000)",
    "WITH RECURSIVE t(i, s) AS (SELECT 1, 'x' UNION ALL SELECT i + 1, s || s FROM t) FROM t",
]


# A process counts what the one that started it held, so one that holds little starts it.
WATCH = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stderr=subprocess.PIPE, text=True)
print(done.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, sep="\\n")
print(done.stderr, end="")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the system does not tell what is held")
@pytest.mark.parametrize("statement", GREEDY)
def test_a_statement_holds_no_more_memory_than_it_may(root: Path, statement: str) -> None:
    make(Ingest(count=2), root)
    words = command("sql", statement, "--store", root, "--memory-mb", "200", "--timeout", "20")
    watched = [sys.executable, "-c", WATCH, *words]
    told = subprocess.run(watched, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    code, kilobytes, said = told.split("\n", 2)
    assert code == "1"
    assert re.match(r"error: (Out of Memory|the answer needs more|no answer within).*\n$", said)
    assert int(kilobytes) < 1_100_000  # 200 MB, 512 MB beside, and the program


def test_no_statement_at_all_is_a_sentence(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=2), root)
    assert "answers one SELECT at a time" in rc("sql", "").err
    assert "no query is called ''" in rc("sql", "--query", "").err
    assert "not both" in rc("sql", "", "--query", "refused").err


def test_sums_and_decimals_are_numbers_in_json(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=2), root)
    asked = "SELECT sum(x) AS s, 1.50 AS d, 2::DECIMAL(9, 2) AS e FROM range(3) AS r(x)"
    assert json.loads(rc("sql", asked, "--format", "json").out) == {"s": 3, "d": 1.5, "e": 2}
