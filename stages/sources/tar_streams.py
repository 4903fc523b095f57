"""The bytes of a tar, whatever compresses it and whatever its file is called.

A tar is read forward only, and no more of it than is asked for: headers that claim gigabytes, that
lead backwards, or that unpack to thousands of times their size end the reading.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import pyarrow as pa

from schemas.quarantine import Reason
from stages.sources.file_kinds import known_kind
from stages.sources.files import open_file
from stages.sources.record import Refusal
from stages.sources.size_limits import allowed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TAR_SUFFIXES: Final = (
    *(".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz", ".tbz2", ".tar.xz", ".txz"),
    *(".tar.zst", ".tar.zstd", ".tzst", ".tar.lz4"),
)
BLOCK: Final = 512
_CHUNK: Final = 1 << 20
_MOST_HEADER_BYTES: Final = 1 << 20  # of one member, with long names and extended attributes
_MOST_PADDING: Final = 64 << 20  # zeros between an end mark and a tar that follows it
_DIGITS: Final = re.compile(rb"\d{256}")  # tarfile needs time that grows as their square
_MOST_TIMES: Final = 200  # that a tar may be larger than its file, from here on:
_SMALL: Final = 256 << 20


def _open_codec(file: BinaryIO, codec: str) -> BinaryIO:
    return cast("BinaryIO", pa.CompressedInputStream(pa.PythonFile(file, mode="r"), codec))


_OPENERS: Final[tuple[tuple[bytes, Callable[[BinaryIO], Any]], ...]] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", bz2.BZ2File),
    (rb"\xfd7zXZ\x00", lzma.LZMAFile),
    (rb"\x28\xb5\x2f\xfd", lambda file: _open_codec(file, "zstd")),
    (rb"\x04\x22\x4d\x18", lambda file: _open_codec(file, "lz4")),
)


class TarStream:
    """What tarfile reads headers from, and members are read from in between.

    Attributes:
        is_compressed: Whether positions are those of the unpacked bytes, not of the file.
        last_block: What was read last for a header.
        header_bytes: Read for headers since it was set to 0.
    """

    def __init__(self, packed: BinaryIO, unpacked: BinaryIO | None = None) -> None:
        self.is_compressed = unpacked is not None
        self.last_block = b""
        self.header_bytes = 0
        self._packed, self._file = packed, unpacked or packed
        self._position = 0
        self._pushed_back = b""

    def tell(self) -> int:
        """Where the next byte is."""
        return self._position

    def read(self, size: int = -1) -> bytes:
        """Bytes of a header.

        Raises:
            tarfile.ReadError: If the header is longer than any honest one.
        """
        self.header_bytes += size
        if size < 0 or self.header_bytes > _MOST_HEADER_BYTES:
            raise tarfile.ReadError(f"a header claims {max(size, self.header_bytes)} bytes")
        self.last_block = self.read_content(size)
        if size > BLOCK and _DIGITS.search(self.last_block):
            raise tarfile.ReadError("a header holds a number of hundreds of digits")
        return self.last_block

    def read_content(self, size: int) -> bytes:
        """At most `size` bytes, fewer only where the tar ends."""
        content, self._pushed_back = self._pushed_back, b""
        while len(content) < size and (more := self._file.read(size - len(content))):
            content += more
        self._position += len(content)
        if self.is_compressed and self._position > _SMALL:
            packed_bytes = self._packed.tell()
            if self._position > allowed(_MOST_TIMES) * packed_bytes:
                raise tarfile.ReadError(
                    f"{packed_bytes} bytes of it unpack to {self._position}: no honest tar, see "
                    "--size-limits"
                )
        return content

    def seek(self, offset: int, _whence: int = 0) -> int:
        """Go forward to `offset`, or to the end of the unpacked bytes.

        Raises:
            tarfile.ReadError: If that is backwards.
        """
        if offset < self._position:
            raise tarfile.ReadError("a header leads backwards")
        if self.is_compressed:
            while self._position < offset:
                if not self.read_content(min(_CHUNK, offset - self._position)):
                    break
        else:
            self._pushed_back = b""
            self._position = self._file.seek(offset)
        return self._position

    def find_next_tar(self) -> bool:
        """Skip the zeros after an end mark; whether anything follows them, as after `cat a b`.

        Raises:
            tarfile.ReadError: If there are more zeros than are looked through.
        """
        for _ in range(_MOST_PADDING // BLOCK):
            block = self.read_content(BLOCK)
            if block.strip(b"\0"):
                self._pushed_back = block
                self._position -= len(block)
                return True
            if len(block) < BLOCK:
                return False
        raise tarfile.ReadError(f"more than {_MOST_PADDING >> 20} MB of zeros follow an end mark")


@contextmanager
def open_tar(uri: str) -> Iterator[TarStream]:
    """The bytes of a tar; its own first bytes tell how it is compressed.

    Raises:
        Refusal: unreadable, if it is something else that is often taken for a tar.
        SourceError: If it cannot be opened.
    """
    with open_file(uri) as file:
        head = file.read(BLOCK)
        file.seek(0)
        is_plain = head[257:262] == b"ustar"
        opener = next((open_ for magic, open_ in _OPENERS if re.match(magic, head)), None)
        foreign = None if opener or is_plain else known_kind(head)
        if foreign:
            raise Refusal(
                Reason.UNREADABLE, f"it is {foreign}; a tar, or a compressed one, is read"
            )
        if opener is None or is_plain:
            yield TarStream(file)
        else:
            with opener(file) as unpacked:
                yield TarStream(file, unpacked)
