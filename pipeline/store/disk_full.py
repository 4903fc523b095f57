"""A full disk, however a library says so, is one sentence that names what could not be written."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from schemas.errors import DiskFullError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CODES: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WORDS: Final = tuple(os.strerror(code) for code in _CODES)  # in the text of libraries in C


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Run a block that writes `path`.

    Raises:
        DiskFullError: If an error of the block was that the disk or the quota is full.
    """
    try:
        yield
    except DiskFullError:
        raise
    except Exception as error:
        if is_full(error):
            raise DiskFullError(sentence(path)) from error
        raise


def sentence(path: str | Path) -> str:
    """What is said of a file or folder for which there was no room."""
    return (
        f"the disk or the quota is full: {path} could not be written. Make room, then run the "
        "same command again."
    )


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or one that led to it, says that there is no room."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            if error.errno in _CODES:
                return True
        elif any(words in str(error) for words in _WORDS):
            return True
        error = error.__cause__ or error.__context__
    return False
