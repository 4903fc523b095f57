from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.sources.table_rows import (
    BadRow,
    Cells,
    SourceRow,
    fitted,
    separated_rows,
    table_columns,
    table_rows,
    unique_columns,
)

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, content: str | bytes) -> list[SourceRow | BadRow]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(table_rows(str(path)))


def captions(rows: list[SourceRow | BadRow]) -> list[tuple[int, Any]]:
    """Of each row the number, and the caption; None if the row is bad."""
    return [(r.number, r.values["caption"] if isinstance(r, SourceRow) else None) for r in rows]


def test_every_kind_of_table_gives_the_same_rows(tmp_path: Path) -> None:
    rows = [{"image": "a.jpg", "caption": 'a "dog", big'}, {"image": "b.jpg", "caption": "ü"}]
    (tmp_path / "t.csv").write_bytes(
        '\ufeffimage,caption\r\na.jpg,"a ""dog"", big"\r\nb.jpg,ü\r\n'.encode()
    )
    (tmp_path / "t.tsv").write_text('image\tcaption\na.jpg\ta "dog", big\nb.jpg\tü\n')
    (tmp_path / "t.jsonl").write_text("\n\n".join(map(json.dumps, rows)))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    for suffix in ("csv", "tsv", "jsonl", "parquet"):
        uri = str(tmp_path / f"t.{suffix}")
        assert [row.values for row in table_rows(uri) if isinstance(row, SourceRow)] == rows
        assert table_columns(uri) == ("image", "caption")


def test_a_tsv_has_no_quotes(tmp_path: Path) -> None:
    text = 'image\tcaption\n1\t"Hello" says a man\n2\t"the dog jumps\n3\ta 5" screen\n4\t"a, b"\n'
    assert captions(read(tmp_path / "t.tsv", text)) == [
        (2, '"Hello" says a man'),
        (3, '"the dog jumps'),
        (4, 'a 5" screen'),
        (5, '"a, b"'),
    ]


def test_a_quoted_cell_of_a_csv_may_hold_anything(tmp_path: Path) -> None:
    text = 'image,caption\r\n1,"two\r\nlines, a ""word"""\r\n2,\ta 5" screen\r\n3,""\r\n'
    assert captions(read(tmp_path / "t.csv", text)) == [
        (2, 'two\r\nlines, a "word"'),
        (4, '\ta 5" screen'),
        (5, ""),
    ]


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
def test_missing_and_extra_cells_are_bad_rows(tmp_path: Path, suffix: str) -> None:
    text = "image\tcaption\n1\ta dog\n2\n3\ta dog\tand a cat\n\n5\ta cow\t\n"
    rows = read(tmp_path / f"t.{suffix}", text)
    assert captions(rows) == [(2, "a dog"), (3, None), (4, None), (6, "a cow")]
    assert rows[1] == BadRow(3, "line 3 has 1 cells, but there are 2 columns")


def test_an_unquoted_comma_makes_a_bad_row(tmp_path: Path) -> None:
    text = 'image,caption\na.jpg,A man, a dog\nb.jpg,"A man, quoted"\n'
    assert captions(read(tmp_path / "t.csv", text)) == [(2, None), (3, "A man, quoted")]


@pytest.mark.slow
@pytest.mark.parametrize("bad", ['2,"the dog jumps', '2,"Hello" says a man', '2,"a" "b"'])
def test_a_bad_quote_in_a_csv_costs_its_own_row_alone(tmp_path: Path, bad: str) -> None:
    lines = ["image,caption", '1,"a ""dog"""', bad, '3,"a cat\non a mat"', "4,a cow"]
    expected = [(2, 'a "dog"'), (3, None), (4, "a cat\non a mat"), (6, "a cow")]
    assert captions(read(tmp_path / "t.csv", "\n".join(lines))) == expected
    plain = [lines[0], bad, *(f"{n},a dog" for n in range(3000))]
    assert captions(read(tmp_path / "t.csv", "\n".join(plain)))[:2] == [(2, None), (3, "a dog")]
    assert len(read(tmp_path / "t.csv", "\n".join(plain))) == 3001


