from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.caption_corpus import CaptionRecord, Corpus, Survey, corpus_remarks
from stages.sources.record import LeftOut

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
    assert read(path)[2].problem == ""
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
    path = write(tmp_path / "a.tsv", f"k1\t{payload}", "k2\t[not json", "k3\t[1]")
    assert [r.captions for r in read(path, key="0")] == [
        ("a dog", "a cat"),
        ("[not json",),
        ("[1]",),
    ]


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


@pytest.mark.parametrize("line", ["{", "[1]", '{"caption": 3}', "[" * 9999])
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
    assert records[2] == CaptionRecord("a.parquet:3", ("x",))  # a caption without a key stays
    with pytest.raises(SourceError, match="no column 'caption'"):
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
    with pytest.raises(SourceError, match=r"cannot read captions .*cut\.txt\.gz to the end"):
        read(tmp_path / "cut.txt.gz")
    with pytest.raises(SourceError, match="no captions at"):
        read(tmp_path / "gone.tsv")
    with pytest.raises(SourceError, match="no captions at"):
        read(write(tmp_path / "a.docx", "a dog"))
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError, match=r"cannot read .*b\.parquet as Parquet: "):
        read(tmp_path / "b.parquet")


def test_an_empty_file_has_no_records(tmp_path: Path) -> None:
    assert read(write(tmp_path / "a.tsv")) == read(write(tmp_path / "b.jsonl")) == []


def test_hostile_text_is_kept_as_text(tmp_path: Path) -> None:
    long = "dog " * 25_000
    (tmp_path / "a.txt").write_bytes(long.encode() + b"\r\nodd\x00\x1b\n\xe2\x80\xa8line\n")
    captions = [record.captions for record in read(tmp_path / "a.txt")]
    assert captions == [(long.strip(),), ("odd\x00\x1b",), ("line",)]


def test_the_digest_depends_on_content_not_on_names(tmp_path: Path) -> None:
    a, b = write(tmp_path / "a.txt", "a dog"), write(tmp_path / "b.txt", "a dog")
    assert Corpus(a).digest() == Corpus(b).digest()
    assert Corpus(a).digest() != Corpus(write(tmp_path / "c.txt", "a cat")).digest()


def test_a_missing_column_of_parquet_is_the_one_in_the_message(tmp_path: Path) -> None:
    pq.write_table(pa.table({"key": ["a"], "words": ["a dog"]}), tmp_path / "a.parquet")
    usual = r"no column with a usual name for captions; its columns are 'key', 'words'; name one"
    with pytest.raises(SourceError, match=usual):
        read(tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="no column 'id'; its columns are"):
        read(tmp_path / "a.parquet", caption="words", key="id")
    assert read(tmp_path / "a.parquet", caption="words") == [CaptionRecord("a", ("a dog",))]


def test_a_missing_column_of_tsv_is_named_with_the_columns_of_the_first_line(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.tsv", "x\ta dog")
    sentence = r"no column 'fr': the first line is 'x', 'a dog'; a column can also be given by"
    with pytest.raises(SourceError, match=sentence):
        read(path, caption="fr")


def test_missing_and_extra_cells_are_bad_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "image_id\tcaption", "7", "8\ta dog", "9\ta cat\tand more")
    assert read(path) == [
        CaptionRecord("a.tsv:2", (), "line 2 has 1 cells, but there are 2 columns", Reason.BAD_ROW),
        CaptionRecord("8", ("a dog",)),
        CaptionRecord("a.tsv:4", (), "line 4 has 3 cells, but there are 2 columns", Reason.BAD_ROW),
    ]


def test_bad_rows_are_told_without_a_header_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "a dog\thttp://x/1.jpg", "a cat", "a cow\thttp://x/2.jpg")
    assert [(r.captions, r.reason) for r in read(path)][1] == ((), Reason.BAD_ROW)


