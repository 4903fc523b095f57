from __future__ import annotations

import gzip
import io

import pytest

from schemas.errors import SourceError
from stages.sources import table_encoding
from stages.sources.table_encoding import text_lines, utf8_lines

TEXT = "image\tcaption\r\n1\ta café 🐶\n"


def read(content: bytes) -> list[str]:
    return list(text_lines(io.BytesIO(content), "t.tsv"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_marks_tell_the_encoding_and_are_no_part_of_the_text(encoding: str) -> None:
    assert read(TEXT.encode(encoding)) == TEXT.splitlines(keepends=True)


def test_utf16_may_have_either_order_of_bytes() -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        assert read(("\ufeff" + TEXT).encode(encoding)) == TEXT.splitlines(keepends=True)


def test_gzip_is_recognised_by_its_bytes() -> None:
    assert read(gzip.compress(TEXT.encode("utf-8-sig"))) == TEXT.splitlines(keepends=True)


def test_lines_may_end_as_old_spreadsheets_end_them() -> None:
    assert read("image,caption\ra.jpg,a café\r".encode()) == ["image,caption\n", "a.jpg,a café\n"]


def test_signs_that_unicode_calls_line_ends_stay_in_the_line() -> None:
    assert read("a\u2028b\x0bc\n".encode()) == ["a\u2028b\x0bc\n"]


def test_another_encoding_is_refused_with_its_position() -> None:
    sentence = r"t\.tsv is not UTF-8: byte 4 of line 2 \(byte 10 of the text\) is 0xe9; write it as"
    with pytest.raises(SourceError, match=sentence):
        read("first\ncafé\n".encode("latin-1"))
    assert list(utf8_lines(io.BytesIO(b"caf\xe9\n"), "t")) == [b"caf\xe9\n"]


@pytest.mark.parametrize(
    ("encoding", "said"),
    [("utf-16-le", r"byte 2 of t\.tsv is zero: it is no text, or UTF-16"), ("utf-32", "is UTF-32")],
)
def test_wide_text_without_a_known_mark_is_refused(encoding: str, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        read(TEXT.encode(encoding))


def test_utf16_that_is_cut_is_refused_with_its_line() -> None:
    with pytest.raises(SourceError, match=r"begins as UTF-16, but line \d is not"):
        read("a\nb\nc".encode("utf-16")[:-1])


def test_an_empty_text_has_no_lines() -> None:
    assert read(b"") == read(b"\xef\xbb\xbf") == []


def test_a_gzip_that_unpacks_to_far_more_than_a_text_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(table_encoding, "_SMALL", 1 << 16)
    packed = io.BytesIO(gzip.compress((b"a" * 99 + b"\n") * 100_000))
    with pytest.raises(SourceError, match=r"of bomb\.gz unpack to .*: no text does"):
        list(text_lines(packed, "bomb.gz"))


@pytest.mark.parametrize("separator", [b"\n", b"\r"])
def test_a_line_without_end_is_refused(separator: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_encoding, "_LONGEST_LINE", 1 << 16)
    content = b"a" + separator + bytes(b"b" * 200_000)
    with pytest.raises(SourceError, match="a line of more than 0 MB"):
        list(text_lines(io.BytesIO(content), "x.txt"))
