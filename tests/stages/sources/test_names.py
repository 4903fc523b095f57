from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from stages.sources.names import read_names, without_count

if TYPE_CHECKING:
    from pathlib import Path


def test_names_keep_their_order_and_lose_their_counts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("traffic light,1190\r\n\n  dog \nParis, France\n7,8\n")
    assert read_names(tmp_path / "a.txt") == ["traffic light", "dog", "Paris, France", "7"]


def test_a_single_name_without_newline_is_a_list(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\ufeffdog")
    assert read_names(tmp_path / "a.txt") == ["dog"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "is empty"), (b"dog\nDog", "has 'dog' more than once"), (b"\xff", "cannot be read")],
)
def test_an_unusable_list_is_refused_with_its_fault(
    tmp_path: Path, content: bytes, sentence: str
) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(SourceError, match=sentence):
        read_names(tmp_path / "a.txt")


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        read_names(tmp_path / "gone.txt")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("dog,7", "dog"),
        (" dog , 7 ", "dog"),
        ("dog,", "dog,"),
        (",7", ",7"),
        ("a,b,7", "a,b"),
        ("dog,-7", "dog,-7"),
    ],
)
def test_only_a_whole_number_after_the_last_comma_is_a_count(line: str, name: str) -> None:
    assert without_count(line) == name
