"""`rc sql`: one question, four ways to write the answer."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from pipeline.cli.answers import cell
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


def test_a_long_table_is_cut_and_says_so(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1, per_part=1), root)
    answer = rc("sql", "FROM range(5000)")
    assert len(answer.out.splitlines()) == 1002
    assert "only the first 1000 rows are shown" in answer.err
    assert rc("sql", "FROM range(999)").err == ""


def test_an_answer_without_rows_has_its_columns(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make_all(root, count=2)
    nothing = "SELECT image_id, feature FROM features WHERE false"
    assert rc("sql", nothing, "--format", "csv").out == "image_id,feature\n"
    assert rc("sql", nothing, "--format", "json").out == ""
    assert re.findall(r"\w+", rc("sql", nothing).out) == ["image_id", "feature"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, ""),
        (0.123456, "0.1235"),
        (b"abc", "<3 bytes>"),
        ([1, 2.0], "[1, 2]"),
        (list(range(20)), "[0, 1, 2, 3, 4, 5, 6, 7, … 20 in all]"),
        ("\x1b[31mred\n", "�[31mred�"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
    ],
)
def test_a_cell_shows_a_value_and_interprets_nothing(value: object, shown: str) -> None:
    assert cell(value) == shown


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


@pytest.mark.parametrize("form", ["table", "csv", "json", "markdown"])
def test_a_value_that_cannot_be_written_is_a_sentence(rc, root: Path, form: str) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=2), root)
    for value in ("'5000000-01-01'::DATE", "'infinity'::TIMESTAMP"):
        answer = rc("sql", f"SELECT {value} AS day", "--format", form)
        assert answer.code == 1
        assert "write column::VARCHAR in its place" in answer.err


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
