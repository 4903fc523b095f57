from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.sources.caption_fields import (
    captions_in_json,
    captions_in_text,
    captions_of,
    distinct,
    find_column,
    table_rows,
)
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        (" a dog\n", ["a dog"]),
        ("  ", []),
        (["a dog", "", None, ["a cat"]], ["a dog", "a cat"]),
        ({"text": "a dog", "url": "x"}, ["a dog"]),
        ({"caption": "first", "text": "second"}, ["first"]),
        ({"captions": [{"caption": "a dog"}, {"caption": "a cat"}]}, ["a dog", "a cat"]),
        ({"url": "x"}, []),
        ({}, []),
    ],
)
def test_captions_are_taken_out_of_strings_lists_and_objects(
    value: Any, expected: list[str]
) -> None:
    assert captions_of(value) == expected


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (7, "a caption must be text, not int"),
        (["a dog", 1.5], "a caption must be text, not float"),
        ({"caption": True}, "a caption must be text, not bool"),
        ("\ud800", "the caption has half a surrogate pair"),
    ],
)
def test_any_other_value_is_a_bad_caption(value: Any, sentence: str) -> None:
    with pytest.raises(Refusal) as caught:
        captions_of(value)
    assert (caught.value.reason, caught.value.detail) == ("bad-caption", sentence)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"a dog", ["a dog"]),
        (b"\xef\xbb\xbfa dog", ["a dog"]),
        (b' {"caption": "a dog"} ', ["a dog"]),
        (b'["a dog", "a cat"]', ["a dog", "a cat"]),
        (b"[sic] a dog", ["[sic] a dog"]),
        (b"{smile} a dog", ["{smile} a dog"]),
        (b"7", ["7"]),
        (b"", []),
        (b"[" * 100_000, ["[" * 100_000]),
    ],
)
def test_a_text_is_one_caption_unless_it_is_a_json_object_or_list(
    payload: bytes, expected: list[str]
) -> None:
    assert captions_in_text(payload) == expected


def test_json_must_be_json_and_both_must_be_utf8() -> None:
    assert captions_in_json(b'"a dog"') == ["a dog"]
    with pytest.raises(Refusal, match="bad-caption: not JSON: "):
        captions_in_json(b"a dog")
    for read in (captions_in_text, captions_in_json):
        with pytest.raises(Refusal, match="bad-caption: the caption is not UTF-8: "):
            read(b"\xff")


def test_distinct_captions_keep_their_first_position() -> None:
    assert distinct(["b", "a", "b", "c", "a"]) == ("b", "a", "c")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["url", "Text", "CAPTION"], "CAPTION"),
        ([" caption "], " caption "),
        (["caption", "Caption"], "caption"),
        (["captioned"], None),
        ([], None),
    ],
)
def test_a_column_is_found_by_the_order_of_candidates_ignoring_case(
    names: list[str], expected: str | None
) -> None:
    assert find_column(names, ("caption", "text")) == expected


def test_every_kind_of_table_gives_the_same_rows(tmp_path: Path) -> None:
    rows = [{"image": "a.jpg", "caption": 'a "dog",\tbig'}, {"image": "b.jpg", "caption": "ü"}]
    (tmp_path / "t.csv").write_bytes(
        '\ufeffimage,caption\r\na.jpg,"a ""dog"",\tbig"\r\nb.jpg,ü\r\n'.encode()
    )
    (tmp_path / "t.tsv").write_text('image\tcaption\na.jpg\t"a ""dog"",\tbig"\nb.jpg\tü\n')
    (tmp_path / "t.jsonl").write_text("\n\n".join(map(json.dumps, rows)))
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "t.parquet")
    for suffix in ("csv", "tsv", "jsonl", "parquet"):
        assert list(table_rows(str(tmp_path / f"t.{suffix}"))) == rows


def test_only_the_columns_in_use_are_read_from_parquet(tmp_path: Path) -> None:
    columns = {"Path": ["a.jpg"], "TEXT": ["a dog"], "split": ["val"], "embedding": [[0.5] * 9]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    (row,) = table_rows(str(tmp_path / "t.parquet"))
    assert row == {"Path": "a.jpg", "TEXT": "a dog", "split": "val"}


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("t.csv", b"image\n\xff\n", "cannot read the captions table .*t.csv: "),
        ("t.jsonl", b'{"image": 1}\n{', "cannot read the captions table .*t.jsonl: "),
        ("t.jsonl", b"\n[1]", "line 2 of .*t.jsonl is not a JSON object"),
        ("t.parquet", b"PAR1", "cannot read the captions table .*t.parquet: "),
    ],
)
def test_a_table_in_another_format_than_its_suffix_is_refused(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=sentence):
        list(table_rows(str(tmp_path / name)))
