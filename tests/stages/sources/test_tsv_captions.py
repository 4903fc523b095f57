from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from schemas.errors import SourceError
from stages.sources.tsv_captions import CaptionFile, CaptionsOfNoImage, caption_index, unmatched
from stages.sources.tsv_rows import key_digest

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    "content",
    [
        b"k\ta dog\nl\ta cat\n",
        b"caption\tkey\r\na dog\tk\r\n\r\na cat\tl\r\n",
        b"image_id\turl\tcaption\nk\tu\ta dog\nl\tu\ta cat\n",
        b'k\t[{"caption": "a dog"}]\nl\t{"captions": ["a cat"]}\n',
        b"\xef\xbb\xbfk\ta dog\nl\ta cat",
    ],
)
def test_captions_are_found_by_key(tmp_path: Path, content: bytes) -> None:
    with CaptionFile(write(tmp_path / "a.tsv", content)) as texts:
        assert texts.captions(b"k", "a/k") == (("a dog",), ())
        assert texts.captions(b"l", "a/l") == (("a cat",), ())
        assert texts.captions(b"m", "a/m") == ((), ())


def test_without_a_file_there_are_no_captions() -> None:
    with CaptionFile(None) as texts:
        assert texts.captions(b"k", "a/k") == ((), ())


def test_a_caption_that_is_not_text_is_a_problem_of_its_image(tmp_path: Path) -> None:
    uri = write(tmp_path / "a.tsv", b'k\ta dog\nk\t{"w": 1}\n')
    with CaptionFile(uri) as texts:
        captions, (problem,) = texts.captions(b"k", "a/k")
    assert captions == ("a dog",)
    assert (problem.record, problem.reason) == ("a/k", "bad-caption")


def test_rows_of_unknown_keys_are_counted(tmp_path: Path) -> None:
    uri = write(tmp_path / "a.tsv", b"k\ta\nx\tb\ny\tc\n")
    known = np.array([key_digest(b"k")], np.uint64)
    assert unmatched(uri, known) == CaptionsOfNoImage(2, 3, "x")
    everything = np.array([key_digest(key) for key in (b"k", b"x", b"y")], np.uint64)
    assert unmatched(uri, everything) == CaptionsOfNoImage(0, 3)


def test_rows_of_missing_or_extra_cells_are_bad(tmp_path: Path) -> None:
    uri = write(tmp_path / "a.tsv", b"k\ta dog\nl\nm\ta\tb\nn\ta cat\t\no\tx\n")
    index = caption_index(uri)
    assert [problem.record for problem in index.bad_rows] == ["a.tsv:2", "a.tsv:3"]
    assert len(index.starts) == 3


def test_a_file_of_one_column_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="a row is a key, a tab, and a caption"):
        caption_index(write(tmp_path / "a.tsv", b"a dog\na cat\n"))
