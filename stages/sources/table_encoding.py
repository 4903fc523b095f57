"""Lines of text files: UTF-8 with or without its mark, UTF-16 by its mark; also gzipped.

No letter is ever replaced: what is in another encoding is refused, with its position. Lines, and
what a gzip unpacks to, have limits.
"""

from __future__ import annotations

import codecs
import gzip
import io
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from schemas.errors import SourceError
from stages.sources.size_limits import allowed

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD_BYTES: Final = 1 << 16
_LONGEST_LINE: Final = 1 << 24  # bytes; a longer line is no line of captions
_MOST_TIMES: Final = 100  # that a text may be larger than its gzip, from here on:
_SMALL: Final = 64 << 20
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UTF32: Final = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_WAY_OUT: Final = "write it as UTF-8, such as with: iconv -f latin1 -t utf-8"


def text_lines(file: BinaryIO, name: str) -> Iterator[str]:
    """Lines with their ends.

    Args:
        file: Seekable, at its begin.
        name: Of the file, for messages.

    Raises:
        SourceError: If the text is neither UTF-8 nor UTF-16 with its mark, or a line is longer
            than 16 MB.
    """
    start = 0
    for number, line in enumerate(utf8_lines(file, name), 1):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            byte = line[error.start]
            raise SourceError(
                f"{name} is not UTF-8: byte {error.start + 1} of line {number} "
                f"(byte {start + error.start + 1} of the text) is 0x{byte:02x}; {_WAY_OUT}"
            ) from error
        start += len(line)


def utf8_lines(file: BinaryIO, name: str) -> Iterator[bytes]:
    """Lines with their ends and without a mark; UTF-16 becomes UTF-8, other bytes stay.

    Raises:
        SourceError: As `text_lines` does; bytes that are not UTF-8 are left to the caller.
    """
    stream = _unzipped(file, name)
    head = stream.read(_HEAD_BYTES)
    if head.startswith(_UTF32):
        raise SourceError(f"{name} is UTF-32, not UTF-8; {_WAY_OUT}")
    if (zero := head[:1000].find(b"\0")) >= 0 and not head.startswith(_UTF16):
        raise SourceError(
            f"byte {zero + 1} of {name} is zero: it is no text, or UTF-16 without its mark; "
            f"{_WAY_OUT}"
        )
    stream.seek(len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0)
    if head.startswith(_UTF16):
        yield from _wide_lines(stream, name)
        return
    if b"\r" in head[:-1] and b"\n" not in head:  # as old spreadsheets write
        yield from _lines_of_returns(stream, name)
        return
    while line := stream.readline(allowed(_LONGEST_LINE)):
        _check_length(line, name)
        yield line


class _Unzipped(io.RawIOBase):
    """The bytes of a gzip; one that unpacks to far more than any text does is refused."""

    def __init__(self, packed: BinaryIO, name: str) -> None:
        self._packed, self._name = packed, name
        self._file = gzip.GzipFile(fileobj=packed)

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """See `io.RawIOBase`."""
        return self._file.seek(offset, whence)

    def readinto(self, buffer: Any, /) -> int:
        """See `io.RawIOBase`."""
        content = self._file.read(len(buffer))
        unpacked, packed = self._file.tell(), self._packed.tell()
        if unpacked > max(_SMALL, allowed(_MOST_TIMES) * packed):
            raise SourceError(
                f"{packed:,} bytes of {self._name} unpack to {unpacked:,}: no text does; if it is "
                "one, unpack it with gunzip first, or raise --size-limits"
            )
        buffer[: len(content)] = content
        return len(content)


def _unzipped(file: BinaryIO, name: str) -> BinaryIO:
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return cast("BinaryIO", io.BufferedReader(_Unzipped(file, name))) if is_gzip else file


def _check_length(line: bytes, name: str) -> None:
    if len(line) >= (most := allowed(_LONGEST_LINE)):
        raise SourceError(
            f"{name} has a line of more than {most >> 20} MB, which is no line of captions; "
            "leave it out, or raise --size-limits"
        )


def _lines_of_returns(stream: BinaryIO, name: str) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(_HEAD_BYTES):
        *lines, last = chunk.split(b"\r")
        for line in lines:
            yield rest + line + b"\n"
            rest = b""
        rest += last
        _check_length(rest, name)
    if rest:
        yield rest


def _wide_lines(stream: BinaryIO, name: str) -> Iterator[bytes]:
    text = io.TextIOWrapper(stream, "utf-16", newline="\n")
    number = 0
    try:
        while line := text.readline(allowed(_LONGEST_LINE)):
            number += 1
            content = line.encode()
            _check_length(content, name)
            yield content
    except UnicodeError as error:
        raise SourceError(
            f"{name} begins as UTF-16, but line {number + 1} is not ({error}); {_WAY_OUT}"
        ) from error
    finally:
        text.detach()  # else it would close the file, which its opener closes
