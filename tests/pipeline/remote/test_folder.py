"""A folder as a remote."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from pipeline.remote.folder import Folder

if TYPE_CHECKING:
    from pathlib import Path

HELLO = hashlib.sha256(b"hello").hexdigest()


def test_a_damaged_file_of_the_right_size_is_sent_again(tmp_path: Path) -> None:
    file, folder = tmp_path / "file", Folder(tmp_path / "remote")
    file.write_bytes(b"hello")
    folder.send("a/b", file, 5, HELLO, again=False)
    (tmp_path / "remote/a/b").write_bytes(b"jello")
    assert folder.send("a/b", file, 5, HELLO, again=False)
    assert (tmp_path / "remote/a/b").read_bytes() == b"hello"


@pytest.mark.parametrize("is_there", [True, False])
def test_what_a_killed_push_left_is_swept(tmp_path: Path, is_there: bool) -> None:
    file, remote = tmp_path / "file", tmp_path / "remote"
    file.write_bytes(b"hello")
    if is_there:
        Folder(remote).send("a/b", file, 5, HELLO, again=False)
    draft = remote / "a" / f".{'0' * 32}.b"
    draft.mkdir(parents=True)
    (draft / "b").write_bytes(b"hel")
    Folder(remote).send("a/b", file, 5, HELLO, again=False)
    assert [path.name for path in (remote / "a").iterdir()] == ["b"]
