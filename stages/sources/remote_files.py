"""Files that fsspec opens: in object stores, on web servers, in data sets of Hugging Face.

They are read in pieces, and never copied whole to be read. What tells one state of a file from
another is its size with its ETag, or with what the provider has in its place; only where there is
none, with the time of its modification.
"""

from __future__ import annotations

import io
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import fsspec

from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TAGS: Final = ("ETag", "etag", "e_tag", "blob_id", "md5Hash", "content_hash")
_TIMES: Final = ("LastModified", "last_modified", "Last-Modified", "mtime", "updated")
_SKIPPED_BYTES: Final = 1 << 20  # read at once where a server has no ranges
_SECRET: Final = re.compile(r"[?&](?:[^=&]*signature|sig|[^=&]*token|[^=&]*credential)=", re.I)


def remote_size(uri: str) -> int:
    """Size in bytes.

    Raises:
        SourceError: If there is no such file, or its server cannot be reached.
    """
    size = _info(uri).get("size")
    if not isinstance(size, int):
        raise SourceError(f"the server of {uri} does not say how large it is: download it first")
    return size


def remote_state(uri: str) -> str:
    """Size and ETag of a file, or its time of modification: what changes when the file does.

    Raises:
        SourceError: If there is no such file, its server cannot be reached, or tells neither.
    """
    info = _info(uri)
    for kind, names in (("ETag", _TAGS), ("modified", _TIMES)):
        for name in names:
            if info.get(name):
                return f"{info.get('size')} bytes, {kind} {info[name]}"
    with _reached(uri):
        filesystem, path = _place(uri)
        try:
            return f"{info.get('size')} bytes, modified {filesystem.modified(path)}"
        except NotImplementedError:
            raise SourceError(
                f"the server of {uri} gives neither an ETag nor a time of modification, so a "
                "changed file could not be told from this one: download it first"
            ) from None


def read_range(uri: str, offset: int, size: int) -> bytes:
    """Some bytes of a file, in one request; fewer only where it ends.

    Raises:
        SourceError: If they cannot be read.
    """
    with _reached(uri):
        filesystem, path = _place(uri)
        content = bytes(filesystem.cat_file(path, start=offset, end=offset + size))
    if len(content) > size:  # the server has no ranges: it sent all of it
        return content[offset : offset + size]
    return content


def matching(pattern: str) -> list[str]:
    """Files that match a glob, sorted; their listing is always a new one.

    Raises:
        SourceError: If their server cannot be reached.
    """
    with _reached(pattern):
        filesystem, path = _place(pattern)
        filesystem.invalidate_cache()
        return sorted(filesystem.unstrip_protocol(found) for found in filesystem.glob(path))


class RemoteFile(io.RawIOBase):
    """A file that is read in pieces; where its server has no ranges, forward only.

    An error of the network is a SourceError, never damage of the file.

    Raises:
        SourceError: If it cannot be opened.
    """

    def __init__(self, uri: str, *, in_ranges: bool = False) -> None:
        """Open it.

        Args:
            uri: URL.
            in_ranges: Ask for exactly what is read, as Parquet is; else also for what comes next.
        """
        self._uri = uri
        self._how: dict[str, Any] = {"cache_type": "none"} if in_ranges else {}
        self._file = self._open()
        self._position = 0
        self._has_ranges = getattr(self._file, "size", None) is not None

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes: without ranges, by reading."""
        return True

    def tell(self) -> int:
        """Where the next byte is."""
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """At most `size` bytes, fewer only where the file ends."""
        content = bytearray()
        with _reached(self._uri):
            while size is None or size < 0 or len(content) < size:
                wanted = -1 if size is None or size < 0 else size - len(content)
                piece = self._file.read(wanted)
                content += piece
                if not piece or wanted < 0:
                    break
        self._position += len(content)
        return bytes(content)

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def readline(self, size: int | None = -1) -> bytes:
        """A line, with its end."""
        with _reached(self._uri):
            line = bytes(self._file.readline() if size in (-1, None) else self._file.readline(size))
        self._position += len(line)
        return line

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        if self._has_ranges:
            with _reached(self._uri):
                self._position = self._file.seek(offset, whence)
            return self._position
        if whence != io.SEEK_SET:
            raise SourceError(f"the server of {self._uri} gives no ranges: download it first")
        if offset < self._position:
            self._file.close()
            self._file, self._position = self._open(), 0
        while self._position < offset and self.read(min(_SKIPPED_BYTES, offset - self._position)):
            pass
        return self._position

    def close(self) -> None:
        """Close the connection."""
        if not self.closed and hasattr(self, "_file"):
            self._file.close()
        super().close()

    def _open(self) -> Any:
        with _reached(self._uri):
            filesystem, path = _place(self._uri)
            return filesystem.open(path, "rb", **self._how)


def _info(uri: str) -> Mapping[str, Any]:
    with _reached(uri):
        filesystem, path = _place(uri)
        return cast("Mapping[str, Any]", filesystem.info(path))


def _place(uri: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    scheme, _, rest = uri.partition("://")
    if "@" in rest.split("/")[0] or _SECRET.search(uri):
        raise SourceError(
            f"the {scheme}:// URL of a source holds credentials, which would be stored with every "
            "image: give them in the environment, or in the files of the provider's own tools"
        )
    return cast("tuple[Any, str]", fsspec.core.url_to_fs(uri))


@contextmanager
def _reached(uri: str) -> Iterator[None]:
    """Turn whatever a file system raises into one sentence; each has errors of its own."""
    try:
        yield
    except (SourceError, MemoryError, NotImplementedError):
        raise
    except ImportError as error:
        raise SourceError(
            f"cannot open {uri}: {error}; pip install 'regionclip-toolkit[remote]' has it"
        ) from error
    except Exception as error:
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise SourceError(f"cannot open {uri}: {text.splitlines()[0][:200]}") from error
