from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import pytest

from stages.sources.record import Refusal
from stages.sources.tsv_rows import (
    RowLayout,
    base64_bytes,
    image_of_row,
    is_image_cell,
    key_digest,
    row_index,
    row_layout,
)

if TYPE_CHECKING:
    from pathlib import Path

JPEG = b"/9j/4AAQ"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"k\t/9j/4AAQ\n", RowLayout()),
        (b"k\t{}\t/9j/4AAQ\n", RowLayout(image=2, width=3)),
        (b'k\t["a dog"]\t/9j/4AAQ\n', RowLayout(image=2, width=3, captions=(1,))),
        (b"/9j/4AAQ\tk\n", RowLayout(key=1, image=0)),
        (b"id\timg_b64\nk\t/9j/4AAQ\n", RowLayout(names=("id", "img_b64"))),
        (b"k\tbroken\nk\t/9j/4AAQ\n", RowLayout()),
        (b"\n\nk\t/9j/4AAQ\r\n", RowLayout()),
        (b"k\ta dog\n", None),
        (b"", None),
    ],
)
def test_the_first_rows_tell_which_column_is_what(
    tmp_path: Path, content: bytes, expected: RowLayout | None
) -> None:
    (tmp_path / "a.tsv").write_bytes(content)
    assert row_layout(str(tmp_path / "a.tsv")) == expected


def test_the_index_leaves_out_blank_rows_and_the_header(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_bytes(b"id\timage\nk\t/9j/\n\r\nl\t/9j/\nk\t/9j/")
    layout = row_layout(str(tmp_path / "a.tsv"))
    assert layout is not None
    index = row_index(str(tmp_path / "a.tsv"), layout)
    assert (index.starts.tolist(), index.ends.tolist()) == ([9, 18, 25], [16, 25, 31])
    assert index.duplicates == {2}
    assert index.digests.tolist() == [int(key_digest(key)) for key in (b"k", b"l", b"k")]


def test_columns_that_nobody_reads_are_known() -> None:
    assert RowLayout(image=3, width=5, captions=(1,)).others == (2, 4)


def test_base64_is_read_with_either_alphabet_and_padding() -> None:
    content = bytes(range(250, 256)) * 3 + b"x"
    plain = base64.b64encode(content)
    for cell in (plain, base64.urlsafe_b64encode(content), plain.rstrip(b"="), plain + b" "):
        assert base64_bytes(cell) == content
    with pytest.raises(binascii.Error):
        base64_bytes(b"not base64!")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (base64.b64encode(b"\0\0\0 ftypavif"), True),
        (base64.b64encode(b"II*\0"), True),
        (b"data:image/png;base64,iVBORw0KGgo", True),
        (b"a dog", False),
        (b"dog", False),
        (b"", False),
    ],
)
def test_an_image_is_known_by_its_begin(cell: bytes, expected: bool) -> None:
    assert is_image_cell(cell) == expected


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([b"k"], "missing-image"),
        ([b"k", b" "], "missing-image"),
        ([b"k", JPEG, b"more"], "bad-row"),
        ([b"k", b"###"], "unreadable"),
    ],
)
def test_a_row_without_an_image_says_why(cells: list[bytes], reason: str) -> None:
    with pytest.raises(Refusal) as caught:
        image_of_row(cells, RowLayout())
    assert caught.value.reason == reason
    assert image_of_row([b"k", JPEG, b""], RowLayout()).startswith(b"\xff\xd8\xff")