@pytest.mark.parametrize("is_first", [True, False])
def test_without_header_addresses_and_names_are_not_the_caption(
    tmp_path: Path, is_first: bool
) -> None:
    pairs = [("a dog", "http://example.com/a-long-name-of-a-file.jpg"), ("cat", "IMG_0001.jpg")]
    rows = ["\t".join(pair if is_first else pair[::-1]) for pair in pairs]
    path = write(tmp_path / "cc3m.tsv", *rows)
    assert [r.captions for r in read(path)] == [("a dog",), ("cat",)]
    (remark,) = Corpus(path).inventory().remarks
    assert f"captions are read from column {int(not is_first)}, which has most words" in remark


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_of_encodings_are_no_part_of_the_text(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.tsv").write_bytes('image_id\tcaption\r\n1\t"a café\r\n'.encode(encoding))
    assert read(tmp_path / "a.tsv") == [CaptionRecord("1", ('"a café',))]
    (tmp_path / "b.tsv").write_bytes("bus\ta red bus\r\n".encode(encoding))
    assert read(tmp_path / "b.tsv", key="0") == [CaptionRecord("bus", ("a red bus",))]
    (tmp_path / "c.jsonl").write_bytes('{"key": "1", "caption": "é"}\n'.encode(encoding))
    assert read(tmp_path / "c.jsonl") == [CaptionRecord("1", ("é",))]


def test_another_encoding_is_refused_with_its_position(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes("image_id\tcaption\n1\ta café\n".encode("latin-1"))
    with pytest.raises(SourceError, match="not UTF-8: byte 8 of line 2"):
        read(tmp_path / "a.tsv")


def test_a_csv_has_quotes_and_a_header(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "image,caption", 'a.jpg,"a dog, a ""cat"""', "b.jpg,a,b")
    first, bad = read(path)
    assert first == CaptionRecord("a.jpg", ('a dog, a "cat"',))
    assert (bad.key, bad.reason) == ("a.csv:3", Reason.BAD_ROW)
    bare = write(tmp_path / "b.csv", "a.jpg,a dog", "b.jpg,a cat")
    with pytest.raises(SourceError, match=r"its columns are 'a\.jpg', 'a dog'; name one with"):
        read(bare)
    assert read(bare, caption="1", key="0")[0] == CaptionRecord("a.jpg", ("a dog",))
    with pytest.raises(SourceError, match=r"the header of .* cannot be read"):
        read(write(tmp_path / "c.csv", 'image,"caption', "a.jpg,a dog"))


def test_a_header_that_names_no_captions_is_refused_with_its_columns(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "image_id\tsumma", "1\ta dog")
    with pytest.raises(SourceError, match="its columns are 'image_id', 'summa'"):
        read(path)
    assert (
        read(path, caption="summa") == read(path, caption="1") == [CaptionRecord("1", ("a dog",))]
    )
    lines = write(tmp_path / "a.jsonl", '{"id": 1, "x": "a dog"}')
    with pytest.raises(SourceError, match="its columns are 'id', 'x'"):
        read(lines)
    with pytest.raises(SourceError, match="has no row that can be read"):
        read(write(tmp_path / "b.jsonl", "{"))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {
                "images": [{"id": 1, "file_name": "a.jpg"}],
                "annotations": [
                    {"id": 9, "image_id": 1, "caption": "a dog"},
                    {"id": 8, "image_id": 2, "caption": "a cat"},
                    {"id": 7, "image_id": 1, "caption": "dogs"},
                ],
            },
            [("1", ("a dog", "dogs")), ("2", ("a cat",))],
        ),
        (
            {"images": [{"filename": "a.jpg", "sentences": [{"raw": "a dog"}, {"raw": "dogs"}]}]},
            [("a.jpg", ("a dog", "dogs"))],
        ),
        ([{"image": "a.jpg", "caption": "a dog"}], [("a.jpg", ("a dog",))]),
        (["a dog", "a cat"], [("a.json:1", ("a dog",)), ("a.json:2", ("a cat",))]),
        (
            {"a.jpg": "a dog", "b.jpg": ["a cat", "cats"]},
            [("a.jpg", ("a dog",)), ("b.jpg", ("a cat", "cats"))],
        ),
        ({"caption": "a dog"}, [("a.json:1", ("a dog",))]),
    ],
)
def test_json_documents_are_read_in_the_forms_that_captions_have(
    tmp_path: Path, document: object, expected: list[tuple[str, tuple[str, ...]]]
) -> None:
    path = write(tmp_path / "a.json", json.dumps(document))
    assert [(record.key, record.captions) for record in read(path)] == expected


