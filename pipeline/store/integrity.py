"""Integrity: whether a file is what its manifest says, hashed once per modification.

What was seen is remembered in an extended attribute of the file, which names its inode, size and
time of modification: so it is void for a copy, and for what was written since. Nothing is
remembered of a file written just now. Where the file system keeps no attributes, this process
remembers.

So this does not see what changes a file that was hashed and leaves its time of modification: a disk
that rots, or who sets the time back. The checksums of Parquet's pages, verified at every reading
but DuckDB's, see most of that, and `rc verify`, which remembers nothing, sees all.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from pipeline.store.atomic import sha256

if TYPE_CHECKING:
    from pathlib import Path

ATTRIBUTE: Final = "user.regionclip.sha256"
_SETTLED_NS: Final = 2 * 10**9  # what was written later may be written again at the same time
_seen: set[tuple[Path, str]] = set()


def is_whole(path: Path, digest: str, end: int | None = None) -> bool:
    """Whether the SHA-256 of a file is `digest`; half a second per GB, once per modification.

    Args:
        path: The file.
        digest: Hexadecimal.
        end: How many of its bytes were hashed; default: all.
    """
    status = path.stat()
    stamp = f"{digest} {status.st_ino} {status.st_size} {status.st_mtime_ns}"
    if _remembered(path) == stamp or (path, stamp) in _seen:
        return True
    if sha256(path, end) != digest:
        return False
    if time.time_ns() - status.st_mtime_ns < _SETTLED_NS:
        return True
    try:
        os.setxattr(path, ATTRIBUTE, stamp.encode())
    except (OSError, AttributeError):  # a store one may only read; not on Linux
        _seen.add((path, stamp))
    return True


def _remembered(path: Path) -> str:
    try:
        return os.getxattr(path, ATTRIBUTE).decode(errors="replace")
    except (OSError, AttributeError):
        return ""
