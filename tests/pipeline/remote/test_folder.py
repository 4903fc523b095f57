"""A folder as a remote."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

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


def test_what_a_killed_push_left_is_swept(tmp_path: Path) -> None:
    draft = tmp_path / f".{'0' * 32}.b"
    draft.mkdir()
    (draft / "b").write_bytes(b"hel")
    Folder(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_drafts_lie_beside_nothing_that_is_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"hello")
    Folder(tmp_path / "remote").send("a/b", file, 5, HELLO, again=False)
    Folder(tmp_path / "remote").create("c/d", b"hello")
    names = sorted(str(p.relative_to(tmp_path / "remote")) for p in tmp_path.rglob("remote/**/*"))
    assert names == ["a", "a/b", "c", "c/d"]
