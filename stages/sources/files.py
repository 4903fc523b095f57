"""Local and remote files: open, measure, hash, and find them by pattern.

Local paths are opened directly; anything with `://` is opened by fsspec.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import fsspec

from schemas.errors import RCError, SourceError
from schemas.quarantine import Reason
from stages.sources.record import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of the formats that stages.pixels decodes; what the content is decides, not the suffix.
IMAGE_SUFFIXES: Final = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".avif", ".jp2", ".ppm", ".pgm", ".pbm", ".pnm"),
)
WHOLE_BYTES: Final = 64 << 20  # smaller files are hashed whole
END_BYTES: Final = 1 << 20  # of larger files, this much of each end
MAX_BYTES: Final = 256 << 20  # of one encoded image; a larger file is no photograph
_LONGEST_ERROR: Final = 200  # characters of an error that are shown; it may quote a whole file
_BRACES: Final = re.compile(r"\{([^{}]+)\}")
_RANGE: Final = re.compile(r"(\d+)\.\.(\d+)")


def is_remote(uri: str) -> bool:
    """Whether it is a URL, which fsspec opens."""
    return "://" in uri


def absolute(uri: str) -> str:
    """The absolute path; a URL stays as it is."""
    return uri if is_remote(uri) else os.path.abspath(Path(uri).expanduser())  # noqa: PTH100 - keeps links


def is_image(name: str) -> bool:
    """Whether the suffix is that of an image format that can be decoded."""
    return name.lower().endswith(IMAGE_SUFFIXES)


def open_file(uri: str) -> BinaryIO:
    """A readable, seekable file.

    Raises:
        SourceError: If it cannot be opened.
    """
    try:
        if is_remote(uri):
            return cast("BinaryIO", fsspec.open(uri, "rb").open())
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
        if path.stat().st_size > MAX_BYTES:
            raise Refusal(
                Reason.TOO_LARGE, f"{path.stat().st_size} bytes; at most {MAX_BYTES} are read"
            )
        return path.read_bytes()
    except OSError as error:
        raise Refusal(Reason.MISSING_IMAGE, f"{name} in {folder}: {_error_text(error)}") from error


def size_of(uri: str) -> int:
    """Size in bytes.

    Raises:
        SourceError: If there is no such file.
    """
    try:
        if is_remote(uri):
            filesystem, path = fsspec.core.url_to_fs(uri)
            return int(filesystem.size(path))
        return Path(uri).stat().st_size
    except (OSError, ValueError, ImportError) as error:
        raise SourceError(f"cannot open {uri}: {_error_text(error)}") from error


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
    """SHA-256 of the content; from 64 MB on, of the size and of one MB at each end."""
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


def expand(pattern: str) -> list[str]:
    """Paths that match a glob or brace pattern; the path itself if it is no pattern.

    As much of a local path as is there as written is never a pattern, whatever its folders are
    called: in `run[1]/*.tar` only the star is one where there is a folder `run[1]`.

    >>> expand("/nowhere/{00..02}.tar")
    ['/nowhere/00.tar', '/nowhere/01.tar', '/nowhere/02.tar']
    """
    if is_remote(pattern):
        return [path for text in _expand_braces(pattern) for path in _expand_remote(text)]
    there, rest = _as_written(pattern)
    braces = _BRACES.search(str(there))
    texts = (
        [f"{there}/{text}" for text in _expand_braces(rest)] if braces else _expand_braces(pattern)
    )
    return [path for text in texts for path in _expand_local(text)]


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


def _expand_braces(text: str) -> list[str]:
    braces = _BRACES.search(text)
    if braces is None:
        return [text]
    ends = _RANGE.fullmatch(braces[1])
    if ends:
        numbers = range(int(ends[1]), int(ends[2]) + 1)
        choices = [str(n).zfill(len(ends[1])) for n in numbers]
    else:
        choices = braces[1].split(",")
    head, tail = text[: braces.start()], text[braces.end() :]
    return [path for choice in choices for path in _expand_braces(head + choice + tail)]


def _as_written(text: str) -> tuple[Path, str]:
    """The longest beginning of a local path that is there, and the rest, which may be a pattern."""
    path = Path(absolute(text))
    there = next(place for place in (path, *path.parents) if place.exists())
    return there, str(path.relative_to(there))


def _expand_remote(text: str) -> list[str]:
    if not glob.has_magic(text):
        return [text]
    filesystem, path = fsspec.core.url_to_fs(text)
    paths = [filesystem.unstrip_protocol(p) for p in filesystem.glob(path)]
    if not paths:
        raise SourceError(f"nothing matches {text}: quote the pattern, or name the files")
    return sorted(paths)


def _expand_local(text: str) -> list[str]:
    there, rest = _as_written(text)
    if not glob.has_magic(rest):
        return [absolute(text)]
    paths = glob.glob(str(Path(glob.escape(str(there)), rest)), recursive=True)  # noqa: PTH207 - it is absolute
    if not paths:
        raise SourceError(f"nothing matches {text}: {_why_no_match(there, rest)}")
    return sorted(paths)


def _why_no_match(there: Path, rest: str) -> str:
    """What is missing: the first folder of a local pattern that is not there, or the files."""
    folder = Path(there, *takewhile(lambda part: not glob.has_magic(part), Path(rest).parts))
    missing = [place for place in [*[*folder.parents][::-1], folder] if not place.exists()]
    if missing:
        return f"there is no folder {missing[0]}"
    return f"{folder} is there, and no file in it has such a name; quote the pattern"


def _error_text(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
