"""`rc sql`: one question, four ways to write the answer."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
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
    assert rc("sql", nothing, "--format", "csv").out == "image_id,feature\r\n"
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
