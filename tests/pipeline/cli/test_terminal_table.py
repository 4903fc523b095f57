"""Layout of tables: widths, cut texts, and columns that are left out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from pipeline.cli.terminal_table import (
    TextColumn,
    _cut,
    _max_text_width,
    _outer_columns,
    _vertical,
)
from tests.pipeline.cli.terminals import shown_at
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_a_table_has_a_header_and_its_rows(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(), root)
    lines = rc("sql", QUERY).out.splitlines()
    assert re.findall(r"\w+", lines[0]) == ["image_id", "width", "captions"]
    assert re.match(r"toy/000000\W+64\W+\[a ", lines[2])
    assert len(lines) == 4


def test_a_long_table_is_cut_and_says_so_in_its_last_line(root: Path) -> None:
    make(Ingest(count=1, per_part=1), root)
    lines = shown_at(200, root, "FROM range(5000)")
    assert len(lines) == 1003
    assert lines[-1] == "only the first 1000 rows are shown; use --format csv for all"
    assert shown_at(200, root, "FROM range(1000)")[-1].strip() == "999"


QUERY = "SELECT image_id, width, captions FROM images ORDER BY image_id LIMIT 2"
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


def test_texts_share_the_remaining_width_and_end_in_an_ellipsis(root: Path) -> None:
    make(Ingest(count=1), root)
    asked = f"SELECT i, {TEXT} AS a, {TEXT} AS b, 'dog' AS c FROM range(4) AS t(i)"
    for width, longest in ((80, 33), (140, 63)):
        *_, line = shown_at(width, root, asked)
        _, a, b, c = line.split(" │ ")
        assert len(a) == len(b) == longest
        assert a.rstrip()[-1] == b.rstrip()[-1] == "…"
        assert c.strip() == "dog"


def test_numbers_are_uncut_and_columns_in_the_middle_are_left_out(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    numbers = ", ".join(f"i + 123456789000 AS n{number}" for number in range(20))
    answer = rc("sql", f"SELECT {numbers} FROM range(4) AS t(i)")
    names, _, first, *_ = (re.split("[┃╇│]", line) for line in answer.out.splitlines())
    shown = [f"n{number}" for number in (*range(7), *range(14, 20))]
    assert [name.strip() for name in names] == [*shown[:7], "…", *shown[7:]]
    assert [cell.strip() for cell in first] == [*["123456789000"] * 7, "…", *["123456789000"] * 6]
    assert answer.err == (
        "7 of 20 columns are not shown; select fewer, or use --format csv for all\n"
    )
    assert all(len(line) <= 200 for line in answer.out.splitlines())


def test_a_text_is_short_if_columns_are_left_out(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    numbers = ", ".join(f"range + 1234567890123456789 AS n{number}" for number in range(20))
    out = rc("sql", f"SELECT {TEXT} AS a, {numbers} FROM range(4)").out
    assert 16 <= len(out.splitlines()[2].split(" │ ")[0]) <= 40


@pytest.mark.parametrize("rows", [1, 3])
def test_a_few_wide_rows_are_printed_vertically(rc, root: Path, rows: int) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    numbers = ", ".join(f"i + 123456789000 AS n{number}" for number in range(20))
    answer = rc("sql", f"SELECT {TEXT} AS a, {numbers} FROM range({rows}) AS t(i)")
    sheets = re.split("─+┼─+\n", answer.out)
    assert [len(sheet.splitlines()) for sheet in sheets] == [21] * rows
    assert re.match("a   │ abcdefghi .*…", sheets[0])
    assert re.search("n19 │ 123456789000 *\n$", sheets[0])
    assert answer.err == ""


def test_a_cut_list_has_no_partial_number(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    lists = ", ".join(f"[1.0625, 2.5e-17, 3.25, -4.125] AS x{number}" for number in range(8))
    *_, row = rc("sql", f"SELECT {lists} FROM range(4)").out.splitlines()
    found = [[n.strip(" []…") for n in cell.split(",")] for cell in row.split("│")]
    assert {number for numbers in found for number in numbers} == {"1.062", "2.5e-17", ""}


def test_wide_characters_count_twice(rc, root: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(count=1), root)
    out = rc("sql", "SELECT repeat('犬', 150) AS a, 'dog' AS b").out
    assert "犬…" in out
    assert out.splitlines()[2].endswith("│ dog")


def random_columns(rng: np.random.Generator, count: int, rows: int) -> list[TextColumn]:
    """Columns of texts and of numbers with random widths."""
    columns = []
    for number in range(count):
        widths = rng.integers(1, 60, rows)
        if rng.random() < 0.5:
            cells = ["9" * int(width % 9 + 1) for width in widths]
            columns.append(TextColumn(f"n{number}", cells, cells))
        else:
            columns.append(TextColumn(f"t{number}", ["x" * int(width) for width in widths]))
    return columns


@pytest.mark.parametrize("seed", range(20))
def test_the_width_of_texts_is_the_largest_with_which_all_columns_fit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = random_columns(rng, int(rng.integers(1, 9)), 5)
    width = int(rng.integers(20, 200))
    fitting = [
        n
        for n in range(16, width + 1)
        if sum(max(c.min_width, min(c.full_width, n)) + 3 for c in columns) - 3 <= width
    ]
    assert _max_text_width(columns, width) == (max(fitting) if fitting else None)


@pytest.mark.parametrize("seed", range(10))
def test_the_outer_columns_are_the_first_and_last_that_fit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns = random_columns(rng, 30, 5)
    outer = _outer_columns(columns, 120)
    gap = [column.name for column in outer].index("…")
    first, last = outer[:gap], outer[gap + 1 :]
    assert first == columns[: len(first)]
    assert last == columns[len(columns) - len(last) :]
    assert len(first) - len(last) in (0, 1)
    assert sum(max(c.min_width, min(c.full_width, 16)) + 3 for c in outer) - 3 <= 120


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [
        ("dog", 3, "dog"),
        ("a dog and a cat", 8, "a dog a…"),
        ("[1.5, 2.25, 3.125]", 10, "[1.5,…"),
        ("{a: 1.5, b: 2.5e-7}", 18, "{a: 1.5, b:…"),
        ("犬犬犬犬", 5, "犬犬…"),
    ],
)
def test_a_cut_text_ends_in_an_ellipsis_and_before_a_cut_number(
    text: str, width: int, cut: str
) -> None:
    assert _cut(text, width) == cut


def test_vertical_rows_have_one_line_per_value() -> None:
    columns = [TextColumn("a", ["1", "2"], ["1", "2"]), TextColumn("b", ["x", "y"])]
    names, values = _vertical(columns)
    assert names.cells == ["a", "b", "a", "b"]
    assert values.cells == ["1", "x", "2", "y"]
    assert values.uncut == ["1", "2"]
