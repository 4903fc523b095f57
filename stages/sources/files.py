"""Local and remote files: open, measure and hash them.

Local paths are opened directly; anything with `://` by fsspec, see `stages.sources.remote_files`.
"""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from schemas.errors import RCError, SourceError
from schemas.quarantine import Reason
from stages.sources.record import Refusal
from stages.sources.remote_files import RemoteFile, read_range, remote_size, remote_state
from stages.sources.size_limits import allowed

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of the formats that stages.pixels decodes; what the content is decides, not the suffix.
IMAGE_SUFFIXES: Final = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".avif", ".jp2", ".ppm", ".pgm", ".pbm", ".pnm"),
)
WHOLE_BYTES: Final = 64 << 20  # smaller files are hashed whole
END_BYTES: Final = 1 << 20  # of larger files, this much of each end
_MOST_BYTES: Final = 256 << 20  # of one encoded image
_LONGEST_ERROR: Final = 200  # characters of an error that are shown; it may quote a whole file


def is_remote(uri: str) -> bool:
    """Whether it is a URL, which fsspec opens."""
    return "://" in uri


def absolute(uri: str) -> str:
    """The absolute path; a URL stays as it is."""
    return uri if is_remote(uri) else os.path.abspath(Path(uri).expanduser())  # noqa: PTH100 - keeps links


def is_image(name: str) -> bool:
    """Whether the suffix is that of an image format that can be decoded."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def open_file(uri: str, *, in_ranges: bool = False) -> BinaryIO:
    """A readable, seekable file.

    Args:
        uri: Path or URL.
        in_ranges: Whether it is read here and there, not from its beginning to its end.

    Raises:
        SourceError: If it cannot be opened.
    """
    if is_remote(uri):
        return cast("BinaryIO", RemoteFile(uri, in_ranges=in_ranges))
    try:
        return Path(uri).open("rb")
    except (OSError, ValueError, ImportError) as error:
        raise SourceError(f"cannot open {uri}: {_error_text(error)}") from error


@contextmanager
def foreign(what: str, advice: str) -> Iterator[None]:
    """Where bytes of other programs become our types: what is raised here is their fault.

    Every reader of a whole file has its parsing in such a block, so that no file, however damaged
    or deeply nested, shows as a traceback. Errors that the reader words itself pass unchanged.

    Args:
        what: Is read, for the message.
        advice: What to do.

    Raises:
        SourceError: For any other error, in one sentence.
    """
    try:
        yield
    except (RCError, Refusal, MemoryError):
        raise
    except Exception as error:
        raise SourceError(f"cannot read {what}: {error_line(error)}; {advice}") from error


@contextmanager
def foreign_record() -> Iterator[None]:
    """The same for one record among others: it is refused, and the others are read.

    Raises:
        Refusal: For any error but those of files as a whole and of this machine.
    """
    try:
        yield
    except (RCError, Refusal, OSError, MemoryError):
        raise
    except Exception as error:
        raise Refusal(Reason.UNREADABLE, error_line(error)) from error


def error_line(error: Exception) -> str:
    """The first line of an error that a foreign file led to, without control characters."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    text = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    line = text.splitlines()[0][:_LONGEST_ERROR].encode(errors="backslashreplace").decode()
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)


def load_image_file(folder: str, name: str) -> bytes:
    """The content of an image file below `folder`.

    Raises:
        Refusal: unsafe-name, missing-image or too-large.
    """
    if not is_safe_name(name):
        raise Refusal(Reason.UNSAFE_NAME, "the name is absolute, holds '..', or is not UTF-8")
    path = Path(folder, name)
    try:
        if not path.is_file():
            raise Refusal(Reason.MISSING_IMAGE, f"no file {name} in {folder}")
        if (size := path.stat().st_size) > largest_image():
            raise too_large(size)
        return path.read_bytes()
    except OSError as error:
        raise Refusal(Reason.MISSING_IMAGE, f"{name} in {folder}: {_error_text(error)}") from error


