"""Lines of text files: UTF-8 with or without its mark, UTF-16 by its mark; also gzipped.

No letter is ever replaced: what is in another encoding is refused, with its position.
"""

from __future__ import annotations

import codecs
import gzip
import io
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD_BYTES: Final = 1 << 16
_LONGEST_LINE: Final = 1 << 26  # bytes; a longer line is no line of captions
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
            than 64 MB.
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
    stream = _unzipped(file)
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
        yield from _lines_of_returns(stream)
        return
    while line := stream.readline(_LONGEST_LINE):
        if len(line) == _LONGEST_LINE:
            raise SourceError(f"{name} has a line of more than {_LONGEST_LINE:,} bytes")
        yield line


def _unzipped(file: BinaryIO) -> BinaryIO:
    is_gzip = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    return cast("BinaryIO", gzip.open(file)) if is_gzip else file


def _lines_of_returns(stream: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(_HEAD_BYTES):
        *lines, rest = (rest + chunk).split(b"\r")
        yield from (line + b"\n" for line in lines)
    if rest:
        yield rest


def _wide_lines(stream: BinaryIO, name: str) -> Iterator[bytes]:
    text = io.TextIOWrapper(stream, "utf-16", newline="\n")
    number = 0
    try:
        for number, line in enumerate(text, 1):  # noqa: B007 - the number is for the message
            yield line.encode()
    except UnicodeError as error:
        raise SourceError(
            f"{name} begins as UTF-16, but line {number + 1} is not ({error}); {_WAY_OUT}"
        ) from error
    finally:
        text.detach()  # else it would close the file, which its opener closes
