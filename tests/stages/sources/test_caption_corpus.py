from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.sources.caption_corpus import CaptionRecord, Corpus

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def read(path: Path, caption: str | None = None, key: str | None = None) -> list[CaptionRecord]:
    return list(Corpus(path, caption, key).records())


def test_neighbouring_rows_of_one_key_are_one_record(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "image_id\tcaption", "7\ta dog", "7\ta brown dog", "8\ta cat")
    assert read(path) == [
        CaptionRecord("7", ("a dog", "a brown dog")),
        CaptionRecord("8", ("a cat",)),
    ]


def test_a_row_without_key_is_named_by_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "a dog", "a dog")
    assert read(path) == [
        CaptionRecord("a.txt:1", ("a dog",)),
        CaptionRecord("a.txt:2", ("a dog",)),
    ]


def test_without_header_the_wordiest_column_is_the_caption(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.tsv", "coco\t1.jpg\ta dog on grass", "coco\t1.jpg\tone", "coco\t2.jpg\t"
    )
    assert [r.captions for r in read(path)] == [("a dog on grass",), ("one",), ()]
    assert read(path)[2].problem == "no text in column 2"
    assert read(path, key="1")[0] == CaptionRecord("1.jpg", ("a dog on grass", "one"))


def test_columns_can_be_named_or_numbered(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "name\tde\ten", "x\tein Hund\ta dog")
    assert read(path, caption="en", key="name") == [CaptionRecord("x", ("a dog",))]
    bare = write(tmp_path / "b.tsv", "x\tein großer Hund\ta dog")
    assert read(bare, caption="2", key="0") == [CaptionRecord("x", ("a dog",))]
    with pytest.raises(SourceError, match="no column 'fr'"):
        read(path, caption="fr")


def test_captions_are_read_from_json_in_a_cell(tmp_path: Path) -> None:
    payload = json.dumps({"captions": ["a dog", "a cat"]})
    path = write(tmp_path / "a.tsv", f"k1\t{payload}", "k2\t[not json")
    assert [r.captions for r in read(path, key="0")] == [("a dog", "a cat"), ("[not json",)]


def test_captions_in_json_lines_are_found_under_usual_names(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.jsonl",
        '{"id": 1, "Caption": "a dog"}',
        '{"image_id": "x", "id": 3, "captions": ["a cat", "two cats"]}',
        '{"sentence": "an eel"}',
    )
    assert read(path) == [
        CaptionRecord("1", ("a dog",)),
        CaptionRecord("x", ("a cat", "two cats")),
        CaptionRecord("a.jsonl:3", ("an eel",)),
    ]


@pytest.mark.parametrize("line", ["{", "[1]", '{"caption": 3}', '{"caption": ""}', "[" * 9999, ""])
def test_a_bad_line_is_a_problem_of_its_own(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "a.jsonl", '{"caption": "a dog"}', line, '{"caption": "a cat"}')
    first, bad, last = read(path)
    assert (first.captions, last.captions) == (("a dog",), ("a cat",))
    assert (bad.key, bad.captions) == ("a.jsonl:2", ())
    assert bad.problem


def test_parquet_takes_strings_and_lists(tmp_path: Path) -> None:
    rows = {
        "key": ["a", "b", None],
        "text": [["a dog", "dogs"], ["a cat"], ["x"]],
        "other": [1, 2, 3],
    }
    pq.write_table(pa.table(rows), tmp_path / "a.parquet", row_group_size=1)
    records = read(tmp_path / "a.parquet")
    assert records[:2] == [CaptionRecord("a", ("a dog", "dogs")), CaptionRecord("b", ("a cat",))]
    assert records[2].problem == "no key in column 'key'"
    with pytest.raises(SourceError, match="no column caption"):
        read(tmp_path / "a.parquet", caption="caption")


def test_gzip_is_recognised_by_its_bytes(tmp_path: Path) -> None:
    for name in ("a.tsv.gz", "b.tsv"):
        (tmp_path / name).write_bytes(gzip.compress(b"image_id\tcaption\n7\ta dog\n"))
    assert (
        read(tmp_path / "a.tsv.gz") == read(tmp_path / "b.tsv") == [CaptionRecord("7", ("a dog",))]
    )


def test_a_folder_is_read_file_by_file_in_order(tmp_path: Path) -> None:
    write(tmp_path / "b.txt", "a cat")
    write(tmp_path / "a.txt", "a dog")
    write(tmp_path / "notes.md", "not captions")
    assert [r.key for r in read(tmp_path)] == ["a.txt:1", "b.txt:1"]


def test_a_truncated_missing_or_unknown_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"".join(b"a dog and %d cats\n" % n for n in range(5000)))
    (tmp_path / "cut.txt.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"cut\.txt\.gz cannot be read to the end"):
        read(tmp_path / "cut.txt.gz")
    with pytest.raises(SourceError, match="no captions at"):
        read(tmp_path / "gone.tsv")
    with pytest.raises(SourceError, match="no captions at"):
        read(write(tmp_path / "a.docx", "a dog"))
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError, match=r"b\.parquet cannot be read"):
        read(tmp_path / "b.parquet")


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.tsv")) == read(write(tmp_path / "b.jsonl")) == []


def test_hostile_text_is_kept_as_text(tmp_path: Path) -> None:
    long = "dog " * 25_000
    (tmp_path / "a.txt").write_bytes(long.encode() + b"\r\n\xff\xfe broken\n\xe2\x80\xa8line\n")
    captions = [record.captions for record in read(tmp_path / "a.txt")]
    assert captions[0] == (long.strip(),)
    assert captions[1] == ("\ufffd\ufffd broken",)
    assert len(captions) == 3


def test_the_digest_depends_on_content_not_on_names(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.txt", "a dog"), write(tmp_path / "b.txt", "a dog")
    assert Corpus(a).digest() == Corpus(b).digest()
    assert Corpus(a).digest() != Corpus(write(tmp_path / "c.txt", "a cat")).digest()


def test_a_missing_column_of_parquet_is_the_one_in_the_message(tmp_path: Path) -> None:
    pq.write_table(pa.table({"key": ["a"], "words": ["a dog"]}), tmp_path / "a.parquet")
    usual = r"no column with a usual name for captions; the columns are \['key', 'words'\]"
    with pytest.raises(SourceError, match=usual):
        read(tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="no column id; the columns are"):
        read(tmp_path / "a.parquet", caption="words", key="id")
    assert read(tmp_path / "a.parquet", caption="words") == [CaptionRecord("a", ("a dog",))]


def test_a_missing_column_of_tsv_is_named_with_the_columns_of_the_first_line(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.tsv", "x\ta dog")
    sentence = r"no column 'fr': the first line is \['x', 'a dog'\]; a column can also be given"
    with pytest.raises(SourceError, match=sentence):
        read(path, caption="fr")


def test_a_row_shorter_than_its_columns_is_a_problem(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "image_id\tcaption", "7", "8\ta dog")
    assert read(path) == [
        CaptionRecord("a.tsv:2", (), "no text in column 1"),
        CaptionRecord("8", ("a dog",)),
    ]
