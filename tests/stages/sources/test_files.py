from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.pixels import FORMATS
from stages.sources import files
from stages.sources.files import (
    IMAGE_SUFFIXES,
    absolute,
    digest_of,
    file_digest,
    foreign,
    foreign_record,
    is_image,
    is_remote,
    is_safe_name,
    load_image_file,
    open_file,
    read_at,
    size_and_mtime,
    size_of,
    unique_names,
)
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from pathlib import Path


def test_a_relative_path_becomes_absolute_and_a_url_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert absolute("a/../b.tar") == f"{tmp_path}/b.tar"
    assert absolute("~/b.tar") == f"{tmp_path}/b.tar"
    assert absolute("s3://bucket/b.tar") == "s3://bucket/b.tar"
    assert (is_remote("s3://bucket/b.tar"), is_remote("/b.tar")) == (True, False)


def test_a_link_keeps_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert absolute(str(tmp_path / "link")) == f"{tmp_path}/link"


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


def test_local_and_remote_files_are_read_alike(tmp_path: Path, remote: str) -> None:
    (tmp_path / "a.bin").write_bytes(b"abc")
    for uri in (str(tmp_path / "a.bin"), remote):
        with open_file(uri) as file:
            file.seek(1)
            assert file.read() == b"bc"
        assert read_at(uri, 1, 5) == b"bc"
        assert size_of(uri) == 3


@pytest.mark.parametrize(
    "uri", ["/nowhere/a.tar", "memory://nowhere/a.tar", "unknown://a.tar", "/a\0b"]
)
def test_a_file_that_cannot_be_opened_is_named(uri: str) -> None:
    for read in (open_file, size_of, file_digest):
        with pytest.raises(SourceError, match="cannot open "):
            read(uri)


def test_size_and_modification_time_tell_that_a_file_changed(tmp_path: Path, remote: str) -> None:
    path = tmp_path / "f"
    assert size_and_mtime(str(path)) == (-1, -1)
    path.write_bytes(b"abc")
    status = path.stat()
    assert size_and_mtime(str(path)) == (3, status.st_mtime_ns)
    path.write_bytes(b"abcd")
    assert size_and_mtime(str(path))[0] == 4
    assert size_and_mtime(remote) == (0, 0)


def test_a_digest_keeps_lines_apart_and_takes_any_text() -> None:
    assert digest_of("a", 1) == hashlib.sha256(b"a\n1\n").hexdigest()
    assert digest_of("ab", "c") != digest_of("a", "bc")
    assert digest_of("\udce9") != digest_of("\udcea")  # a file name that is not UTF-8


@pytest.mark.parametrize(
    ("name", "is_safe"),
    [
        ("a/b.jpg", True),
        ("a..b/c.jpg", True),
        ("caf\u00e9.jpg", True),
        ("a/../../b.jpg", False),
        ("a\\..\\b.jpg", False),
        ("/b.jpg", False),
        ("\\b.jpg", False),
        ("C:b.jpg", False),
        ("a\0.jpg", False),
        ("caf\udce9.jpg", False),
        ("", False),
    ],
)
def test_a_safe_name_is_a_relative_path_inside_the_source(name: str, is_safe: bool) -> None:
    assert is_safe_name(name) == is_safe


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((f"a{suffix}", True) for suffix in IMAGE_SUFFIXES),
        *((name, True) for name in ("a.JPG", "a.Jpeg", "a.b.TIFF")),
        *((name, False) for name in ("a.heic", "a.svg", "a.pdf", "jpg", "a.jpg.txt")),
    ],
)
def test_images_are_known_by_their_suffix(name: str, expected: bool) -> None:
    assert is_image(name) == expected


def test_each_image_suffix_is_of_a_format_that_is_decoded() -> None:
    Image.init()
    formats = {suffix: Image.registered_extensions()[suffix] for suffix in IMAGE_SUFFIXES}
    assert {suffix for suffix, name in formats.items() if name not in FORMATS} == set()


def test_an_image_file_is_read_or_refused_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"abc")
    (tmp_path / "folder.jpg").mkdir()
    assert load_image_file(str(tmp_path), "a.jpg") == b"abc"
    monkeypatch.setattr(files, "_MOST_BYTES", 2)
    expected = {
        "a.jpg": "too-large: 3 bytes; at most 2 are read, see --size-limits",
        "gone.jpg": f"missing-image: no file gone.jpg in {tmp_path}",
        "folder.jpg": f"missing-image: no file folder.jpg in {tmp_path}",
        "../a.jpg": "unsafe-name: the name is absolute, holds '..', or is not UTF-8",
    }
    for name, sentence in expected.items():
        with pytest.raises(Refusal) as caught:
            load_image_file(str(tmp_path), name)
        assert str(caught.value) == sentence


def test_names_take_no_more_folders_than_needed() -> None:
    assert unique_names(["/x/00.tar", "/x/01.tar"]) == ["00", "01"]
    assert unique_names(["/p/a/0.tar", "/q/a/0.tar"]) == ["p/a/0", "q/a/0"]
    assert unique_names(["s3://b/x/0.tar", "0.tar.gz"]) == ["x/0", "0"]
    assert unique_names([]) == []


def test_names_of_random_paths_are_unique_and_as_short_as_possible() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        paths = {"/".join(rng.choice(list("abc"), rng.integers(1, 5))) for _ in range(6)}
        names = unique_names(sorted(paths))
        assert len(set(names)) == len(paths)
        assert all(path.endswith(name) for path, name in zip(sorted(paths), names, strict=True))
        depth = max(name.count("/") for name in names)
        shorter = {"/".join(path.split("/")[-depth:]) for path in paths}
        assert depth == 0 or len(shorter) < len(paths)


def test_two_files_of_one_name_are_refused_and_both_are_named() -> None:
    with pytest.raises(SourceError, match=r"the same file is given twice: /x/0\.tar"):
        unique_names(["/x/0.tar", "/x/1.tar", "/x/0.tar"])
    sentence = r"/x/0\.tar and /x/0\.tar\.gz have the same name; rename one of them"
    with pytest.raises(SourceError, match=sentence):
        unique_names(["/x/0.tar", "/x/0.tar.gz"])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RecursionError("maximum depth"), "it is nested too deeply"),
        (ValueError("a\x1b\ud800\nsecond line"), r"a\\x1b\\ud800"),
        (EOFError(), "EOFError"),
    ],
)
def test_what_a_parser_raises_becomes_a_sentence(error: Exception, said: str) -> None:
    sentence = f"^cannot read x: {said}; send it again$"
    with pytest.raises(SourceError, match=sentence), foreign("x", "send it again"):
        raise error


@pytest.mark.parametrize("error", [SourceError("x"), Refusal(Reason.BAD_ROW, "x"), MemoryError()])
def test_what_is_worded_or_no_fault_of_the_file_passes(error: Exception) -> None:
    for block in (foreign("x", "y"), foreign_record()):
        with pytest.raises(type(error)) as raised, block:
            raise error
        assert raised.value is error


def test_a_record_that_cannot_be_read_is_refused_and_a_full_disk_is_not() -> None:
    with pytest.raises(Refusal, match="unreadable: 7"), foreign_record():
        raise IndexError(7)
    with pytest.raises(OSError, match="full"), foreign_record():
        raise OSError("full")


def test_a_file_is_read_up_to_its_last_byte_and_no_larger_one(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert files.read_up_to(tmp_path / "a", 5) == b"12345"
    assert files.read_up_to(tmp_path / "a", 4) is None
