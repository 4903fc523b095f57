from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from stages.sources.corpus_rows import opened
from stages.sources.table_rows import SourceRow

if TYPE_CHECKING:
    from pathlib import Path


def test_columns_are_those_of_the_header(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("URL\tTEXT\nhttp://x/1.jpg\ta dog\n")
    with opened(tmp_path / "a.tsv", None, None) as table:
        assert (table.names, table.captions, table.key) == (("URL", "TEXT"), ("TEXT",), "URL")
        assert list(table.rows) == [SourceRow(2, {"URL": "http://x/1.jpg", "TEXT": "a dog"})]
        assert table.remarks == ()


def test_without_header_columns_have_numbers(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a red dog\t7\t9\n")
    with opened(tmp_path / "a.tsv", None, "2") as table:
        assert (table.names, table.captions, table.key) == (("0", "1", "2"), ("0",), "2")
    with (
        pytest.raises(SourceError, match=r"no column '3': the first line is 'a red dog', '7', '9'"),
        opened(tmp_path / "a.tsv", "3", None),
    ):
        pass


def test_numbers_name_the_columns_of_a_header_too(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"a": 1, "b": "a dog"}\n')
    with opened(tmp_path / "a.jsonl", "1", "0") as table:
        assert (table.captions, table.key) == (("b",), "a")


def test_a_file_without_rows_has_no_columns(tmp_path: Path) -> None:
    for name in ("a.tsv", "a.csv", "a.jsonl", "a.txt"):
        (tmp_path / name).write_text("")
        with opened(tmp_path / name, None, None) as table:
            assert list(table.rows) == []


def test_languages_without_spaces_have_words_too(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("img_00012345678901234567890\t狗在草地上\n", encoding="utf-8")
    with opened(tmp_path / "a.tsv", None, None) as table:
        assert table.captions == ("1",)


@pytest.mark.parametrize(
    ("line", "is_header"),
    [
        ("key\tcaption", True),
        ("foto\tcaption", True),
        ("URL\tTEXT", True),
        ("image_id\tsomething", True),
        ("caption", True),
        ("k17\ttitle", False),
        ("k17\traw", False),
        ("a caption", False),
    ],
)
def test_a_header_is_told_from_a_row_of_one_word(
    tmp_path: Path, line: str, is_header: bool
) -> None:
    (tmp_path / "a.tsv").write_text(line + "\n" + "\t".join(["a dog"] * len(line.split("\t"))))
    caption = "something" if "something" in line else None
    with opened(tmp_path / "a.tsv", caption, None) as table:
        assert len(list(table.rows)) == 2 - is_header
