from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from stages.sources import tar_streams
from stages.sources.record import Refusal
from stages.sources.tar_streams import TarStream, open_tar

if TYPE_CHECKING:
    from pathlib import Path

TEXT = b"a tar, or what stands for one" * 40


def packed(codec: str, content: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, codec) as file:
        file.write(content)
    return bytes(out.getvalue())


@pytest.mark.parametrize(
    ("content", "is_compressed"),
    [
        (TEXT, False),
        (gzip.compress(TEXT, mtime=0), True),
        (bz2.compress(TEXT), True),
        (lzma.compress(TEXT), True),
        (packed("zstd", TEXT), True),
        (packed("lz4", TEXT), True),
    ],
)
def test_the_first_bytes_tell_the_compression(
    tmp_path: Path, content: bytes, is_compressed: bool
) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    with open_tar(str(path)) as stream:
        assert stream.is_compressed == is_compressed
        assert stream.read_content(10) == TEXT[:10]
        assert stream.seek(1000) == 1000
        assert stream.read_content(1 << 20) == TEXT[1000:]


def test_a_tar_whose_first_member_is_called_like_a_compression_is_plain(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("BZh91AY&SY.jpg"))
    with open_tar(str(path)) as stream:
        assert not stream.is_compressed


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04...", "a zip archive"),
        (b"Rar!\x1a\x07", "a rar archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"<Error><Code>AccessDenied", "a web page or XML"),
        (b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer"),
    ],
)
def test_what_is_often_taken_for_a_tar_is_refused_by_what_it_is(
    tmp_path: Path, content: bytes, kind: str
) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    with pytest.raises(Refusal, match=kind), open_tar(str(path)):
        pass


def test_a_header_may_not_claim_megabytes_lead_backwards_or_hold_endless_numbers() -> None:
    stream = TarStream(io.BytesIO(bytes(5000)))
    stream.seek(1000)
    with pytest.raises(tarfile.ReadError, match="backwards"):
        stream.seek(10)
    for size in (-1, 2 << 20):
        with pytest.raises(tarfile.ReadError, match="a header claims"):
            stream.read(size)
    with pytest.raises(tarfile.ReadError, match="hundreds of digits"):
        TarStream(io.BytesIO(b"1" * 1024)).read(1024)


def test_a_bomb_ends_the_reading() -> None:
    class Zeros(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    stream = TarStream(io.BytesIO(b"small"), Zeros())  # type: ignore[arg-type]
    with pytest.raises(tarfile.ReadError, match="no honest tar"):
        stream.seek(1 << 50)
    assert stream.tell() <= (256 << 20) + (1 << 20)


@pytest.mark.parametrize("padding", [0, 9216, 2 << 20])
def test_what_follows_the_zeros_is_found(padding: int) -> None:
    stream = TarStream(io.BytesIO(bytes(padding) + b"next" * 128))
    assert stream.find_next_tar()
    assert stream.tell() == padding
    assert stream.read(512) == b"next" * 128


def test_zeros_without_end_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_streams, "_MOST_PADDING", 1 << 20)
    assert not TarStream(io.BytesIO(bytes(1 << 19))).find_next_tar()
    with pytest.raises(tarfile.ReadError, match="more than 1 MB of zeros"):
        TarStream(io.BytesIO(bytes(2 << 20))).find_next_tar()
