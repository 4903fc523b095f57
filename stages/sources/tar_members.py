"""The members of a tar of unknown origin, in order; never extracted, never unpickled.

Bytes of a local tar that is not compressed are read when they are asked for; all others are read
as the tar passes by, and only those of members that are wanted.
"""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from schemas.errors import RCError
from schemas.quarantine import Reason
from stages.sources.files import is_remote, is_safe_name, largest_image, read_at, too_large
from stages.sources.record import Problem, Refusal
from stages.sources.tar_streams import BLOCK, TarStream, open_tar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

_LEADING_DOTS: Final = re.compile(r"\A(?:\./+)+")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class TarMember:
    """A regular file of a tar.

    Attributes:
        name: Without `./` at its beginning.
        offset: Of its first byte in the file; None if the tar is compressed.
        held: Bytes that it keeps in memory.
        load: Returns its bytes; raises `Refusal` if they are damaged or too many.
    """

    name: str
    offset: int | None
    held: int
    load: Callable[[], bytes]


def tar_members(
    uri: str, is_wanted: Callable[[str], bool], *, with_content: bool = True
) -> Iterator[TarMember | Problem]:
    """The members of a tar, and where they stand those that are refused; folders are passed over.

    Args:
        uri: The tar.
        is_wanted: Whether the bytes of a member of this name will be loaded.
        with_content: Whether any bytes will be; if not, members are only listed.

    Returns:
        Names of problems are those of members; empty for the tar itself, which then ends there.
    """
    try:
        with open_tar(uri) as stream:
            for header in _headers(stream):
                if isinstance(header, Problem):
                    yield header
                elif problem := _problem_of(header):
                    yield problem
                else:
                    yield _member(uri, header, stream, is_wanted, with_content=with_content)
    except Refusal as refusal:
        yield Problem("", refusal.reason, refusal.detail)


def _headers(stream: TarStream) -> Iterator[tarfile.TarInfo | Problem]:
    """Headers of all members but folders, up to the end or the first damage."""
    starts_at = 0
    while True:
        error = yield from _headers_of_one(stream)
        if isinstance(error, RCError):  # of the network: the tar may be whole
            raise error
        if error is not None or stream.last_block != bytes(BLOCK):
            yield Problem("", Reason.TRUNCATED_TAR, _damage(stream, starts_at, error))
            return
        try:
            is_followed = stream.find_next_tar()
        except RCError:
            raise
        except Exception as damage:  # of compression, likewise
            yield Problem("", Reason.TRUNCATED_TAR, _damage(stream, starts_at, damage))
            return
        if not is_followed:
            return
        starts_at = stream.tell()


def _headers_of_one(
    stream: TarStream,
) -> Generator[tarfile.TarInfo, None, Exception | None]:
    """Headers up to the end mark or the first damage; returns what the damage is."""
    stream.header_bytes = 0
    try:
        # its errors are many: of tars, numbers, texts, recursion, compression
        tar = tarfile.TarFile(fileobj=cast("Any", stream), encoding="utf-8")
    except Exception as error:
        return error
    while True:
        try:
            info = tar.next()
            tar.members = []  # type: ignore[attr-defined] # otherwise tarfile keeps all headers
            if info is None:
                return None
            if info.size < 0:
                return tarfile.ReadError("a member of negative size")
        except Exception as error:
            return error
        if not info.isdir():
            yield info
        stream.header_bytes = 0


def _problem_of(info: tarfile.TarInfo) -> Problem | None:
    reason = Reason.UNSAFE_NAME
    if not is_safe_name(info.name):
        why = "a member's name is absolute, holds '..', or is not UTF-8"
    elif _CONTROLS.search(info.name):
        why = "a member's name holds control characters"
    elif not info.isreg():
        why = "a member is a link or a device, whose bytes the tar does not hold"
    elif info.issparse():
        reason = Reason.UNREADABLE
        why = "a member is a sparse file, whose bytes are not stored in one piece"
    else:
        return None
    printable = info.name.encode(errors="backslashreplace").decode()
    printable = _CONTROLS.sub(lambda control: f"\\x{ord(control[0]):02x}", printable)
    return Problem(printable, reason, f"{why}; it was not read")


def _member(
    uri: str,
    info: tarfile.TarInfo,
    stream: TarStream,
    is_wanted: Callable[[str], bool],
    *,
    with_content: bool,
) -> TarMember:
    name, offset, size = _LEADING_DOTS.sub("", info.name), info.offset_data, info.size
    is_read_later = not stream.is_compressed and not is_remote(uri)
    is_held = not is_read_later and size <= largest_image() and is_wanted(name)
    load: Callable[[], bytes]
    if size > largest_image():
        load = partial(_raise, too_large(size))
    elif is_read_later:
        load = partial(_read_at, uri, offset, size)
    elif is_held and with_content:
        load = _loader_of_next(stream, size)
    else:
        load = partial(_raise, Refusal(Reason.UNREADABLE, "it was not read"))
    at = None if stream.is_compressed else offset
    return TarMember(name, at, size if is_held else 0, load)


def _damage(stream: TarStream, starts_at: int, error: Exception | None) -> str:
    if stream.tell() == 0:
        return "the file is empty"
    if starts_at and error and stream.tell() <= starts_at + BLOCK:
        return f"what follows the end mark at byte {starts_at} is no tar; it was not read"
    if error is None:
        is_block = len(stream.last_block) == BLOCK
        error = tarfile.ReadError("no header where one should be" if is_block else "no end mark")
    return f"the tar breaks off or is damaged ({error or type(error).__name__}); " + (
        "what came before is kept"
    )


def _loader_of_next(stream: TarStream, size: int) -> Callable[[], bytes]:
    """Read the next bytes now, for later."""
    try:
        content = stream.read_content(size)
    except RCError:
        raise
    except Exception as error:
        return partial(_raise, Refusal(Reason.TRUNCATED, f"the tar is damaged here: {error}"))
    if len(content) < size:
        return partial(_raise, Refusal(Reason.TRUNCATED, _cut_short(len(content), size)))
    return lambda: content


def _read_at(uri: str, offset: int, size: int) -> bytes:
    content = read_at(uri, offset, size)
    if len(content) < size:
        raise Refusal(Reason.TRUNCATED, _cut_short(len(content), size))
    return content


def _cut_short(given: int, size: int) -> str:
    return f"the tar ends after {given} of {size} bytes"


def _raise(refusal: Refusal) -> bytes:
    raise refusal
