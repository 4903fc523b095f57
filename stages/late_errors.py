"""Files for C libraries to write: an error of the disk is raised at the end, and by us.

When a write fails, HDF5 ends the process, and torch speaks of something else.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def late_errors(path: Path) -> Iterator[IO[bytes]]:
    """A new file; what could not be written is raised after the block.

    Raises:
        OSError: That of the first write that failed; it names the file.
    """
    file = LateErrorFile(path)
    try:
        yield cast("IO[bytes]", file)
    finally:
        file.finish()


class LateErrorFile:
    """A new file whose writes seem to succeed; `finish` raises the first error there was."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("w+b")
        self._error: OSError | None = None

    def write(self, content: bytes) -> int:
        """Write at the present position; after an error, nothing is written any more."""
        size = memoryview(content).nbytes
        self._tried(lambda: self._file.write(content))
        return size

    def flush(self) -> None:
        """Hand what is buffered to the system."""
        self._tried(self._file.flush)

    def truncate(self, size: int) -> int:
        """Make the file as long as `size` bytes."""
        self._tried(lambda: self._file.truncate(size))
        return size

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position and return it."""
        return self._tried(lambda: self._file.seek(offset, whence)) or 0

    def tell(self) -> int:
        """The present position."""
        return self._tried(self._file.tell) or 0

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes from the present position on, or all."""
        buffer = b""

        def read() -> int:
            nonlocal buffer
            buffer = self._file.read(size)
            return len(buffer)

        self._tried(read)
        return buffer

    def readinto(self, buffer: bytearray) -> int:
        """Read from the present position on; how many bytes there were."""
        read = self._tried(lambda: self._file.readinto(buffer))  # type: ignore[attr-defined]
        return read or 0

    def finish(self) -> None:
        """Close the file.

        Raises:
            OSError: If something could not be written.
        """
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or error
        if self._error is not None:
            raise OSError(self._error.errno, self._error.strerror, str(self._path))

    def _tried(self, act: Callable[[], int | None]) -> int | None:
        if self._error is None:
            try:
                return act()
            except OSError as error:
                self._error = error
        return None
