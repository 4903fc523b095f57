from __future__ import annotations

import hashlib
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline.store import integrity
from pipeline.store.integrity import is_whole

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONTENT = b"rows of a part"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "part"
    path.write_bytes(CONTENT)
    os.utime(path, ns=(1, 1))
    return path


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were hashed, in order."""
    files: list[Path] = []
    sha256 = integrity.sha256
    monkeypatch.setattr(
        integrity, "sha256", lambda path, _=None: files.append(path) or sha256(path)
    )
    monkeypatch.setattr(integrity, "_seen", set())
    return files


def test_a_file_is_hashed_once_until_it_is_modified(path: Path, hashed: list[Path]) -> None:
    assert [is_whole(path, DIGEST) for _ in range(3)] == [True] * 3
    assert hashed == [path]
    os.utime(path, ns=(2, 2))
    assert is_whole(path, DIGEST)
    assert hashed == [path, path]
    assert not is_whole(path, "0" * 64)


@pytest.mark.parametrize("attributes", ["kept", "refused", "unknown"])
def test_damage_is_seen_with_and_without_attributes_of_files(
    path: Path, hashed: list[Path], monkeypatch: pytest.MonkeyPatch, attributes: str
) -> None:
    if attributes == "refused":
        monkeypatch.setattr(integrity, "ATTRIBUTE", "there is no such name space")
    if attributes == "unknown":
        monkeypatch.delattr(os, "setxattr")
        monkeypatch.delattr(os, "getxattr")
    assert [is_whole(path, DIGEST) for _ in range(2)] == [True, True]
    assert hashed == [path]
    path.write_bytes(CONTENT[:-1] + b"T")
    assert [is_whole(path, DIGEST) for _ in range(2)] == [False, False]


@pytest.mark.parametrize("copy", [shutil.copy2, shutil.copyfile])
def test_a_copy_is_hashed_anew(
    path: Path, hashed: list[Path], copy: Callable[[Path, Path], object]
) -> None:
    assert is_whole(path, DIGEST)
    other = path.with_name("copy")
    copy(path, other)
    os.utime(other, ns=(1, 1))
    assert is_whole(other, DIGEST)
    assert hashed == [path, other]


def test_a_file_written_just_now_is_hashed_again(path: Path, hashed: list[Path]) -> None:
    path.write_bytes(CONTENT)
    assert is_whole(path, DIGEST)
    path.write_bytes(CONTENT[:-1] + b"T")
    assert not is_whole(path, DIGEST)
    assert hashed == [path, path]
