"""What a remote is asked, of both kinds, and which URLs are remotes."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

import pytest

from pipeline.remote.remote import (
    NotThereError,
    file_name,
    manifest_name,
    open_remote,
    read_whole,
)
from schemas.errors import ArtifactError, OptionError, SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.remote.remote import Remote

LARGE = bytes(range(256)) * (9 << 12)  # more than one request


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("content", [b"x", LARGE, b""], ids=["small", "large", "empty"])
def test_a_file_that_was_sent_is_read_back_and_not_sent_again(
    remote: Remote, tmp_path: Path, content: bytes
) -> None:
    file, digest = tmp_path / "file", digest_of(content)
    file.write_bytes(content)
    name = file_name(digest)
    assert remote.send(name, file, len(content), digest, again=False)
    assert not remote.send(name, file, len(content), digest, again=False)
    assert remote.send(name, file, len(content), digest, again=True)
    if content:
        assert read_whole(remote, name, 1 << 30) == content


@pytest.mark.parametrize("content", [b"x", LARGE], ids=["small", "large"])
def test_a_file_without_its_hash_does_not_arrive(
    remote: Remote, tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "file"
    file.write_bytes(content)
    wanted = digest_of(b"another")
    with pytest.raises(ArtifactError, match="file differs from the hash in its manifest, so it"):
        remote.send(file_name(wanted), file, len(content), wanted, again=False)
    with pytest.raises(NotThereError):
        list(remote.read(file_name(wanted)))


def test_what_is_created_is_never_replaced(remote: Remote) -> None:
    name = manifest_name("images/v2-0123456789ab")
    assert remote.create(name, b"first")
    assert not remote.create(name, b"second")
    assert read_whole(remote, name, 100) == b"first"


def test_nothing_is_none_and_too_much_is_not_read(remote: Remote) -> None:
    assert read_whole(remote, "additions/00000000", 10) is None
    remote.create("additions/00000000", b"x" * 11)
    with pytest.raises(ArtifactError, match=r"additions/00000000 in .* is longer than 10 bytes"):
        read_whole(remote, "additions/00000000", 10)


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKID:geheim@bucket/x",
        "s3://bucket/x?X-Amz-Signature=geheim",
        "gs://bucket/x#geheim",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(OptionError, match="never from the command line") as refused:
        open_remote(url)
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://", "az://b/x", "https://host/x"])
def test_another_url_is_no_remote(url: str) -> None:
    with pytest.raises(OptionError, match="is no remote: write s3://BUCKET/FOLDER, gs://"):
        open_remote(url)


def test_a_file_is_no_remote(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SourceError, match="file is a file; a remote is a folder"):
        open_remote(str(tmp_path / "file"))


def test_without_the_extra_one_sentence_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pipeline.remote.object_store", raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(
        OptionError, match=r"s3://b/x needs obstore; .* 'regionclip-toolkit\[remote"
    ):
        open_remote("s3://b/x")
