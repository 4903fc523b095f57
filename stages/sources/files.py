"""Files, near or far: open, measure, hash, and find them by pattern.

Local paths go through plain file handles; anything with `://` goes through fsspec.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Final, cast

import fsspec

from schemas.errors import SourceError
from schemas.quarantine import Reason
from stages.sources.record import Refusal

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")
WHOLE_BYTES: Final = 64 << 20  # files below are hashed whole
END_BYTES: Final = 1 << 20  # of larger ones, this much of both ends
LARGEST: Final = 256 << 20  # bytes of one encoded image; anything above is no photograph
_BRACES: Final = re.compile(r"\{([^{}]+)\}")
_RANGE: Final = re.compile(r"(\d+)\.\.(\d+)")


def is_remote(uri: str) -> bool:
    """Whether fsspec must open it."""
    return "://" in uri


def absolute(uri: str) -> str:
    """The path from the root of the file system; URLs as they are."""
    return uri if is_remote(uri) else os.path.abspath(Path(uri).expanduser())  # noqa: PTH100 - keeps links


def is_image(name: str) -> bool:
    """Whether the suffix is one of JPEG, PNG, WEBP."""
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
        raise SourceError(f"cannot open {uri}: {_why(error)}") from error


def load_image_file(folder: str, name: str) -> bytes:
    """The content of an image file below `folder`.

    Raises:
        Refusal: unsafe-name, missing-image or too-large.
    """
    if not safe_name(name):
        raise Refusal(Reason.UNSAFE_NAME, "the name is absolute, holds '..', or is not UTF-8")
    path = Path(folder, name)
    try:
        if not path.is_file():
            raise Refusal(Reason.MISSING_IMAGE, f"no file {name} in {folder}")
        if path.stat().st_size > LARGEST:
            raise Refusal(
                Reason.TOO_LARGE, f"{path.stat().st_size} bytes; at most {LARGEST} are read"
            )
        return path.read_bytes()
    except OSError as error:
        raise Refusal(Reason.MISSING_IMAGE, f"{name} in {folder}: {_why(error)}") from error


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
        raise SourceError(f"cannot open {uri}: {_why(error)}") from error


def stamp(uri: str) -> tuple[int, int]:
    """Size and time of change of a local file, to tell whether what was remembered of it holds."""
    if is_remote(uri):
        return 0, 0  # asking again for every image would cost a round trip each
    try:
        found = Path(uri).stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns


def file_digest(uri: str) -> str:
    """SHA-256 of the content; of files of 64 MB and more, of the size and one MB at each end."""
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
    """SHA-256 over the texts of `lines`, each ended by a newline."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(f"{line}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()


def expand(pattern: str) -> list[str]:
    """Paths that a glob or brace pattern names, sorted; the pattern itself if it is neither.

    >>> expand("/nowhere/{00..02}.tar")
    ['/nowhere/00.tar', '/nowhere/01.tar', '/nowhere/02.tar']
    """
    if not is_remote(pattern) and Path(pattern).exists():
        return [absolute(pattern)]
    return [found for text in _unbrace(pattern) for found in _unglob(text)]


def safe_name(name: str) -> bool:
    r"""Whether a name from inside a source stays inside it: relative, no `..`, printable UTF-8.

    >>> [safe_name(name) for name in ("a/b.jpg", "../b.jpg", "/b.jpg", "c:\\b.jpg", "")]
    [True, False, False, False, False]
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    parts = name.replace("\\", "/").split("/")
    absolute_name = name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name) is not None
    return bool(name) and "\0" not in name and ".." not in parts and not absolute_name


def labels(paths: list[str]) -> list[str]:
    """A name for each file: its stem, with as many of its folders as tell all of them apart.

    >>> labels(["/x/a/00.tar", "/x/b/00.tar.gz"])
    ['a/00', 'b/00']
    """
    stems = [_without_suffix(path) for path in paths]
    for depth in range(1, max((len(s) for s in stems), default=0) + 1):
        names = ["/".join(stem[-depth:]) for stem in stems]
        if len(set(names)) == len(names):
            return names
    raise SourceError(
        f"the same file is given twice: {next(p for p in paths if paths.count(p) > 1)}"
    )


def _without_suffix(path: str) -> list[str]:
    tail = PurePosixPath(path.split("://")[-1])
    name = re.sub(r"(\.tar\.gz|\.[A-Za-z0-9]+)$", "", tail.name) or tail.name
    return [part for part in tail.parts[:-1] if part != "/"] + [name]


def _unbrace(text: str) -> list[str]:
    found = _BRACES.search(text)
    if found is None:
        return [text]
    inside = _RANGE.fullmatch(found[1])
    if inside:
        numbers = range(int(inside[1]), int(inside[2]) + 1)
        choices = [str(n).zfill(len(inside[1])) for n in numbers]
    else:
        choices = found[1].split(",")
    head, tail = text[: found.start()], text[found.end() :]
    return [whole for choice in choices for whole in _unbrace(head + choice + tail)]


def _unglob(text: str) -> list[str]:
    if not glob.has_magic(text):
        return [absolute(text)]
    if is_remote(text):
        filesystem, path = fsspec.core.url_to_fs(text)
        found = [filesystem.unstrip_protocol(p) for p in filesystem.glob(path)]
    else:
        found = glob.glob(absolute(text), recursive=True)  # noqa: PTH207 - the pattern may be absolute
    if not found:
        raise SourceError(f"nothing matches {text}; quote the pattern, or name the files")
    return sorted(found)


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