def largest_image() -> int:
    """Most bytes of one encoded image; a larger file is no photograph."""
    return allowed(_MOST_BYTES)


def too_large(size: int) -> Refusal:
    """Of an image of so many bytes."""
    detail = f"{size} bytes; at most {largest_image()} are read, see --size-limits"
    return Refusal(Reason.TOO_LARGE, detail)


def read_up_to(path: Path, most: int) -> bytes | None:
    """The content of a local file; None if it has more than `most` bytes.

    Raises:
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(most + 1)
    return None if len(content) > most else content


def size_of(uri: str) -> int:
    """Size in bytes.

    Raises:
        SourceError: If there is no such file.
    """
    if is_remote(uri):
        return remote_size(uri)
    try:
        return Path(uri).stat().st_size
    except (OSError, ValueError, ImportError) as error:
        raise SourceError(f"cannot open {uri}: {_error_text(error)}") from error


def read_at(uri: str, offset: int, size: int) -> bytes:
    """Some bytes of a file; fewer only where it ends.

    Raises:
        SourceError: If it cannot be opened.
    """
    if is_remote(uri):
        return read_range(uri, offset, size)
    with open_file(uri) as file:
        file.seek(offset)
        return file.read(size)


def size_and_mtime(uri: str) -> tuple[int, int]:
    """Size and modification time of a local file; a cache entry is valid while they are equal."""
    if is_remote(uri):
        return 0, 0  # a request for every image would be too slow
    try:
        status = Path(uri).stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def file_digest(uri: str) -> str:
    """SHA-256 of the content; from 64 MB on, of the size and of one MB at each end.

    Of a remote file, of its size and ETag, or time of modification: nothing is read of it.
    """
    if is_remote(uri):
        return digest_of(remote_state(uri))
    size = size_of(uri)
    with open_file(uri) as file:
        if size < WHOLE_BYTES:
            return hashlib.file_digest(cast("Any", file), "sha256").hexdigest()
        digest = hashlib.sha256(f"{size}:".encode())
        digest.update(file.read(END_BYTES))
        file.seek(size - END_BYTES)
        digest.update(file.read(END_BYTES))
    return digest.hexdigest()


def digest_of(*lines: object) -> str:
    """SHA-256 of the texts of `lines`, each with a newline at its end."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()


def is_safe_name(name: str) -> bool:
    r"""Whether a name in a source stays inside it: a relative path without `..`, in UTF-8.

    >>> [is_safe_name(name) for name in ("a/b.jpg", "../b.jpg", "/b.jpg", "c:\\b.jpg", "")]
    [True, False, False, False, False]
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    parts = name.replace("\\", "/").split("/")
    absolute_name = name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) is not None
    return bool(name) and "\0" not in name and ".." not in parts and not absolute_name


def unique_names(paths: list[str]) -> list[str]:
    """A name for each file: its stem, after as few of its folders as make all names different.

    Raises:
        SourceError: If a file is given twice, or two files differ only in their suffixes.

    >>> unique_names(["/x/a/00.tar", "/x/b/00.tar.gz"])
    ['a/00', 'b/00']
    """
    parts = [_parts_without_suffix(path) for path in paths]
    for depth in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(names[-depth:]) for names in parts]
        if len(set(names)) == len(names):
            return names
    for index, path in enumerate(paths):
        first = parts.index(parts[index])
        if path in paths[:index]:
            raise SourceError(f"the same file is given twice: {path}")
        if first < index:
            raise SourceError(f"{paths[first]} and {path} have the same name; rename one of them")
    return []


def _parts_without_suffix(path: str) -> list[str]:
    """The folders of a path, and the name of the file without its suffix."""
    tail = PurePosixPath(path.split("://")[-1])
    stem = re.sub(r"((?:\.tar)?\.[A-Za-z0-9]+)$", "", tail.name) or tail.name
    return [part for part in tail.parts[:-1] if part != "/"] + [stem]


def _error_text(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