def test_json_lines_may_be_called_json(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", '{"caption": "a dog"}', "{", '{"caption": "a cat"}')
    assert [r.captions for r in read(path)] == [("a dog",), (), ("a cat",)]


def test_boxes_are_no_captions(tmp_path: Path) -> None:
    document = {"images": [{"id": 1}], "annotations": [{"image_id": 1, "bbox": [0, 0, 1, 1]}]}
    with pytest.raises(SourceError, match="its columns are 'image_id', 'bbox'"):
        read(write(tmp_path / "instances.json", json.dumps(document)))


def test_missing_captions_of_parquet_are_rows_without_text(tmp_path: Path) -> None:
    table = pa.table({"id": [1.0, 2.0, 3.0], "caption": ["a dog", None, "nan"]})
    pq.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [
        CaptionRecord("1", ("a dog",)),
        CaptionRecord("a.parquet:2", ()),
        CaptionRecord("a.parquet:3", ()),
    ]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[{"raw": "a dog"}], [{"raw": "a cat"}]]),
        pa.array(["a dog", "a cat"]).dictionary_encode(),
        pa.array(["a dog", "a cat"], pa.large_string()),
        pa.array(["a dog", "a cat"], pa.string_view()),
        pa.array([["a dog"], ["a cat"]], pa.list_(pa.string(), 1)),
    ],
    ids=str,
)
def test_every_type_of_text_is_read_from_parquet(tmp_path: Path, column: pa.Array) -> None:
    pq.write_table(pa.table({"image_id": [5, 6], "caption": column}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == [
        CaptionRecord("5", ("a dog",)),
        CaptionRecord("6", ("a cat",)),
    ]


def test_a_series_of_columns_gives_several_captions(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "image,caption_0,caption_1", "a.jpg,a dog,dogs")
    assert read(path) == [CaptionRecord("a.jpg", ("a dog", "dogs"))]
    assert read(path, caption="caption") == read(path)


def test_one_bad_cell_leaves_the_others(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '{"key": "k", "caption_0": "a dog", "caption_1": 7}')
    assert read(path) == [
        CaptionRecord("k", ("a dog",)),
        CaptionRecord("a.jsonl:1", (), "a caption must be text, not int"),
    ]


def test_keys_that_are_not_neighbours_are_counted_and_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "image_id\tcaption", "1\ta", "2\tb", "1\tc", "2\td")
    corpus = Corpus(path)
    assert corpus.survey() == Survey(records=4, repeated=2)
    assert corpus_remarks(corpus.inventory(), corpus.survey()) == [
        "records whose key an earlier one has, counted as other images: 2; "
        "sort the file by its key",
    ]


def test_files_of_a_folder_that_are_no_captions_are_counted(tmp_path: Path) -> None:
    write(tmp_path / "a.tsv", "image_id\ttitle\tcaption", "1\tx\ta dog")
    for name in ("notes.md", "more.md", "x.docx"):
        write(tmp_path / name, "x")
    inventory = Corpus(tmp_path).inventory()
    assert set(inventory.left_out) == {LeftOut(".docx file", 1), LeftOut(".md file", 2)}
    assert inventory.remarks == (
        "captions of a.tsv are read from 'caption', not from 'title'; --caption-column decides",
    )


def test_a_key_that_is_a_list_is_a_bad_row_and_half_a_character_is_escaped(tmp_path: Path) -> None:
    rows = ['{"key": [1], "caption": "a dog"}', r'{"key": "\ud800", "caption": "a cat"}']
    (tmp_path / "c.jsonl").write_text("\n".join(rows))
    listed, escaped = Corpus(tmp_path / "c.jsonl").records()
    assert (listed.reason, listed.problem) == (
        "bad-row",
        "its key is a list, not a name or a number",
    )
    assert (escaped.key, escaped.captions) == ("\\ud800", ("a cat",))
