from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from stages.sources.record import SourceOptions
from stages.sources.table_files import TableChoice, choose_tables, is_table, named_table

if TYPE_CHECKING:
    from pathlib import Path

CAPTIONS = "image,caption\na.jpg,a dog\n"
DOWNLOADS = "url,key,caption,status\nx,0001,a dog,success\n"


def choose(
    root: Path, tables: dict[str, str], options: SourceOptions | None = None, *, texts: bool = False
) -> TableChoice:
    for name, content in tables.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return choose_tables(str(root), sorted(tables), options or SourceOptions(), has_texts=texts)


def names(choice: TableChoice) -> list[str]:
    return [table.name for table in choice.tables]


@pytest.mark.parametrize(
    ("tables", "chosen"),
    [
        ({"t.csv": CAPTIONS}, ["t.csv"]),
        ({"captions.txt": CAPTIONS, "readme.txt": "three, four words"}, ["captions.txt"]),
        ({"results.csv": "image_name| comment_number| comment\na.jpg| 0| x\n"}, ["results.csv"]),
        ({"t.csv": CAPTIONS, "sizes.csv": "image,width\na.jpg,3\n"}, ["t.csv"]),
        ({"t.csv": CAPTIONS, "broken.parquet": "no parquet"}, ["t.csv"]),
        ({"splits.csv": "image,split\na.jpg,val\n"}, ["splits.csv"]),
        ({"who.csv": "who,what\n1,2\n"}, []),
        ({"deep/er/results.csv": CAPTIONS}, ["deep/er/results.csv"]),
        ({"t.csv": CAPTIONS, "old/t.csv": CAPTIONS}, ["t.csv"]),
        (
            {
                "train/metadata.csv": CAPTIONS,
                "test/metadata.jsonl": '{"file_name": "a", "text": "b"}',
            },
            ["test/metadata.jsonl", "train/metadata.csv"],
        ),
        ({"train/metadata.csv": CAPTIONS, "train/other.csv": CAPTIONS}, ["train/metadata.csv"]),
        ({"a/t.csv": CAPTIONS, "b/t.csv": CAPTIONS}, ["a/t.csv", "b/t.csv"]),
        ({"notes.txt": "a dog runs"}, []),
    ],
)
def test_the_table_that_can_be_meant_is_chosen(
    tmp_path: Path, tables: dict[str, str], chosen: list[str]
) -> None:
    assert names(choose(tmp_path, tables)) == chosen


@pytest.mark.parametrize(
    "tables",
    [
        {"a.csv": CAPTIONS, "b.csv": CAPTIONS},
        {"t.csv": CAPTIONS, "train/metadata.csv": CAPTIONS},
        {"x/a.csv": CAPTIONS, "x/b.csv": CAPTIONS},
        {"x/a.csv": CAPTIONS, "x/y/b.csv": CAPTIONS},
        {"a.csv": "image,split\na,b\n", "b.csv": "image,split\na,b\n"},
    ],
)
def test_of_several_tables_the_user_must_name_one(tmp_path: Path, tables: dict[str, str]) -> None:
    listed = ", ".join(tables)
    with pytest.raises(SourceError, match=rf"several tables .*\({listed}\): name the one to read"):
        choose(tmp_path, tables)


def test_captions_of_nothing_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"that names images, such as file_name; its columns are 'who', "
    ):
        choose(tmp_path, {"t.csv": "who,caption\n1,2\n"})


def test_a_column_of_images_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("who,caption\n1,2\n")
    options = SourceOptions(image_column="whom")
    with pytest.raises(SourceError, match="has no column 'whom'; its columns are 'who', 'caption'"):
        named_table(str(tmp_path), str(tmp_path / "t.csv"), options)


@pytest.mark.parametrize(
    ("tables", "sentence"),
    [
        ({"who.csv": "who,what\n1,2\n"}, "who.csv was not read: no column names images"),
        (
            {"t.csv": CAPTIONS, "sizes.csv": "image,width\na.jpg,3\n"},
            "sizes.csv was not read: no column has a usual name for captions; its columns are "
            "'image', 'width'",
        ),
        ({"t.csv": CAPTIONS, "x/t.csv": CAPTIONS}, "x/t.csv was not read: another table was"),
        ({"t.csv": "image,objects,text\na,b,c\n"}, "boxes in 'objects' of t.csv are not read"),
        ({"t.csv": "image,titel\na,b\n"}, "t.csv has no column with a usual name for captions"),
        ({"t.csv": CAPTIONS, "bad.parquet": "x"}, "cannot read "),
    ],
)
def test_what_is_left_is_said(tmp_path: Path, tables: dict[str, str], sentence: str) -> None:
    remarks = choose(tmp_path, tables).remarks
    assert any(remark.startswith(sentence) for remark in remarks), remarks


def test_beside_texts_of_captions_a_table_of_downloads_is_not_read(tmp_path: Path) -> None:
    tables = {"00000.csv": DOWNLOADS, "00001.csv": DOWNLOADS, "who.csv": "who,caption\n1,2\n"}
    choice = choose(tmp_path, tables, texts=True)
    assert names(choice) == []
    assert choice.remarks[0].startswith("00000.csv was not read: captions are in the texts")
    assert names(choose(tmp_path / "other", {"t.csv": CAPTIONS}, texts=True)) == ["t.csv"]


def test_columns_that_the_user_names_decide(tmp_path: Path) -> None:
    options = SourceOptions(caption_column="what", image_column="who")
    choice = choose(tmp_path, {"t.csv": "who,what\n1,2\n"}, options)
    assert names(choice) == ["t.csv"]


def test_many_tables_in_subfolders_are_not_looked_into(tmp_path: Path) -> None:
    choice = choose(tmp_path, {f"{number}/t.csv": CAPTIONS for number in range(101)})
    assert choice == TableChoice()


def test_a_named_table_is_read_whatever_else_there_is(tmp_path: Path) -> None:
    (tmp_path / "root/x").mkdir(parents=True)
    inside, outside = tmp_path / "root/x/t.csv", tmp_path / "t.csv"
    for path in (inside, outside):
        path.write_text(CAPTIONS)
        (table,) = named_table(str(tmp_path / "root"), str(path), SourceOptions()).tables
        assert (table.name, table.is_usable) == (
            "x/t.csv" if path == inside else str(outside),
            True,
        )
    outside.write_text("who,what\n1,2\n")
    with pytest.raises(SourceError, match="no column that names images"):
        named_table(str(tmp_path), str(outside), SourceOptions())


def test_tables_are_known_by_their_suffix() -> None:
    known = ["a.csv", "a.TSV", "a.jsonl", "a.ndjson", "a.parquet", "captions.txt", "a.csv.gz"]
    known += ["a.json", "results.token"]
    assert [is_table(name) for name in (*known, "a.docx", "a.xlsx")] == [True] * 9 + [False] * 2
