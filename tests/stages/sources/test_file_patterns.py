from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import SourceError
from stages.sources.file_patterns import expand


def test_nested_braces_and_ranges_are_expanded(tmp_path: Path) -> None:
    paths = expand(f"{tmp_path}/{{a,b}}-{{09..11}}.tar")
    assert [path.rsplit("/", 1)[1] for path in paths] == [
        f"{letter}-{number}.tar" for letter in "ab" for number in ("09", "10", "11")
    ]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "[ab]{1,2}.tar"
    path.write_bytes(b"")
    assert expand(str(path)) == [str(path)]


def test_only_what_is_not_there_as_written_is_a_pattern(tmp_path: Path) -> None:
    names = ("x[1]/a.tar", "x1/b.tar", "{1..2}/c.tar", "1/d.tar", "run*/e.tar", "run1/f.tar")
    for name in names:
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(b"")
    for name in names:
        folder = (tmp_path / name).parent
        assert expand(f"{folder}/*.tar") == [str(tmp_path / name)]
        assert expand(f"{folder}/{{{name[-5]}}}.tar") == [str(tmp_path / name)]
    assert expand(f"{tmp_path}/x?/*.tar") == [f"{tmp_path}/x1/b.tar"]
    assert expand(f"{{{tmp_path}/1,{tmp_path}/x1}}/*.tar") == [
        f"{tmp_path}/1/d.tar",
        f"{tmp_path}/x1/b.tar",
    ]


def test_a_glob_is_sorted_and_must_match_something(tmp_path: Path) -> None:
    for name in ("b.tar", "a.tar", "deep/c.tar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert expand(f"{tmp_path}/*.tar") == [f"{tmp_path}/a.tar", f"{tmp_path}/b.tar"]
    assert expand(f"{tmp_path}/**/c.tar") == [f"{tmp_path}/deep/c.tar"]
    with pytest.raises(SourceError, match=r"nothing matches .*\*\.zip: .* quote the pattern"):
        expand(f"{tmp_path}/*.zip")


def test_a_pattern_that_matches_nothing_names_the_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"there is no folder {tmp_path}/data$"):
        expand(f"{tmp_path}/data/shards/*.tar")
    with pytest.raises(SourceError, match=rf"{tmp_path} is there, and no file in it has such a na"):
        expand(f"{tmp_path}/*.tar")


def test_a_remote_glob_is_expanded_by_its_file_system(remote: str) -> None:
    assert [path.rsplit("/", 1)[1] for path in expand("memory://files/*.bin")] == ["a.bin"]