@pytest.mark.parametrize("mark", [",", "\t", ";", "|"])
def test_the_header_of_a_csv_tells_what_separates_its_cells(tmp_path: Path, mark: str) -> None:
    text = f'filepath{mark}title\na.jpg{mark}"a dog{mark} big"\nb.jpg{mark}a cat\n'
    rows = read(tmp_path / "t.csv", text)
    assert [row.values["title"] for row in rows if isinstance(row, SourceRow)] == [
        f"a dog{mark} big",
        "a cat",
    ]


def test_a_text_is_separated_by_commas_only_if_its_header_says_so() -> None:
    kaggle = list(separated_rows(["image,caption", 'a.jpg,"a, b"'], ".txt"))
    assert kaggle[1] == Cells(2, ["a.jpg", "a, b"])
    assert list(separated_rows(["a dog, a cat"], ".txt")) == [Cells(1, ["a dog, a cat"])]
    assert list(separated_rows([], ".csv")) == []


def test_one_broken_line_of_json_lines_is_one_bad_row(tmp_path: Path) -> None:
    lines = [b'{"caption": "a dog"}', b"{", b"[1]", b'{"caption": "\xe9"}', b"[" * 99_999, b""]
    rows = read(tmp_path / "t.jsonl", b"\n".join([*lines, b'{"caption": "a cat"}']))
    numbers = [(1, "a dog"), (2, None), (3, None), (4, None), (5, None), (7, "a cat")]
    assert captions(rows) == numbers
    assert rows[2] == BadRow(3, "line 3 is not a JSON object")


def test_text_may_be_utf16_or_zipped(tmp_path: Path) -> None:
    text = "image\tcaption\n1\ta café\n"
    assert captions(read(tmp_path / "t.tsv", text.encode("utf-16"))) == [(2, "a café")]
    assert captions(read(tmp_path / "t.tsv.gz", gzip.compress(text.encode()))) == [(2, "a café")]
    assert table_columns(str(tmp_path / "t.tsv.gz")) == ("image", "caption")


def test_a_column_that_is_named_twice_is_kept_twice(tmp_path: Path) -> None:
    (row,) = read(tmp_path / "t.csv", "image,caption,caption\na.jpg,one,two\n")
    assert isinstance(row, SourceRow)
    assert row.values == {"image": "a.jpg", "caption": "one", "caption.1": "two"}
    assert unique_columns(["a", " a ", "a", "a.1"]) == ("a", "a.1", "a.2", "a.1.1")


def test_only_the_columns_in_use_are_read_from_parquet(tmp_path: Path) -> None:
    columns = {"Path": ["a.jpg"], "TEXT": ["a dog"], "split": ["val"], "satz": ["x"], "e": [[0.5]]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    (row,) = table_rows(str(tmp_path / "t.parquet"), also=["Satz"])
    assert row == SourceRow(1, {"Path": "a.jpg", "TEXT": "a dog", "split": "val", "satz": "x"})


def test_empty_cells_at_the_end_of_a_row_are_no_loss() -> None:
    assert fitted(Cells(3, ["a", "b", "", " "]), 2) == Cells(3, ["a", "b"])
    assert fitted(Cells(3, ["a"]), 1) == Cells(3, ["a"])


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.csv", b"image\n\xff\n", r"t.csv is not UTF-8: byte 1 of line 2 \(byte 7 of the text"),
        ("t.csv", b'image,"caption\na,b\n', "the header of .*t.csv cannot be read: line 1 has"),
        ("t.parquet", b"PAR1", "cannot read .*t.parquet as Parquet: "),
        (
            "t.tsv.gz",
            gzip.compress(b"image\tcaption\n" * 999, mtime=0)[:30],
            "cannot read the table .*t.tsv",
        ),
    ],
)
def test_a_table_in_another_format_than_its_suffix_is_refused(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    with pytest.raises(SourceError, match=sentence):
        read(tmp_path / name, content)


def test_a_table_without_a_line_has_no_columns_and_no_rows(tmp_path: Path) -> None:
    for name in ("t.csv", "t.tsv", "t.jsonl"):
        assert read(tmp_path / name, "") == []
        assert table_columns(str(tmp_path / name)) == ()
