from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import fsspec
import numpy as np
import pytest

from schemas.errors import SourceError
from stages.sources import files
from stages.sources.files import expand, file_digest, unique_names
from stages.sources.record import DuplicateKeys, SourceOptions, consecutive_ranges
from stages.sources.source_kind import open_source
from tests.stages.sources.samples import encoded, ids, ingest, write_images, write_tar

if TYPE_CHECKING:
    from pathlib import Path


def opened(*paths: Path | str, kind: str = "auto") -> str:
    return open_source([str(path) for path in paths], SourceOptions(kind)).kind


def test_no_source_says_what_is_accepted() -> None:
    with pytest.raises(SourceError, match=r"needs a source: WebDataset tars; a COCO folder"):
        opened()


def test_an_unknown_source_says_what_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"a\.docx is not a source; rc ingest reads WebDataset"):
        opened(tmp_path / "a.docx")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no file or folder .*gone\.tar"):
        opened(tmp_path / "gone.tar")
    with pytest.raises(SourceError, match=r"nothing matches .*\*\.tar"):
        opened(tmp_path / "*.tar")


def test_an_empty_folder_holds_no_images(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no images"):
        opened(tmp_path)


def test_the_same_tar_twice_is_refused(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {"x.jpg": encoded()})
    with pytest.raises(SourceError, match=r"given twice: .*a\.tar"):
        ingest(tmp_path / "s", tar, tar)


def test_the_kind_may_be_said(tmp_path: Path) -> None:
    write_images(tmp_path, ["a.jpg"])
    write_tar(tmp_path / "a.tar", {"x.jpg": encoded()})
    assert opened(tmp_path) == "webdataset"
    assert opened(tmp_path, kind="folder") == "folder"


def test_a_kind_without_splits_refuses_them(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {"x.jpg": encoded()})
    with pytest.raises(SourceError, match="--split: a webdataset source has no splits"):
        ingest(tmp_path / "s", tar, split=("val",))


def test_remote_tars_are_read_through_fsspec(tmp_path: Path) -> None:
    for name in ("0", "1"):
        content = write_tar(tmp_path / f"{name}.tar", {"x.jpg": encoded()}).read_bytes()
        with fsspec.open(f"memory://shards/{name}.tar", "wb") as file:
            file.write(content)
    for pattern in ("memory://shards/{0..1}.tar", "memory://shards/*.tar"):
        rows, refused = ingest(tmp_path / "s", pattern)
        assert (ids(rows), refused) == (["0/x", "1/x"], [])
    assert rows[0]["uri"] == "memory://shards/0.tar" or rows[0]["uri"].endswith("/shards/0.tar")


def test_braces_may_be_nested_in_one_name(tmp_path: Path) -> None:
    found = expand(f"{tmp_path}/{{a,b}}-{{09..11}}.tar")
    assert [path.rsplit("/", 1)[1] for path in found] == [
        f"{letter}-{number}.tar" for letter in "ab" for number in ("09", "10", "11")
    ]


def test_a_small_file_is_hashed_whole_and_a_large_one_at_both_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abcdef")
    assert file_digest(str(path)) == hashlib.sha256(b"abcdef").hexdigest()
    monkeypatch.setattr(files, "WHOLE_BYTES", 6)
    monkeypatch.setattr(files, "END_BYTES", 2)
    large = file_digest(str(path))
    assert large == hashlib.sha256(b"6:abef").hexdigest()
    path.write_bytes(b"abXXef")
    assert file_digest(str(path)) == large
    path.write_bytes(b"abcdeX")
    assert file_digest(str(path)) != large


def test_unique_names_take_no_more_folders_than_needed() -> None:
    assert unique_names(["/x/00.tar", "/x/01.tar"]) == ["00", "01"]
    assert unique_names(["/p/a/0.tar", "/q/a/0.tar"]) == ["p/a/0", "q/a/0"]


def test_ranges_cover_everything_once_and_keep_their_limits() -> None:
    random = np.random.default_rng()
    for _ in range(50):
        sizes = random.integers(0, 20, random.integers(0, 30)).tolist()
        ranges = consecutive_ranges(sizes, part_bytes=25, part_images=4)
        assert [n for first, last in ranges for n in range(first, last)] == list(range(len(sizes)))
        for first, last in ranges:
            assert last - first <= 4
            assert sum(sizes[first:last]) <= 25 or last - first == 1


def test_repeats_are_those_a_plain_set_finds() -> None:
    keys = [str(n) for n in np.random.default_rng().integers(0, 40, 100)]
    repeats, seen, expected = DuplicateKeys(), set[str](), set[int]()
    for position, key in enumerate(keys):
        repeats.add(key)
        expected |= {position} if key in seen else set()
        seen.add(key)
    assert repeats.positions() == expected
    assert DuplicateKeys().positions() == frozenset()
